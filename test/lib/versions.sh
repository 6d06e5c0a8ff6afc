#!/bin/bash
# Checks that only compat.h depends on the version of PostgreSQL.  Prints each
# offending line and fails.
#
#   test/lib/versions.sh [DIRECTORY]    the tree's src/, or another one
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../../src}"

! grep -rnE --include='*.[ch]' --exclude=compat.h \
    '\<(PG_VERSION_NUM|PG_MAJORVERSION|PG_MAJORVERSION_NUM|CATALOG_VERSION_NO)\>' . |
    sed 's|^\./||; s|:\([0-9]*\):.*|:\1: version differences belong in compat.h|' |
    grep .
