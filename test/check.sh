#!/bin/bash
# Runs all tests and does not stop at failures; the last line has the numbers of
# passed and failed tests.  Needs Debian and, the first time, root.
#
#   test/check.sh                      all tests
#   test/check.sh sql t/people unit    the tests whose names contain one of
#                                      these words, built with gcc; a word
#                                      that no name contains is a failure
#   test/check.sh sql/people           the regression test of that name
#   test/check.sh --packages           only installs the packages
#
# Environment: HIBOB_CFLAGS are compiler flags for the extension and the unit
# tests; HIBOB_UNIT_PREFIX and HIBOB_SERVER_PREFIX are commands that run unit
# tests and servers; with HIBOB_ROWS_ONLY=yes the regression tests may make other
# requests than expected; HIBOB_TEST_SLOWNESS is a factor for limits of time and
# memory.  test/sanitize.sh and test/valgrind.sh use them.  HIBOB_TEST_JOBS TAP
# files run at the same time, by default one for each processor.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

# json-c is for the benchmark, which a test builds.
PACKAGES+=(clang libclang-rt-dev libjson-c-dev)
# pg_cron, pgaudit, other clients, a pooler, and tools for packages.  Tests skip what is missing.
OPTIONAL_PACKAGES=(
    clang-tidy git rpm unzip shellcheck "postgresql-$PG_VERSION-cron" "postgresql-plpython3-$PG_VERSION"
    curl python3-psycopg2 libpostgresql-jdbc-java
    default-jre-headless libecj-java odbc-postgresql unixodbc python3-pyodbc
    python3-psycopg python3-asyncpg pgbouncer "postgresql-$PG_VERSION-pgaudit"
    prometheus-postgres-exporter check-postgres
)
OPTIONAL_NODE_MODULES=(pg@8.23.1 pg-cursor@2.22.1)
# Those that take longer to install than to test; test/clients.sh uses them.
if [ "${HIBOB_OPTIONAL:-yes}" = all ]; then
    OPTIONAL_PACKAGES+=(python3-sqlalchemy python3-pandas chromium)
    OPTIONAL_NODE_MODULES+=(postgraphile@4.14.1)
fi

ONLY=("$@")
UNIT_FLAGS=
PASSED=0
FAILED=0
# The limit for a single program in seconds.
LIMIT=${HIBOB_TEST_LIMIT:-600}
# How many TAP files run at the same time.
JOBS=${HIBOB_TEST_JOBS:-$(nproc)}

declare -A UNKNOWN=()   # names in ONLY that no test has had so far
for name in "${ONLY[@]}"; do UNKNOWN[$name]=yes; done

