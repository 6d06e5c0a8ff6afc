#!/bin/bash
# Runs static analyzers over src/, and fails if one of them finds something.
#
#   test/analyze.sh [ANALYZER]...
#
#   tidy     clang-tidy with the checks of .clang-tidy; test/check.sh runs this
#   clang    clang's static analyzer, which is part of clang-tidy
#   gcc      gcc's -fanalyzer
#
# All three by default, which takes some minutes.  PG_CONFIG is the server's
# program, by default that of PostgreSQL 15.  A false finding is suppressed, with
# the reason, here or beside the code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
# The analyzers believe assertions.
ASSERTIONS=-DUSE_ASSERT_CHECKING
# Without advice on functions of C11 that glibc lacks, against each strcpy(), and on
# the order of the members of structures.
CLANG_CHECKS="-*,clang-analyzer-*,-clang-analyzer-optin.performance.Padding,\
-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,\
-clang-analyzer-security.insecureAPI.strcpy"
STATUS=0
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT

# make [ARGUMENT...], with the Makefile's flags for a compiler
make_with() {
    make -s --no-print-directory with_llvm=no "CC=$1" "PG_CONFIG=$PG_CONFIG" "${@:2}"
}

# clang_tidy [OPTION...]
clang_tidy() {
    local flags
    # shellcheck disable=SC2016  # make expands this
    flags="$(make_with clang --eval \
        'flags: ; $(info $(CPPFLAGS) $(CFLAGS)) @:' flags) $ASSERTIONS"
    eval "flags=($flags)"
    printf '%s\0' src/*.c src/*/*.c |
        xargs -0 -P "$(nproc)" -I '{}' \
            clang-tidy --quiet "$@" '{}' -- "${flags[@]}" 2>&1 |
        sed -u '/^[0-9]* warnings\{0,1\} .*generated\.$/d'
}

# After optimization it has false findings of uninitialized values.
gcc_analyzer() {
    make_with gcc -k -j "$(nproc)" -C "$FOLDER" -f "$PWD/Makefile" "VPATH=$PWD" \
        WERROR=-Werror "HIBOB_CFLAGS=-fanalyzer -O1 $ASSERTIONS" 2>&1
}

analyze() {
    case $1 in
        tidy) clang_tidy ;;
        clang) clang_tidy "--checks=$CLANG_CHECKS" ;;
        gcc) gcc_analyzer ;;
        *) echo "no analyzer has the name $1" >&2; return 1 ;;
    esac
}

[ $# != 0 ] || set -- tidy clang gcc
for analyzer in "$@"; do
    analyze "$analyzer" || STATUS=1
done
exit "$STATUS"
