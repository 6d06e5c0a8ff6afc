#!/bin/bash
# Runs test/t/failure_injection.pl for longer than continuous integration does.
# Needs Debian and, the first time, root.
#
#   test/inject.sh [MINUTES [SEED]]    by default ten minutes and a random seed
set -euo pipefail
export HIBOB_INJECT_SECONDS=$((${1:-10} * 60))
export HIBOB_TEST_LIMIT=$((HIBOB_INJECT_SECONDS + 300))
[ $# -lt 2 ] || export HIBOB_INJECT_SEED=$2
exec "$(dirname "${BASH_SOURCE[0]}")/check.sh" t/failure_injection
