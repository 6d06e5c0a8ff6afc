#!/bin/bash
# Checks that doc/internals.md describes each module of src/, in the words of its
# head, and nothing else, and that the functions that the page names occur in the
# sources.  Prints the differences; with --write it corrects the list of modules.
#
#   test/lib/files.sh [--write]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PAGE=doc/internals.md
BEGIN='<!-- The files begin. -->'
END='<!-- The files end. -->'

# The layers in the order of layers.sh; a header without a source file counts.
describe() {
    local layers layer file
    read -ra layers < <(sed -n 's/^LAYERS=(\. \(.*\))$/\1/p' test/lib/layers.sh)
    for layer in "${layers[@]}"; do
        printf '\n### %s/\n\n' "$layer"
        for file in "src/$layer"/*.[ch]; do
            [[ $file == *.c || ! -e ${file%h}c ]] || continue
            # The first paragraph of the head.
            awk -v name="${file##*/}" 'NR > 2 && /^ \*\t\t/ {
                     sub(/^ \*\t\t/, "")
                     text = text " " $0
                     next
                 }
                 NR > 2 { exit }
                 END { sub(/\.$/, "", text); print "* `" name "`:" text "." }
                 ' "$file" | fold -s -w 79 | sed 's/ $//; 2,$s/^/  /'
        done
    done
    echo
}

awk -v begin="$BEGIN" -v end="$END" '
    $0 == end { inside = 0 }
    !inside { print }
    $0 == begin {
        inside = 1
        while ((getline line <"/dev/stdin") > 0) print line
    }' "$PAGE" < <(describe) >"$PAGE.new"
trap 'rm -f "$PAGE.new"' EXIT
if [ "${1:-}" = --write ]; then
    cat "$PAGE.new" >"$PAGE"
elif ! diff -u "$PAGE" "$PAGE.new"; then
    echo "$PAGE does not describe src/: run test/lib/files.sh --write" >&2
    exit 1
fi

missing=0
while read -r name; do
    grep -rqw -- "$name" src ./*.sql || {
        echo "$PAGE names a function that does not exist: $name()" >&2
        missing=1
    }
done < <(grep -oE '\b[A-Za-z_0-9]+\(\)' "$PAGE" | tr -d '()' | sort -u)
exit "$missing"
