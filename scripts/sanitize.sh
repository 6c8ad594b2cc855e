#!/usr/bin/env bash
# The C hosts of the tests, and a stress of 64 threads, under tools that see what no answer shows: `make sanitize`.
#
#   scripts/sanitize.sh [address] [thread] [memcheck]     all three without an argument
#
# address   AddressSanitizer and LeakSanitizer. The module with aws-lc and all crates is instrumented, and the hosts.
#           The unit tests of src/abi run under it, too
# thread    ThreadSanitizer. As above, and of Rust's standard library the atomic operations (scripts/sanitize/std)
# memcheck  valgrind. The module as `make build` makes it; the stress of 16 threads, since it runs one at a time
#
# scripts/sanitize/left_out.toml names the tests that a tool cannot run, each with the reason; all others run.
#
# Each run leaves a row for docs/reliability.md. Any finding, and whatever is missing, makes this fail. No tool is
# believed that does not find the mistakes of tests/c/planted_host.c, nor AddressSanitizer without those of
# src/abi/allocator.rs. target/sanitize takes some 10 GB.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGET=x86_64-unknown-linux-gnu
readonly TREE=$PWD/target/sanitize
readonly ROWS=target/reliability/sanitizers
readonly THREADS=${SANITIZE_THREADS:-64}

# Suites whose hosts are in C.
readonly HOSTS=(process exits forks guest guest_scarce guest_secrets header)

failed=0

main() {
    local tool
    [ $# -gt 0 ] || set -- address thread memcheck
    for tool in "$@"; do
        case $tool in
            address | thread | memcheck) ;;
            *) fail "usage: scripts/sanitize.sh [address] [thread] [memcheck]" ;;
        esac
    done
    mkdir -p "$ROWS" "$TREE"
    # What suites record elsewhere is of the module as it is.
    export KMS_PKCS11_TEST_ROWS=$TREE/rows
    export KMS_PKCS11_TEST_PATIENCE=200
    for tool in "$@"; do
        rm -rf "$TREE/log/$tool" "$ROWS/$tool"-*.json
        mkdir -p "$TREE/log/$tool"
        SECONDS=0
        "check_$tool"
        say "$tool: took $((SECONDS / 60)) minutes"
    done
    [ $failed -eq 0 ] || fail "something was found or has failed: see $TREE/log"
    say "no findings"
}

check_address() {
    use_nightly address asan "-Zsanitizer=address -Cforce-frame-pointers=yes"
    SANITIZE_RUNTIME=$RUNTIME
    # A suite has the module built, with the features of the crates that tests turn on: one build does for both.
    with_nightly nextest --no-run -p kms-pkcs11 --lib --test stress
    KMS_PKCS11_MODULE=$TREE/address/$TARGET/debug/deps/libkms_pkcs11.so
    expect overflow 'heap-buffer-overflow'
    expect leak 'LeakSanitizer: detected memory leaks'
    expect_in_rust read_behind_a_block 'heap-buffer-overflow'
    expect_in_rust read_of_a_freed_block 'heap-use-after-free'
    expect_in_rust read_of_a_block_that_has_grown 'heap-use-after-free'
    expect_in_rust free_of_a_freed_block 'attempting double-free'
    expect_in_rust block_that_is_forgotten 'LeakSanitizer: detected memory leaks'
    stress "$THREADS" 3
    run_hosts
    say "address: unit tests of src/abi"
    begin abi
    with_nightly nextest --profile sanitize -p kms-pkcs11 --lib -E 'test(/^abi::/)' 2>&1 | tee "$LOG/output" || failed=1
    row abi 1 ""
}

check_thread() {
    scripts/sanitize/std "$TREE/sysroot"
    use_nightly thread tsan "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -Cforce-frame-pointers=yes \
--sysroot=$TREE/sysroot"
    SANITIZE_RUNTIME=$TREE/thread.a
    objcopy --redefine-sym __tsan_atomic64_fetch_sub=renamed_tsan_atomic64_fetch_sub "$RUNTIME" "$SANITIZE_RUNTIME"
    gcc -O2 -Wall -Wextra -Werror -c scripts/sanitize/fence.c -o "$TREE/fence.o"
    ar q "$SANITIZE_RUNTIME" "$TREE/fence.o"
    with_nightly build -p kms-pkcs11 --lib
    # The runtime remembers the parent's threads in a child, where the C library would give their stacks back.
    export GLIBC_TUNABLES=glibc.pthread.stack_cache_size=4294967296
    KMS_PKCS11_MODULE=$TREE/thread/$TARGET/debug/libkms_pkcs11.so
    expect race 'WARNING: ThreadSanitizer: data race'
    stress "$THREADS" 3
    run_hosts
    unset GLIBC_TUNABLES
}

check_memcheck() {
    command -v valgrind >/dev/null || fail "valgrind is missing: make setup"
    # Building a test builds the module, with the features of the crates that tests turn on.
    cargo nextest run --no-run -p kms-pkcs11 --test stress
    TOOL=memcheck
    SANITIZE_RUNTIME=
    KMS_PKCS11_MODULE=$PWD/target/debug/deps/libkms_pkcs11.so
    expect overflow 'Invalid write'
    expect leak 'definitely lost'
    stress 16 1
    run_hosts
}

