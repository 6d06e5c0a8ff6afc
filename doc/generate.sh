#!/bin/bash
# Writes the part of doc/reference.md that describes the resource table; with
# --check it only reports whether that part is up to date.
#
#   doc/generate.sh [--check]
#
# Needs a C compiler (CC) and the server's headers (PG_CONFIG).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PAGE=doc/reference.md
BEGIN='<!-- The resource table begins; doc/generate.sh writes what follows. -->'
END='<!-- The resource table ends. -->'

case $# in
    0) MODE="write" ;;
    *) [ "$*" = --check ] || { echo "usage: $0 [--check]" >&2; exit 2; }
       MODE="check" ;;
esac

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

"${CC:-gcc}" -O1 -Wall -Wextra -Wno-unused-parameter -D_GNU_SOURCE \
    -Isrc \
    -isystem "$("${PG_CONFIG:-pg_config}" --includedir-server)" \
    -o "$WORK/print_resources" test/resources/print_resources.c src/resources/*.c
"$WORK/print_resources" >"$WORK/part"

# Each marker is there once, or nothing may be replaced.
for marker in "$BEGIN" "$END"; do
    [ "$(grep -c -x -F -e "$marker" "$PAGE")" = 1 ] || {
        echo "$PAGE does not have this line, once: $marker" >&2
        exit 1
    }
done

awk -v begin="$BEGIN" -v end="$END" -v part="$WORK/part" '
    $0 == end { inside = 0; print "" }
    !inside { print }
    $0 == begin {
        print ""
        while ((getline line <part) > 0) print line
        inside = 1
    }' "$PAGE" >"$WORK/page"

if [ "$MODE" = write ]; then
    cat "$WORK/page" >"$PAGE"
elif ! diff -u --label "$PAGE" --label "$PAGE by the resource table" \
    "$PAGE" "$WORK/page"; then
    echo "$PAGE does not match src/resources/*.c: run doc/generate.sh" >&2
    exit 1
fi
