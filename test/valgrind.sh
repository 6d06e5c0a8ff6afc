#!/bin/bash
# Runs the unit tests, the regression tests and t/memory, or the tests that are
# named as for test/check.sh, under valgrind.
#
#   test/valgrind.sh [NAME...]
#
# It reports invalid accesses, uses of uninitialized memory, and, at the end of
# each process, leaks; in a server those of the extension and its libraries.
# test/lib/valgrind.supp lists the leaks of PostgreSQL itself.  Takes half an
# hour.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=test/lib/reports.sh
. test/lib/reports.sh
install_compiler valgrind libc6-dbg

cp test/lib/valgrind.supp "$REPORTS/"
chmod 644 "$REPORTS/valgrind.supp"
valgrind="valgrind -q --leak-check=full --show-leak-kinds=definite \
--errors-for-leak-kinds=definite --num-callers=30 --gen-suppressions=all \
--suppressions=$REPORTS/valgrind.supp --log-file=$REPORTS/process.%p"

export HIBOB_CFLAGS=-g HIBOB_UNIT_PREFIX="$valgrind --error-exitcode=99"
export HIBOB_SERVER_PREFIX="$valgrind --freelist-vol=100000"
export HIBOB_TEST_SLOWNESS=${HIBOB_TEST_SLOWNESS:-40} HIBOB_TEST_LIMIT=${HIBOB_TEST_LIMIT:-3600}
[ $# != 0 ] || set -- test/unit sql t/memory
check_with_reports "$@"
