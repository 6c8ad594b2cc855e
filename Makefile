.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: ## Keys in KMS through pkcs11-tool and openssl, on this machine alone
	scripts/demo.sh

.PHONY: test
# One more at a time than there are processors: many a test waits for a deadline.
test: setup build lint ## Everything: format, lints, all tests, the demo
	cargo nextest run --workspace --test-threads $$(($$(nproc) + 1))
	cargo test --workspace --doc
	scripts/demo.sh

.PHONY: build
build: ## The module (target/debug/libkms_pkcs11.so), the emulator and the tools
	cargo build --workspace

.PHONY: lint
lint: ## Format and lints, without changing anything
	cargo fmt --all --check
	cargo fmt --manifest-path softhsm-conformance/kryoptic/Cargo.toml --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: conformance
conformance: setup build ## One scenario table on SoftHSM2 or Kryoptic and on the module, answers compared
	cargo run -p softhsm-conformance

# Cargo optimises a library across crates only when it is built as nothing but a cdylib, and then it wants
# dependencies of another kind: a target directory of its own keeps the two from replacing each other's.
.PHONY: release
release: ## The module as it ships: target/lto/release/libkms_pkcs11.so
	cargo rustc --release -p kms-pkcs11 --lib --crate-type cdylib --target-dir target/lto

.PHONY: bench
bench: release ## Throughput, latency and request counts beside direct KMS calls
	cargo build --release -p kms-pkcs11 -p kms-emulator --bench kms --bin kms-emulator
	KMS_PKCS11_MODULE=$(CURDIR)/target/lto/release/libkms_pkcs11.so cargo bench -p kms-pkcs11 --bench kms

.PHONY: sanitize
sanitize: setup ## The C hosts and a stress of 64 threads under sanitizers and valgrind; needs nightly Rust
	scripts/sanitize.sh

.PHONY: fuzz
fuzz: ## Fuzz each target, or TARGET alone, for SECONDS (300; 0: until stopped)
	scripts/setup.sh fuzz
	scripts/fuzz.sh build
	SECONDS_PER_TARGET=$(or $(SECONDS),300) scripts/fuzz.sh run $(TARGET)

.PHONY: reliability
reliability: setup build release ## docs/reliability.md from runs: long ones of all suites, sanitizers, fuzzing; hours
	KMS_PKCS11_MODULE=$(CURDIR)/target/lto/release/libkms_pkcs11.so \
		cargo nextest run --workspace --run-ignored only -E 'test(/^(.*::)?soak_/)'
	cargo nextest run -p kms-pkcs11 -E 'binary(fault_matrix) | binary(guest)'
	$(MAKE) sanitize
	$(MAKE) fuzz SECONDS=900
	$(MAKE) reliability-report

.PHONY: reliability-report
reliability-report: ## docs/reliability.md from what runs have recorded in target/reliability
	cargo run -p kms-pkcs11-testkit --bin reliability-report

.PHONY: setup
setup: ## Install what the tests need and this machine lacks
	scripts/setup.sh test

.PHONY: clean
clean: ## Remove target/
	cargo clean