# Whether a test with this name runs.
selected() {
    local part status=1
    [ ${#ONLY[@]} != 0 ] || return 0
    for part in "${ONLY[@]}"; do
        [[ $1 == *"$part"* ]] || continue
        unset "UNKNOWN[$part]"
        status=0
    done
    return "$status"
}

# Adds to the totals and prints a line.  A step without results is a failure.
tally() {
    local name=$1 passed=$2 failed=$3
    [ $((passed + failed)) -gt 0 ] || failed=1
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
    printf '%-44s %5d passed, %d failed\n' "$name" "$passed" "$failed"
}

# A step that succeeds or fails as a whole.
check() {
    local name=$1 log=$WORK/step.log
    shift
    if run_logged "$log" timeout -k 10 "$LIMIT" "$@"; then
        tally "$name" 1 0
    else
        tail -n 60 "$log"
        tally "$name" 0 1
        return 1
    fi
}

found() { compgen -G "$1" >/dev/null; }

# Prints the numbers of passed and failed tests of TAP.  The line that sums up a
# subtest does not count, nor does a skipped test; a TODO test never fails.
count_tap() {
    awk '/^ *((not )?ok [0-9]|1\.\.[0-9])/ {
             depth = match($0, /[^ ]/)
             if ($1 != "ok" && $1 != "not") { last = depth; next }
             if (last <= depth && !/# *SKIP/) {
                 if ($1 == "not" && !/# *TODO/) failed++; else passed++
             }
             last = depth
         }
         END { print passed + 0, failed + 0 }' "$1"
}

# The last messages of a test that died are in its own log.
show_end_of_log() {
    local own
    own=tmp_check/log/regress_log_$(basename "$1" .pl)
    [ ! -f "$own" ] || tail -n 20 "$own"
}

# A program that prints TAP.  If it dies, that counts as a failure.  Files that
# run at the same time have different logs.
check_tap() {
    local name=$1 log=$WORK/${1//\//_}.log status=0 passed failed
    shift
    run_logged "$log" timeout -k 10 "$LIMIT" prove -v "$@" || status=$?
    read -r passed failed < <(count_tap "$log")
    if [ "$status" != 0 ]; then
        [ "$failed" != 0 ] || failed=1
        if [ "$(wc -l <"$log")" -gt 100 ]; then
            grep -n -E -A 8 '^ *not ok |^#   Failed test ' "$log" |
                head -n 100 || true
        fi
        tail -n 100 "$log"
        show_end_of_log "$name"
    fi
    # A file may skip each of its tests, or all of them at once: then prove
    # prints "skipped: REASON".
    if [ "$status$passed$failed" = 000 ] &&
        grep -qE '# *SKIP|\.\. skipped: ' "$log"; then
        printf '%-44s skipped\n' "$name"
    else
        tally "$name" "$passed" "$failed"
    fi
}

# --- steps ------------------------------------------------------------------

# (compgen also finds shell functions, so none may be named clang.)
find_clang() { compgen -c clang | grep -E '^clang(-[0-9]+)?$' | sort -V | head -n 1; }

# gcc is last: the tests use its build.
builds() {
    local compiler
    for compiler in $(selected clang && find_clang) gcc; do
        build clean >/dev/null 2>&1 || true
        check "build with $compiler" make -s -j "$(nproc)" with_llvm=no \
            "PG_CONFIG=$PG_BIN/pg_config" "CC=$compiler" WERROR=-Werror || true
    done
}

# Most unit tests build without PostgreSQL; UNIT_FLAGS are for the others.
unit_test() {
    local name=test/unit/$1
    shift
    selected "$name" || return 0
    # shellcheck disable=SC2086  # a list of words
    check "build $name" gcc -O1 -g -Wall -Wextra -Werror $UNIT_FLAGS \
        ${HIBOB_CFLAGS:-} -Isrc -o "$name" "$name.c" "${@/#/src/}" || return 0
    check_tap "$name" -e "${HIBOB_UNIT_PREFIX:-}" "$name"
}

unit_tests() {
    unit_test json_reader_test reader/json_{reader,tree,layout,scan,find}.c
    unit_test csv_reader_test reader/csv_reader.c
    unit_test address_test http/address.c
    UNIT_FLAGS="-Wno-unused-parameter -I$("$PG_BIN/pg_config" --includedir-server)" \
        unit_test mux_test http/mux.c
}

# --- the source tree ----------------------------------------------------------

# What check_tap prints for TAP files that pass, fail, skip and die.
harness_test() {
    local file=$WORK/tmp/harness.pl expected code result passed=0 failed=0
    selected test/check.sh || return 0
    while IFS='|' read -r expected code; do
        say "$code" >"$file"
        result=$(check_tap "" "$file" | tail -n 1)
        read -r result <<<"$result"
        if [ "$result" = "$expected" ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            say "$code: $result, not $expected"
        fi
    done <<'END'
2 passed, 0 failed|print "ok 1\nok 2\n1..2\n"
1 passed, 1 failed|print "ok 1\nnot ok 2\n1..2\n"; exit 1
1 passed, 0 failed|print "ok 1 # SKIP no pg_cron\nok 2\n1..2\n"
skipped|print "ok 1 # SKIP no pg_cron\n1..1\n"
skipped|print "1..0 # SKIP needs /proc\n"
0 passed, 1 failed|die "early\n"
END
    tally test/check.sh "$passed" "$failed"
}

# Without shellcheck this is skipped.  SC2119 warns of functions that are called
# without their optional arguments.
shell_test() {
    local scripts
    selected shellcheck || return 0
    if ! command -v shellcheck >/dev/null; then
        printf '%-44s skipped\n' shellcheck
        return 0
    fi
    mapfile -t scripts < <(grep -lrE '^#!/bin/(ba)?sh|^# shellcheck shell=' \
        --exclude='*.p[lm]' .)
    check shellcheck shellcheck -x -e SC2119 "${scripts[@]}" || true
}

# Without clang-tidy this is skipped.
tidy_test() {
    selected clang-tidy || return 0
    if ! command -v clang-tidy >/dev/null; then
        printf '%-44s skipped\n' clang-tidy
        return 0
    fi
    check clang-tidy env "PG_CONFIG=$PG_BIN/pg_config" test/analyze.sh tidy || true
}

# The layers of src/, and that the check finds violations.
layers_test() {
    local bad=$WORK/layers
    selected layers || return 0
    check "layers of src" test/lib/layers.sh || true
    run cp -r src "$bad"
    run sh -c "echo '#include \"fdw/scan.h\"' >>'$bad/http/mux.c'
               echo '#include \"postgres_like.h\"' >>'$bad/http/url.h'
               echo '#include \"options/naming.h\"' >>'$bad/row/row.h'"
    check "... which finds an include upwards" sh -c \
        "! test/lib/layers.sh '$bad' >'$bad.log' &&
         grep -q 'http/mux.c:[0-9]*: http/ may not include fdw/scan.h' '$bad.log' &&
         [ \$(grep -c : '$bad.log') = 1 ]" || true
    run sh -c "echo '#include \"row/row.h\"' >>'$bad/row/row_reader.h'"
    check "... and a circle" sh -c \
        "test/lib/layers.sh '$bad' | grep -q 'row/row.h: includes itself\|row/row_reader.h: includes itself'" || true
    check "versions of PostgreSQL only in compat.h" \
        test/lib/versions.sh || true
    run sh -c "echo '#if PG_VERSION_NUM >= 190000' >>'$bad/http/mux.c'"
    check "... which finds one elsewhere" sh -c \
        "test/lib/versions.sh '$bad' | grep -q 'http/mux.c:[0-9]*: .*compat.h'" || true
}

# --- programs and servers ----------------------------------------------------

# The parts of the documentation that follow from the sources are up to date.
manual_test() {
    ! selected doc/internals.md ||
        check "doc/internals.md" test/lib/files.sh || true
    selected doc/reference.md || return 0
    check "doc/reference.md" env "PG_CONFIG=$PG_BIN/pg_config" \
        doc/generate.sh --check || true
}

# All inputs of the corpus, and new ones for a few seconds.  test/fuzz.sh runs
# longer.
fuzz_tests() {
    local target targets=()
    for target in json_reader csv_reader json_walk options row; do
        ! selected "test/fuzz/$target" || targets+=("$target")
    done
    [ ${#targets[@]} != 0 ] || return 0
    export PG_BIN
    check "build test/fuzz" test/lib/fuzz.sh build || return 0
    check "test/fuzz/corpus.py" test/lib/fuzz.sh seeds || return 0
    for target in "${targets[@]}"; do
        check "test/fuzz/$target" test/lib/fuzz.sh run "$target" -seed=1 \
            -runs=30000 -max_total_time=4 || true
    done
}

simulator_tests() {
    local log=$WORK/unittest.log ran bad
    selected test/simulator && found 'test/simulator/test_*.py' || return 0
    run_logged "$log" timeout -k 10 "$LIMIT" /usr/bin/env python3 -m unittest \
        discover -s test/simulator -p 'test_*.py' || tail -n 60 "$log"
    ran=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} .*/\1/p' "$log")
    bad=$(sed -n 's/^FAILED (\(.*\))$/\1/p' "$log" | tr ',' '\n' |
          awk -F= '/failures|errors|unexpected/ { n += $2 } END { print n + 0 }')
    # Errors outside of tests count, too.
    tally "test/simulator" "$((ran > bad ? ran - bad : 0))" "$bad"
}

regression_tests() {
    local log=$WORK/regress.log file tests='' passed failed status=0
    for file in sql/*.sql; do
        file=${file%.sql}
        ! selected "$file" || tests+=" ${file#sql/}"
    done
    [ -n "$tests" ] || return 0
    start_simulator --employees 500 --today 2026-11-24 --rate-limit 100000
    start_cluster autovacuum=off log_min_messages=debug5 log_statement=none \
        logging_collector=on "log_directory=$WORK" log_filename=server.log
    run_logged "$log" timeout -k 10 "$LIMIT" make -s with_llvm=no \
        "PG_CONFIG=$PG_BIN/pg_config" "REGRESS=$tests" installcheck || status=$?
    # "test people ... ok 12 ms" in PostgreSQL 15, TAP since 16
    passed=$(grep -c -E '^(test .*\.\.\. ok|ok [0-9])' "$log" || true)
    failed=$(grep -c -E '^(test .*\.\.\. FAILED|not ok [0-9])' "$log" || true)
    if [ "$status" != 0 ] && [ -n "${HIBOB_ROWS_ONLY:-}" ]; then
        # shellcheck disable=SC2086  # a list of words
        read -r passed failed < <(count_rows $tests)
    elif [ "$status" != 0 ]; then
        [ "$failed" != 0 ] || failed=1
        cat "$log"
        [ ! -f regression.diffs ] || head -n 400 regression.diffs
    fi
    tally "sql" "$passed" "$failed"
    assertions_test "$WORK/server.log"
    secrets_test "$WORK/server.log"
}

# Prints how many tests have the expected rows, and differences to stderr.
count_rows() {
    local name passed=0
    for name in "$@"; do
        ! test/lib/compare_rows.sh {expected,results}/"$name.out" >&2 ||
            passed=$((passed + 1))
    done
    say "$passed $(($# - passed))"
}

# Only a server that is built with assertions prints such lines.
assertions_test() {
    if grep 'TRAP: ' "$1"; then tally "no failed assertion in sql" 0 1; fi
}

# The TAP tests check the logs of their servers themselves.
secrets_test() {
    local log=$1
    if grep -q 'DEBUG:  ' "$log" && ! grep -q 's3cret-canary-token' "$log"; then
        tally "no token in the log of sql" 1 0
    else
        tally "no token in the log of sql" 0 1
    fi
}

# The clusters of TAP tests are copies of this one.  Without it they use initdb.
make_template() {
    export INITDB_TEMPLATE=$WORK/template
    run_logged "$WORK/initdb.log" "$PG_BIN/initdb" -D "$INITDB_TEMPLATE" \
        -A trust -N || unset INITDB_TEMPLATE
}

# Each TAP test starts its own servers with PostgreSQL::Test::Cluster.
tap_tests() {
    local pgxs file
    found 'test/t/*.pl' || return 0
    pgxs=$(dirname "$("$PG_BIN/pg_config" --pgxs)")/../..
    export PERL5LIB="$pgxs/src/test/perl:$PWD/test/lib:$PWD/test/t${PERL5LIB:+:$PERL5LIB}"
    export PG_REGRESS="$pgxs/src/test/regress/pg_regress" PATH="$SERVER_BIN:$PG_BIN:$PATH"
    export TESTDIR=$PWD TESTDATADIR=$PWD/tmp_check TESTLOGDIR=$PWD/tmp_check/log
    export PG_TEST_PORT_DIR=$WORK/tmp/ports
    unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE
    make_template
    for file in test/t/*.pl; do
        selected "$file" || continue
        [ ${#WORKERS[@]} -lt "$JOBS" ] || finish_tap_file
        start_tap_file "$file"
    done
    while [ ${#WORKERS[@]} != 0 ]; do finish_tap_file; done
}

declare -A OUTPUTS=()   # of running TAP files, by process ID

start_tap_file() {
    local output=$WORK/${1//\//_}.out
    (
        become_worker
        check_tap "$1" "$1"
    ) >"$output" 2>&1 &
    WORKERS+=("$!")
    OUTPUTS[$!]=$output
}

# Waits until one of the TAP files has ended, prints its lines and adds its numbers.
finish_tap_file() {
    local ended worker output passed=0 failed=0 others=()
    wait -n -p ended "${WORKERS[@]}" || true
    for worker in "${WORKERS[@]}"; do
        [ "$worker" = "$ended" ] || others+=("$worker")
    done
    WORKERS=("${others[@]}")
    output=${OUTPUTS[$ended]}
    cat "$output"
    if ! grep -q ' skipped$' <(tail -n 1 "$output"); then
        read -r passed failed < <(tail -n 1 "$output" | sed -n \
            's/^.* \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p') || failed=1
    fi
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
}

summary() {
    local name
    for name in "${!UNKNOWN[@]}"; do tally "no test has the name $name" 0 1; done
    say "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

if [ "${1:-}" = --packages ]; then
    install_all
    exit
fi
prepare
builds
harness_test
shell_test
tidy_test
layers_test
unit_tests
fuzz_tests
manual_test
simulator_tests
if install_extension; then
    regression_tests
    tap_tests
else
    tally "install" 0 1
fi
summary
