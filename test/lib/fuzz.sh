#!/bin/bash
# The steps of fuzzing for test/check.sh and test/fuzz.sh.  They run in the root
# of the tree, as the server's user, with PG_BIN in the environment.
#
#   test/lib/fuzz.sh build           all targets
#   test/lib/fuzz.sh seeds           makes seeds from responses of the simulator
#   test/lib/fuzz.sh run TARGET ARGUMENT...
#                                    libFuzzer with these arguments; first it
#                                    tries all inputs of the corpus
#   test/lib/fuzz.sh coverage TARGET...
#                                    the coverage of the inputs found so far
#
# json_reader, csv_reader and json_walk are programs.  options and row run inside
# a server: see test/fuzz/server_fuzz.c.
set -euo pipefail

FUZZ=$PWD/test/fuzz
BUILD=$FUZZ/build
CLANG=$(compgen -c clang | grep -E '^clang(-[0-9]+)?$' | sort -V | head -n 1)

build() {
    make -s -j "$(nproc)" -C test/fuzz "CC=$CLANG" "PG_CONFIG=$PG_BIN/pg_config" \
        "BUILD=$BUILD" "$@"
    gcc -shared -fPIC -fno-builtin -Wl,-z,initfirst -o "$BUILD/asan_first.so" \
        test/lib/asan_first.c
}

in_server() { [ "$1" = options ] || [ "$1" = row ]; }

dictionary() {
    case $1 in
        csv_reader) echo csv ;;
        options) echo options ;;
        *) echo json ;;
    esac
}

# A server in single-user mode that loads the harness; its input is SQL.
server() {
    local library
    library=$("$CLANG" -print-file-name="libclang_rt.asan-$(uname -m).so")
    env "LD_PRELOAD=$library $BUILD/asan_first.so" \
        "$PG_BIN/postgres" --single -j -F -D "$BUILD/data" "$@" \
        -c log_min_messages=fatal -c client_min_messages=error postgres
}

prepare_server() {
    [ ! -d "$BUILD/data" ] || return 0
    "$PG_BIN/initdb" -D "$BUILD/data" -A trust -E UTF8 --locale=C.UTF-8 -N
    sed "s#MODULE#$BUILD/server.so#" test/fuzz/server_fuzz.sql |
        server -c exit_on_error=on
}

# An error of the statement itself does not change the exit status.
run_in_server() {
    local arguments
    arguments=$(printf "'%s'," "${@:2}")
    prepare_server >/dev/null
    printf "SELECT hibob_fuzz('%s', ARRAY[%s]);\n\n" "$1" "${arguments%,}" |
        server 2>&1 | tee "$BUILD/server.log"
    grep -q '^Done ' "$BUILD/server.log"
}

# libFuzzer writes new inputs to the first directory.
run() {
    local target=$1
    mkdir -p "$FUZZ/found/$target" "$FUZZ/seeds/$target"
    set -- "${@:2}" -timeout=20 -print_final_stats=1 \
        "-dict=$FUZZ/$(dictionary "$target").dict" \
        "-artifact_prefix=$FUZZ/found/$target-" \
        "$FUZZ/found/$target" "$FUZZ/corpus/$target" "$FUZZ/seeds/$target"
    # A server does not free all memory before it ends.
    export ASAN_OPTIONS=malloc_context_size=4:quarantine_size_mb=8
    if in_server "$target"; then
        ASAN_OPTIONS+=:detect_leaks=0
        run_in_server "$target" "$@"
    else
        "$BUILD/$target" "$@"
    fi
}

coverage() {
    local target objects=()
    BUILD=$FUZZ/coverage
    build COVERAGE=yes
    for target; do
        LLVM_PROFILE_FILE=$BUILD/$target.profraw run "$target" -runs=0
        in_server "$target" || objects+=("-object=$BUILD/$target")
    done
    "$("$CLANG" -print-prog-name=llvm-profdata)" merge -o "$BUILD/all.profdata" \
        "$BUILD"/*.profraw
    "$("$CLANG" -print-prog-name=llvm-cov)" report \
        "-instr-profile=$BUILD/all.profdata" "$BUILD/server.so" "${objects[@]}" |
        percentages
}

# llvm-cov's columns for lines and branches, without files that no target
# reaches.
percentages() {
    printf '%-24s %6s %9s %9s\n' file lines covered branches
    awk 'sub(/.*src\//, "src/", $1) && $8 > 0 && $10 != "0.00%" {
             printf "%-24s %6d %9s %9s\n", $1, $8, $10, $13
         }'
}

case ${1:-} in
    build) build ;;
    seeds) python3 test/fuzz/corpus.py "$FUZZ/seeds" ;;
    run | coverage) "$@" ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
