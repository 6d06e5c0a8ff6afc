#!/bin/bash
# Runs tests on a PostgreSQL server that is built with assertions, from Debian's
# source package, in a Debian system of its own.  Needs what test/matrix.sh needs;
# the first run builds the server, in ten minutes.
#
#   test/assertions.sh [--cache FOLDER] [--fresh] [TEST...]
#
# The options are those of test/matrix.sh.  There are two runs:
#
# * The tests that are named as for test/check.sh, by default the regression tests
#   and some TAP files, with debug_parallel_query, and with each query, plan and
#   raw parse tree copied, written and read.
# * If no test is named, some regression tests with debug_discard_caches.  They
#   compare rows only: cached results and learned row counts are dropped all the
#   time, so that a query makes more requests.  This takes an hour.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"
# shellcheck source=test/lib/systems.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/systems.sh"

VERSION=18
DEFAULT_TESTS=(sql t/async_append t/bulk_tables t/employee_id_condition
    t/named_lists t/paging t/people_batches t/people_field_split
    t/per_employee_tables t/status)
VERSIONS=("$VERSION")
TESTS=()
OPTIONAL=no
SYSTEM_KIND=.assertions
PASSED=0
FAILED=0

arguments() {
    while [ $# != 0 ]; do
        case $1 in
            --cache) CACHE=${2:?--cache needs a folder}; shift ;;
            --fresh) FRESH=yes ;;
            -*) die "what is $1? Its first lines say how this is used" ;;
            *) TESTS+=("$1") ;;
        esac
        shift
    done
}

make_server() {
    local log=$LOGS/assertions.log
    make_system "$VERSION" || die "$SYSTEM_ERROR"
    # An update of the package replaces the server.
    ! in_system "$VERSION" /bin/sh -c \
        "/usr/lib/postgresql/$VERSION/bin/pg_config --configure | grep -q cassert" ||
        return 0
    say "Building PostgreSQL $VERSION with assertions"
    in_system "$VERSION" --keep --network --bind "$SOURCE" /src \
        /src/test/lib/build_server.sh "$VERSION" >"$log" 2>&1 ||
        die "the server could not be built: $(last_words "$log"); see $log"
}

# run_tests NAME=VALUE[,NAME=VALUE...] TEST...
run_tests() {
    local log=$LOGS/check-$VERSION$SYSTEM_KIND.log with=$1 passed failed
    shift
    say "$with:"
    # Without a restart, a crash ends the test.
    in_system "$VERSION" --bind "$SOURCE" /src /usr/bin/env \
        "HIBOB_PG_VERSION=$VERSION" HIBOB_OPTIONAL=no HIBOB_TEST_SLOWNESS=10 \
        HIBOB_TEST_LIMIT=7200 "HIBOB_ROWS_ONLY=${HIBOB_ROWS_ONLY:-}" \
        "HIBOB_SERVER_PREFIX=sh -c 'exec \"\$@\" -c \
restart_after_crash=off -c ${with//,/ -c }' sh" \
        /src/test/check.sh "$@" 2>&1 | tee "$log" | sed -u '$d' || true
    read -r passed failed < <(counts "$log") || { passed=0; failed=1; }
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
}

arguments "$@"
prepare_systems
make_server
run_tests debug_parallel_query=regress,debug_copy_parse_plan_trees=on,\
debug_write_read_parse_plan_trees=on,debug_raw_expression_coverage_test=on \
    "${TESTS[@]:-${DEFAULT_TESTS[@]}}"
[ ${#TESTS[@]} != 0 ] || HIBOB_ROWS_ONLY=yes run_tests debug_discard_caches=1 \
    sql/people sql/pushdown sql/cache sql/plans
say "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
