#!/usr/bin/env bash
# Fuzzes with libFuzzer and AddressSanitizer, on a nightly compiler.
#
#   scripts/fuzz.sh build               the targets, as they are run
#   scripts/fuzz.sh run [TARGET...]     each target, or all of them one after the other, for SECONDS_PER_TARGET (300;
#                                       0: until stopped); leaves a row for the reliability report
#   scripts/fuzz.sh merge [TARGET...]   puts a choice of what runs have found into the corpus in the place of the last
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGETS=(calls templates parameters der config responses emulator)
readonly SECONDS_PER_TARGET=${SECONDS_PER_TARGET:-300}
readonly TRIPLE=$(rustc -vV | sed -n 's/^host: //p')
readonly BINARIES=target/fuzz/$TRIPLE/release
# What runs find is kept here; the corpora of the repository only grow by merging.
readonly FOUND=target/fuzz/found
readonly ROWS=target/reliability/fuzzing
readonly CORPUS=fuzz/corpus
export PATH="$PWD/target/tools/bin:$PATH"
# Sanitizers and counters need what only a nightly compiler takes.
export RUSTUP_TOOLCHAIN=nightly

main() {
    local command=${1:-run} target
    # Without an argument there is nothing to shift.
    shift || true
    local targets=("$@")
    [ ${#targets[@]} -gt 0 ] || targets=("${TARGETS[@]}")
    for target in "${targets[@]}"; do
        [ -d "$CORPUS/$target" ] || fail "no target $target; there are: ${TARGETS[*]}"
    done
    if [ "$command" = build ]; then
        build
        return
    fi
    for target in "${targets[@]}"; do
        case "$command" in
            run) run "$target" ;;
            merge) merge "$target" ;;
            *) fail "usage: scripts/fuzz.sh [build|run|merge] [TARGET...]" ;;
        esac
    done
}

build() {
    cargo --version >/dev/null 2>&1 || fail "fuzzing needs a nightly Rust: rustup toolchain install nightly"
    cargo fuzz build --fuzz-dir fuzz --target-dir target/fuzz --sanitizer address
}

# Leaks are looked for at the end alone: threads in the background would have them looked for after every input.
# The log goes to standard error; what the module might print must not be lost in it.
run() {
    local target=$1 log printed outcome=0
    log=target/fuzz/$target.log printed=target/fuzz/$target.stdout
    mkdir -p "$FOUND/$target" "target/fuzz/artifacts/$target"
    say "$target, for $SECONDS_PER_TARGET s; the log is $log"
    "$BINARIES/$target" "$FOUND/$target" "$CORPUS/$target" \
        -max_total_time="$SECONDS_PER_TARGET" -timeout=30 -rss_limit_mb=4096 -max_len="$(longest "$target")" \
        -detect_leaks=0 \
        -artifact_prefix="target/fuzz/artifacts/$target/" -print_final_stats=1 $(dictionary "$target") \
        >"$printed" 2>"$log" || outcome=$?
    record "$target" "$log" "$outcome"
    [ "$outcome" -eq 0 ] || { tail -n 40 "$log" >&2; fail "$target failed; the input is in target/fuzz/artifacts/$target"; }
    [ ! -s "$printed" ] || fail "$target printed on standard output: $printed"
}

# Bytes of the longest input: a few calls, a listing, a certificate.
longest() {
    case "$1" in
        calls | templates | parameters) echo 2048 ;;
        *) echo 4096 ;;
    esac
}

dictionary() {
    [ ! -f "fuzz/dictionaries/$1" ] || echo "-dict=fuzz/dictionaries/$1"
}

# From libFuzzer's own words: its final statistics, and the last line of its progress.
record() {
    local target=$1 log=$2 outcome=$3
    mkdir -p "$ROWS"
    OUTCOME=$outcome python3 - "$log" >"$ROWS/$target.json" <<'PYTHON'
import json, os, re, sys

log = open(sys.argv[1], errors="replace").read()
stat = lambda name: int(re.search(rf"^stat::{name}:\s*(\d+)", log, re.M)[1])
done = re.search(r"^Done (\d+) runs in (\d+) second", log, re.M)
progress = re.findall(r"^#\d+\s.*\bcov: (\d+) ft: (\d+) corp: (\d+)", log, re.M)[-1]
executions = stat("number_of_executed_units")
seconds = int(done[2]) if done else executions // max(stat("average_exec_per_sec"), 1)
row = {
    "seconds": seconds,
    "executions": executions,
    "executions/s": executions // max(seconds, 1),
    "coverage (edges)": progress[0],
    "corpus (inputs)": progress[2],
    "crashes": 0 if os.environ["OUTCOME"] == "0" else 1,
    "sanitizer": "address",
}
json.dump({name: str(value) for name, value in row.items()}, sys.stdout)
PYTHON
    say "$target: $(cat "$ROWS/$target.json")"
}

# Of what was found, the inputs that reach most edges that shorter ones do not: the corpus stays small. Inputs with names of
# their own have been put there by hand and stay.
merge() {
    local target=$1 control=target/fuzz/$1.merge
    rm -rf "$control" "$control.d"
    mkdir -p "$control.d"
    "$BINARIES/$target" -merge=1 -merge_control_file="$control" -timeout=30 -max_len="$(longest "$target")" \
        "$control.d" "$CORPUS/$target" "$FOUND/$target" >/dev/null 2>"$control.log"
    python3 - "$control" "$CORPUS/$target" <<'PYTHON'
import hashlib, pathlib, re, sys

MOST = 40
lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
corpus = pathlib.Path(sys.argv[2])
count = int(lines[0])
files = [pathlib.Path(line) for line in lines[2 : 2 + count]]
# Of each input, how many edges it is the first to reach; they were run in the order of their lengths.
new = {}
for line in lines[2 + count :]:
    kind, _, rest = line.partition(" ")
    if kind == "COV":
        number, *edges = rest.split()
        new[files[int(number)]] = len(edges)
chosen = sorted((file for file in new if new[file]), key=new.get, reverse=True)[:MOST]
contents = [file.read_bytes() for file in chosen]
for file in corpus.iterdir():
    if re.fullmatch("[0-9a-f]{40}", file.name):
        file.unlink()
for content in contents:
    (corpus / hashlib.sha1(content).hexdigest()).write_bytes(content)
PYTHON
    say "$target: $(find "$CORPUS/$target" -type f | wc -l) inputs, $(du -sb "$CORPUS/$target" | cut -f 1) bytes"
}

say() {
    echo "fuzz: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

main "$@"
