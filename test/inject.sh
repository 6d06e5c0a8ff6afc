#!/bin/bash
# Failure injection for longer than in continuous integration: see
# test/t/failure_injection.pl.  Needs Debian and, the first time, root.
#
#   test/inject.sh [MINUTES [SEED]]    ten minutes, a seed of its own
set -euo pipefail
export HIBOB_INJECT_SECONDS=$((${1:-10} * 60))
export HIBOB_TEST_LIMIT=$((HIBOB_INJECT_SECONDS + 300))
[ $# -lt 2 ] || export HIBOB_INJECT_SEED=$2
exec "$(dirname "${BASH_SOURCE[0]}")/check.sh" t/failure_injection
