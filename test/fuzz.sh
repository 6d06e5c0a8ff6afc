#!/bin/bash
# Fuzzes for a given time, and prints the coverage.
#
#   test/fuzz.sh [MINUTES [TARGET...]]    by default 10 minutes each of
#                                         json_reader, csv_reader, json_walk,
#                                         options, row
#
# Inputs that fail are written to tmp_check_fuzz/.  Copy useful ones to
# test/fuzz/corpus/TARGET/, which test/check.sh runs.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

MINUTES=${1:-10}
TARGETS=("${@:2}")
[ ${#TARGETS[@]} != 0 ] || TARGETS=(json_reader csv_reader json_walk options row)
FAILED=0

keep() {
    local file
    for file in test/fuzz/found/*-*; do
        [ -f "$file" ] || continue
        mkdir -p "$SOURCE/tmp_check_fuzz"
        cp "$file" "$SOURCE/tmp_check_fuzz/"
        say "Kept tmp_check_fuzz/${file##*/}"
    done
}

PACKAGES+=(clang libclang-rt-dev llvm)
prepare
export PG_BIN
run test/lib/fuzz.sh build
run test/lib/fuzz.sh seeds
for target in "${TARGETS[@]}"; do
    say "$target"
    run_logged "$WORK/fuzz.log" nice -n 19 test/lib/fuzz.sh run "$target" \
        "-max_total_time=$((MINUTES * 60))" || FAILED=1
    grep -E '^(Done|stat::)|not so|ERROR|Base64' "$WORK/fuzz.log" || true
done
keep
[ "$FAILED" = 0 ] || die "something was found"
run_logged "$WORK/coverage.log" test/lib/fuzz.sh coverage "${TARGETS[@]}" || {
    tail -n 40 "$WORK/coverage.log"
    die "no coverage"
}
sed -n '/^file /,$p' "$WORK/coverage.log"
