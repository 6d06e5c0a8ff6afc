#!/bin/bash
# The readers' unit tests, the regression tests and the memory test, or those
# that are named as for test/check.sh, under valgrind.
#
#   test/valgrind.sh [NAME...]
#
# It looks for invalid memory, for what depends on memory that was never set,
# and at the end of each process for memory that is lost: of a server what the
# extension and its libraries have allocated themselves.  What PostgreSQL itself
# leaves is in test/lib/valgrind.supp.  Takes half an hour.
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
