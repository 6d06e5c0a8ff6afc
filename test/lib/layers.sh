#!/bin/bash
# Checks the layers of src/.  A folder includes headers only from itself and
# from folders below it, and always by the path below src/.  Prints each
# offending line and fails, or prints how many levels of headers there are.
#
#   test/lib/layers.sh [DIRECTORY]    the tree's src/, or another one
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../../src}"

# From the top down, as in doc/internals.md.  compat.h hides the differences
# between PostgreSQL's versions: every folder that knows PostgreSQL may use it.
LAYERS=(. fdw functions remote row session options resources reader http)
# The longest chain of our headers that a file may include.
MAX_LEVELS=10

find . -name '*.[ch]' -print0 | sort -z | xargs -0 grep -nH '^#include "' |
    awk -v layers="${LAYERS[*]}" -v max_levels="$MAX_LEVELS" '
    # "./a.c" is in the folder "."
    function folder(path) {
        sub(/^\.\//, "", path)
        return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "."
    }
    function is_ours(path,    dir) {
        dir = folder(path)
        return dir in rank && (dir != "." || (path in file))
    }
    # The chain from a file down; a circle has no end.
    function level(path,    i, n, deepest, parts) {
        if (path in levels) {
            if (levels[path] == 0) {
                print path ": includes itself, by way of others"
                failed = 1
            }
            return levels[path]
        }
        levels[path] = 0
        deepest = 0
        n = split(includes[path], parts, " ")
        for (i = 1; i <= n; i++)
            if (level(parts[i]) > deepest) deepest = levels[parts[i]]
        return levels[path] = deepest + 1
    }
    BEGIN {
        n = split(layers, names, " ")
        for (i = 1; i <= n; i++) rank[names[i]] = i
        file["compat.h"] = 1
    }
    {
        match($0, /:[0-9]+:/)
        path = substr($0, 3, RSTART - 3)
        where = path ":" substr($0, RSTART + 1, RLENGTH - 2)
        split($0, quoted, "\"")
        target = quoted[2]
        from = folder(path)
        if (!(from in rank)) {
            print where ": a folder that is not a layer"
            failed = 1
        }
        # A file of our own by its name alone
        if (target !~ /\// && target != "compat.h" &&
            system("test -e \"" (from == "." ? "" : from "/") target "\"") == 0) {
            print where ": not by its path below src/: " target
            failed = 1
        }
        if (!is_ours(target)) next
        if (target != "compat.h" && rank[folder(target)] < rank[from]) {
            print where ": " from "/ may not include " target
            failed = 1
        }
        if (target == "compat.h" && from == "reader") {
            print where ": reader/ knows nothing of PostgreSQL"
            failed = 1
        }
        includes[path] = includes[path] " " target
    }
    END {
        for (path in includes)
            if (level(path) > deepest_level) deepest_level = levels[path]
        if (deepest_level > max_levels) {
            print deepest_level " levels of headers, at most " max_levels
            failed = 1
        }
        print deepest_level " levels"
        exit failed
    }'
