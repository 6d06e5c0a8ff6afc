#!/bin/bash
# Compares the output of a regression test with the expected output.  It ignores
# what depends on cached results and learned row counts: lines about requests,
# costs, and the number of lines and the width of a result.
#
#   test/lib/compare_rows.sh EXPECTED RESULT
#
# A server with debug_discard_caches drops cached results and learned row counts
# all the time.  A query then makes more requests, but returns the same rows.
set -euo pipefail

rows() {
    sed -E '/^ *([0-9]+ )?(GET|POST) \//d; /^ *"?HiBob /d; s/\(cost=[^)]*\)//
            /^-+(\+-+)*$/d; /^\([0-9]+ rows?\)$/d; s/ +/ /g; s/ $//' "$1"
}

diff -u <(rows "$1") <(rows "$2")
