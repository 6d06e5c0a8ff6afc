#!/bin/bash
# Writes what psql prints below the blocks of README, the manual and the recipes,
# where it differs from the page.  Read the changes before you commit them.  It
# runs test/t/documentation.pl with test/check.sh, and needs what that needs.
set -euo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pages=$(mktemp -d "${TMPDIR:-/tmp}/hibob_fdw.XXXXXX")
trap 'rm -rf "$pages"' EXIT
# The tests run as another user.
chmod 1777 "$pages"

HIBOB_DOC_OUTPUT=$pages "$tree/test/check.sh" t/documentation.pl || true
for page in "$pages"/*; do
    name=${page##*/}
    name=$tree/${name//+//}
    cmp -s "$page" "$name" || { cat "$page" >"$name" && echo "$name"; }
done