# What builds for a sanitizer, by the nightly compiler and into a tree of its own, need to know.
use_nightly() { # TOOL RUNTIME RUSTFLAGS
    local sysroot
    TOOL=$1
    sysroot=$(rustc +nightly --print sysroot) || fail "the sanitizers are in nightly Rust only: install it"
    RUNTIME=$sysroot/lib/rustlib/$TARGET/lib/librustc-nightly_rt.$2.a
    [ -f "$RUNTIME" ] || fail "nightly Rust has no $RUNTIME"
    RUST_FLAGS=$3
    say "$TOOL: building the module, which takes minutes the first time"
}

with_nightly() { # COMMAND ARGUMENT...
    local command=$1
    shift
    [ "$command" != nextest ] || command="nextest run"
    # shellcheck disable=SC2086 # two words
    env RUSTFLAGS="$RUST_FLAGS" CFLAGS_x86_64_unknown_linux_gnu="-fsanitize=$TOOL -fno-omit-frame-pointer" \
        CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_TEST_OPT_LEVEL=1 \
        cargo +nightly $command --target "$TARGET" --target-dir "$TREE/$TOOL" "$@"
}

# The tool finds this mistake of the host's.
expect() { # MISTAKE TEXT
    local host=$TREE/planted_host
    begin "planted-$1"
    scripts/sanitize/cc -std=c99 -pthread -g -isystem /usr/include/p11-kit-1 -o "$host" tests/c/planted_host.c
    # A host with a mistake ends as its tool has it; what counts is the report, which is looked at below.
    env -i PATH="$PATH" HOME="$TREE" AWS_REGION=us-east-1 ASAN_OPTIONS="$ASAN_OPTIONS" LSAN_OPTIONS="$LSAN_OPTIONS" \
        TSAN_OPTIONS="$TSAN_OPTIONS" \
        "$host" "$KMS_PKCS11_MODULE" "$1" || true
    grep -qs "$2" "$LOG"/report.* || fail "$TOOL does not find a planted $1: it sees nothing"
    say "$TOOL: finds a planted $1"
}

# AddressSanitizer finds this mistake in memory of the module's allocator: the test that makes it ends by it.
expect_in_rust() { # TEST TEXT
    begin "planted-$1"
    with_nightly nextest -p kms-pkcs11 --lib --run-ignored only -E "test(=abi::allocator::planted::$1)" \
        >"$LOG/output" 2>&1 || true
    grep -qs "$2" "$LOG"/report.* || fail "$TOOL does not find a $1: it sees nothing"
    say "$TOOL: finds a $1"
}

stress() { # THREADS ROUNDS
    say "$TOOL: stress of $1 threads"
    begin stress_host
    KMS_PKCS11_STRESS_THREADS=$1 KMS_PKCS11_STRESS_ROUNDS=$2 KMS_PKCS11_STRESS_REPORT=$LOG/done.json \
        nextest stress "all()"
    row stress_host "$1" "$LOG/done.json"
}

run_hosts() {
    local suite names left_out
    for suite in "${HOSTS[@]}"; do
        names=$(cargo nextest list -p kms-pkcs11 --test "$suite" --run-ignored all --message-format oneline)
        left_out=$(python3 -B scripts/sanitize/left_out.py "$TOOL" "$suite" <<<"$names") || fail "left_out.toml does not fit tests/$suite.rs"
        say "$TOOL: the C hosts of tests/$suite.rs"
        begin "$suite"
        # Many hosts end in the middle of calls: what is still in use then, and lost by the module's end, is no leak.
        [ "$TOOL" != memcheck ] || SANITIZE_VALGRIND_OPTIONS+=" --leak-check=no"
        if [ "$left_out" = "all()" ]; then
            echo "0 tests run: 0 passed" >"$LOG/output"
        else
            nextest "$suite" "not ($left_out)"
        fi
        row "$suite" "" ""
    done
}

# Runs the tests of a suite with the instrumented module; the suite itself is as always.
nextest() { # SUITE FILTER
    KMS_PKCS11_MODULE=$KMS_PKCS11_MODULE KMS_PKCS11_TEST_CC=$PWD/scripts/sanitize/cc \
        cargo nextest run --profile sanitize -p kms-pkcs11 --test "$1" --run-ignored all -E "$2" 2>&1 |
        tee "$LOG/output" || failed=1
}

# Gives a run its own folder for reports.
begin() { # PROGRAM
    LOG=$TREE/log/$TOOL/$1
    mkdir -p "$LOG"
    export SANITIZE_TOOL=$TOOL SANITIZE_RUNTIME
    export ASAN_OPTIONS=log_path=$LOG/report:exitcode=86:detect_stack_use_after_return=1:strict_string_checks=1
    export LSAN_OPTIONS=suppressions=$PWD/scripts/sanitize/leaks.supp
    export TSAN_OPTIONS=log_path=$LOG/report:exitcode=86:second_deadlock_stack=1:history_size=4:die_after_fork=0:\
suppressions=$PWD/scripts/sanitize/signals.supp
    export SANITIZE_VALGRIND_OPTIONS="--error-exitcode=86 --leak-check=full --errors-for-leak-kinds=definite \
--show-leak-kinds=definite --fair-sched=yes --num-callers=40 --log-file=$LOG/report.%p"
}

# Writes what a run has shown.
row() { # PROGRAM THREADS SUMMARY_OF_THE_STRESS
    python3 -B scripts/sanitize/row.py "$TOOL" "$1" "$2" "$LOG" "${3:-}" >"$ROWS/$TOOL-$1.json" || failed=1
    cat "$ROWS/$TOOL-$1.json"
}

say() {
    echo "sanitize: $*"
}

fail() {
    echo "sanitize: $*" >&2
    exit 1
}

main "$@"
