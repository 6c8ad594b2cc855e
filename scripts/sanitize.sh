#!/usr/bin/env bash
# The C hosts of the tests, and a stress of 64 threads, under tools that see what no answer shows: `make sanitize`.
#
#   scripts/sanitize.sh [address] [thread] [memcheck]     all three without an argument
#
# address   AddressSanitizer and LeakSanitizer. The module with aws-lc and all crates is instrumented, and the hosts.
#           The unit tests of src/abi run under it, too
# thread    ThreadSanitizer. As above, and of Rust's standard library the atomic operations (scripts/sanitize/std)
# memcheck  valgrind. The module as `make build` makes it; the stress alone, and of 16 threads: it runs one at a time,
#           and so slowly that other hosts meet the deadlines of requests
#
# Each run leaves a row for docs/reliability.md. Any finding, and whatever is missing, makes this fail. No tool is
# believed that does not find the mistakes of tests/c/planted_host.c. target/sanitize takes some 10 GB.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGET=x86_64-unknown-linux-gnu
readonly TREE=$PWD/target/sanitize
readonly ROWS=target/reliability/sanitizers
readonly THREADS=${SANITIZE_THREADS:-64}

# Suites that run hosts in C, and the tests of theirs that do not: those load the module into a program of cargo's,
# which has no sanitizer's runtime.
readonly HOSTS=(process)
readonly NOT_IN_C='test(inside_a_runtime_of_its_own) | test(leave_every_signal_to_the_host)'
# Under ThreadSanitizer a process has a thread more than its host knows of.
readonly COUNTS_THREADS='test(finalize_ends_every_thread)'
# What runs whole under AddressSanitizer. Suites that load the module into the process of the test cannot: their programs
# do not export the runtime's symbols.
readonly ABI=(--lib)
readonly ABI_TESTS='test(/^abi::/)'

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
    for tool in "$@"; do
        rm -rf "$TREE/log/$tool"
        mkdir -p "$TREE/log/$tool"
        "check_$tool"
    done
    [ $failed -eq 0 ] || fail "something was found or has failed: see $TREE/log"
    say "no findings"
}

check_address() {
    local suite
    use_nightly address asan "-Zsanitizer=address -Cforce-frame-pointers=yes"
    SANITIZE_RUNTIME=$RUNTIME
    # By the command that builds the tests, which turn on features of the crates: one build does for both.
    with_nightly nextest --no-run -p kms-pkcs11 "${ABI[@]}"
    KMS_PKCS11_MODULE=$TREE/address/$TARGET/debug/deps/libkms_pkcs11.so
    expect overflow 'heap-buffer-overflow'
    expect leak 'LeakSanitizer: detected memory leaks'
    stress "$THREADS" 3
    for suite in "${HOSTS[@]}"; do
        run_hosts "$suite" "$NOT_IN_C"
    done
    say "address: unit tests of src/abi"
    begin abi
    with_nightly nextest --profile sanitize -p kms-pkcs11 "${ABI[@]}" -E "$ABI_TESTS" 2>&1 | tee "$LOG/output" || failed=1
    row abi 1 ""
}

check_thread() {
    local suite
    scripts/sanitize/std "$TREE/sysroot"
    use_nightly thread tsan "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -Cforce-frame-pointers=yes \
--sysroot=$TREE/sysroot"
    SANITIZE_RUNTIME=$TREE/thread.a
    objcopy --redefine-sym __tsan_atomic64_fetch_sub=renamed_tsan_atomic64_fetch_sub "$RUNTIME" "$SANITIZE_RUNTIME"
    gcc -O2 -Wall -Wextra -Werror -c scripts/sanitize/fence.c -o "$TREE/fence.o"
    ar q "$SANITIZE_RUNTIME" "$TREE/fence.o"
    with_nightly build -p kms-pkcs11 --lib
    KMS_PKCS11_MODULE=$TREE/thread/$TARGET/debug/libkms_pkcs11.so
    expect race 'WARNING: ThreadSanitizer: data race'
    stress "$THREADS" 3
    for suite in "${HOSTS[@]}"; do
        run_hosts "$suite" "$NOT_IN_C | $COUNTS_THREADS"
    done
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
    env -i PATH="$PATH" HOME="$TREE" AWS_REGION=us-east-1 ASAN_OPTIONS="$ASAN_OPTIONS" TSAN_OPTIONS="$TSAN_OPTIONS" \
        "$host" "$KMS_PKCS11_MODULE" "$1" || true
    cat "$LOG"/report.* 2>/dev/null | grep -q "$2" || fail "$TOOL does not find a planted $1: it sees nothing"
    say "$TOOL: finds a planted $1"
}

stress() { # THREADS ROUNDS
    say "$TOOL: stress of $1 threads"
    begin stress_host
    KMS_PKCS11_STRESS_THREADS=$1 KMS_PKCS11_STRESS_ROUNDS=$2 KMS_PKCS11_STRESS_REPORT=$LOG/done.json \
        nextest stress "all()"
    row stress_host "$1" "$LOG/done.json"
}

run_hosts() { # SUITE TESTS_TO_LEAVE_OUT
    say "$TOOL: the C hosts of tests/$1.rs"
    begin "$1"
    nextest "$1" "not ($2)"
    row "$1" "" ""
}

# Runs the tests of a suite with the instrumented module; the suite itself is as always.
nextest() { # SUITE FILTER
    KMS_PKCS11_MODULE=$KMS_PKCS11_MODULE KMS_PKCS11_TEST_CC=$PWD/scripts/sanitize/cc \
        cargo nextest run --profile sanitize -p kms-pkcs11 --test "$1" -E "$2" 2>&1 | tee "$LOG/output" || failed=1
}

# Gives a run its own folder for reports.
begin() { # PROGRAM
    LOG=$TREE/log/$TOOL/$1
    mkdir -p "$LOG"
    export SANITIZE_TOOL=$TOOL SANITIZE_RUNTIME
    export ASAN_OPTIONS=log_path=$LOG/report:exitcode=86:detect_stack_use_after_return=1:strict_string_checks=1
    export TSAN_OPTIONS=log_path=$LOG/report:exitcode=86:second_deadlock_stack=1:history_size=4:die_after_fork=0
    export SANITIZE_VALGRIND_OPTIONS="--error-exitcode=86 --leak-check=full --errors-for-leak-kinds=definite \
--show-leak-kinds=definite --fair-sched=yes --num-callers=40 --log-file=$LOG/report.%p"
}

# Writes what a run has shown.
row() { # PROGRAM THREADS SUMMARY_OF_THE_STRESS
    python3 scripts/sanitize/row.py "$TOOL" "$1" "$2" "$LOG" "${3:-}" >"$ROWS/$TOOL-$1.json" || failed=1
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
