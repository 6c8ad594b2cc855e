#!/usr/bin/env bash
# Installs what the demo or the tests need and the machine lacks; does nothing when nothing is missing.
#
#   scripts/setup.sh demo    pkcs11-tool, openssl and ssh-keygen
#   scripts/setup.sh [test]  all of the above, the other PKCS#11 clients, a Python environment, cargo-nextest, Kryoptic
#   scripts/setup.sh fuzz    cargo-fuzz, and a C++ compiler for libFuzzer
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=target/venv
readonly TOOLS=target/tools
readonly REQUIREMENTS=tests/requirements.txt
readonly NEXTEST_VERSION=0.9.143
readonly FUZZ_VERSION=0.13.2
readonly KRYOPTIC=softhsm-conformance/kryoptic

readonly DEMO_PACKAGES=(gcc libc6-dev opensc openssl openssh-client)
readonly TEST_PACKAGES=(
    "${DEMO_PACKAGES[@]}"
    softhsm2                                  # the token that answers are compared with
    libclang-dev make perl                    # Kryoptic, the other one, is built from its crates
    golang-go                                 # the first client is a Go program
    golang-github-thalesignite-crypto11-dev
    golang-golang-x-crypto-dev
    libp11-kit-dev                            # a pkcs11.h that is not ours
    libssl-dev                                # verifies what the threads of the stress sign
    libengine-pkcs11-openssl
    gnutls-bin                                # p11tool, which imports keys
    valgrind                                  # the hosts in C run under it
)

main() {
    case "${1:-test}" in
        demo)
            install_packages "${DEMO_PACKAGES[@]}"
            ;;
        test)
            install_packages "${TEST_PACKAGES[@]}"
            check_toolchain
            install_python_environment
            install_nextest
            build_kryoptic
            ;;
        fuzz)
            install_packages g++ python3
            check_toolchain
            install_cargo_fuzz
            ;;
        *)
            fail "usage: scripts/setup.sh [demo|test|fuzz]"
            ;;
    esac
}

install_packages() {
    local missing=() package
    if ! command -v dpkg-query >/dev/null; then
        fail "this is not a Debian system: install the equivalents of these packages by hand: $*"
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing Debian packages: ${missing[*]}"
    # One unreachable third-party source must not stop what the others can deliver.
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update || say "going on with the package lists at hand"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "${missing[@]}"
}

check_toolchain() {
    local tool
    command -v cargo >/dev/null || fail "cargo is not in PATH: install Rust"
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 || fail "cargo $tool is missing: add it to your Rust"
    done
}

# The stamp is a copy of the requirements that were installed.
install_python_environment() {
    command -v python3 >/dev/null || install_packages python3
    if "$VENV/bin/python" -c "" 2>/dev/null && cmp -s "$REQUIREMENTS" "$VENV/requirements.stamp"; then
        return
    fi
    # Debian ships python3 without ensurepip, and a venv without it has no pip.
    python3 -c "import ensurepip, venv" 2>/dev/null || install_packages python3-venv
    say "installing Python packages into $VENV"
    mkdir -p target
    python3 -m venv --clear "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r "$REQUIREMENTS"
    cp "$REQUIREMENTS" "$VENV/requirements.stamp"
}

install_nextest() {
    PATH="$PWD/$TOOLS/bin:$PATH" cargo nextest --version >/dev/null 2>&1 && return
    say "building cargo-nextest into $TOOLS (some minutes, once)"
    cargo install --locked --root "$TOOLS" --version "$NEXTEST_VERSION" cargo-nextest
}

install_cargo_fuzz() {
    PATH="$PWD/$TOOLS/bin:$PATH" cargo fuzz --version >/dev/null 2>&1 && return
    say "building cargo-fuzz into $TOOLS (a minute, once)"
    cargo install --locked --root "$TOOLS" --version "$FUZZ_VERSION" cargo-fuzz
}

# Cargo does nothing when the library is there already.
build_kryoptic() {
    [ -f target/kryoptic/debug/libkryoptic.so ] || say "building Kryoptic into target/kryoptic (some minutes, once)"
    cargo build --quiet --locked --manifest-path "$KRYOPTIC/Cargo.toml" --target-dir target/kryoptic
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root is needed for: $*; run it yourself, or install sudo"
    fi
}

say() {
    echo "setup: $*"
}

fail() {
    echo "setup: $*" >&2
    exit 1
}

main "$@"
