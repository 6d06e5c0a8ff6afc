#!/bin/bash
# Runs the unit, regression and TAP tests, or the tests that are named as for
# test/check.sh, with AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   test/sanitize.sh [NAME...]
#
# Any report is a failure, even if all tests pass.  Leaks are not checked, since a
# server does not free all memory before it ends; test/valgrind.sh checks the
# allocations of the extension and its libraries.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=test/lib/reports.sh
. test/lib/reports.sh
install_compiler

gcc -shared -fPIC -fno-builtin -Wl,-z,initfirst -o "$REPORTS/asan_first.so" \
    test/lib/asan_first.c
library=$(readlink -f "$(gcc -print-file-name=libasan.so)")

# gcc has false warnings with the instrumentation.
export HIBOB_CFLAGS="-fsanitize=address,undefined -fno-omit-frame-pointer -O1 -Wno-maybe-uninitialized"
# Some tests preload libraries, too.
export HIBOB_SERVER_PREFIX="env \
LD_PRELOAD=$library:$REPORTS/asan_first.so\${LD_PRELOAD:+:\$LD_PRELOAD} \
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=1:log_path=$REPORTS/address \
UBSAN_OPTIONS=print_stacktrace=1:log_path=$REPORTS/undefined"
export HIBOB_TEST_SLOWNESS=${HIBOB_TEST_SLOWNESS:-4} HIBOB_TEST_LIMIT=${HIBOB_TEST_LIMIT:-900}
[ $# != 0 ] || set -- test/unit sql test/t/
check_with_reports "$@"
