#!/bin/bash
# Runs test/check.sh on every PostgreSQL that Debian has: in a Debian system
# each, which debootstrap makes in a folder of its own.  Needs Debian or
# Ubuntu, root, and, for what is not there yet, apt's network.
#
#   test/matrix.sh [OPTION]... [VERSION]... [-- TEST...]
#
#   VERSION           15, 17, 18, 19: all of them unless some are named
#   TEST              as for test/check.sh: all of them unless some are named;
#                     optional packages are only for all of them
#   --cache FOLDER    where the systems are kept (2 GB);
#                     ${XDG_CACHE_HOME:-~/.cache}/hibob_fdw if not said
#   --fresh           makes them anew
#   --until SECONDS   begins no version after that time; and one that cannot
#                     be had is left out, which is no failure then
#
# The variables HIBOB_TEST_... of the tests reach them.  The directory that
# HIBOB_TEST_REPORTS names gets one a version.
#
# A system is used as debootstrap and apt-get left it: a run happens in a copy
# in memory, without a network, with processes and mounts of its own.  The last
# line says how many tests passed and failed on all of them.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"
# shellcheck source=test/lib/systems.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/systems.sh"

VERSIONS=()
TESTS=()
UNTIL=
PASSED=0
FAILED=0

arguments() {
    while [ $# != 0 ]; do
        case $1 in
            --cache) CACHE=${2:?--cache needs a folder}; shift ;;
            --fresh) FRESH=yes ;;
            --until) UNTIL=${2:?--until needs seconds}; shift ;;
            --) shift; TESTS=("$@"); break ;;
            [0-9]*) VERSIONS+=("$1") ;;
            *) die "what is $1? Its first lines say how this is used" ;;
        esac
        shift
    done
    [ ${#TESTS[@]} = 0 ] || OPTIONAL=no
    [ ${#VERSIONS[@]} != 0 ] || read -ra VERSIONS <<<"$(all_versions)"
}

# A line of the result; a version without a number of tests has failed, or,
# with --until, was left out.
row() {
    printf 'PostgreSQL %-3s %-9s %s\n' "$1" "$(release_of "$1")" "$2"
}

not_run() {
    if [ -n "$UNTIL" ]; then
        row "$1" "skipped: $2"
    else
        row "$1" "failed: $2"
        FAILED=$((FAILED + 1))
    fi
}

in_time() { [ -z "$UNTIL" ] || [ "$SECONDS" -lt "$UNTIL" ]; }

check_version() {
    local version=$1 log=$LOGS/check-$1.log passed failed
    in_time || { not_run "$version" "no time left"; return; }
    make_system "$version" || { not_run "$version" "$SYSTEM_ERROR"; return; }
    in_time || { not_run "$version" "no time left"; return; }
    test_variables "$version"
    # A failure shows in its last line, or in that there is none.
    in_system "$version" --bind "$SOURCE" /src "${SHARED[@]}" /usr/bin/env \
        "HIBOB_PG_VERSION=$version" HIBOB_OPTIONAL=no "${VARIABLES[@]}" \
        /src/test/check.sh "${TESTS[@]}" >"$log" 2>&1 || true
    if read -r passed failed < <(counts "$log"); then
        PASSED=$((PASSED + passed))
        FAILED=$((FAILED + failed))
        row "$version" "$(system_facts "$version")  $passed passed, $failed failed"
    else
        failed=1
        FAILED=$((FAILED + 1))
        row "$version" "failed: test/check.sh did not come to its end"
    fi
    [ "$failed" = 0 ] || { say "$log:"; tail -n 200 "$log"; }
}

# What the environment says to the tests, as they have to hear it in there.
test_variables() {
    local name reports
    VARIABLES=()
    SHARED=()
    while read -r name; do
        VARIABLES+=("$name=${!name}")
    done < <(compgen -e HIBOB_TEST_ || true)
    [ -n "${HIBOB_TEST_REPORTS:-}" ] || return 0
    reports=$HIBOB_TEST_REPORTS/$1
    mkdir -p "$reports"
    chmod 1777 "$reports"
    SHARED=(--share "$(realpath "$reports")" /reports)
    VARIABLES+=(HIBOB_TEST_REPORTS=/reports)
}

# "passed failed" of the last line of test/check.sh.
counts() {
    tail -n 1 "$1" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' |
        grep .
}

arguments "$@"
[ -z "$UNTIL" ] || is_root || {
    for version in "${VERSIONS[@]}"; do
        not_run "$version" "debootstrap and chroot need root"
    done
    say "0 passed, 0 failed"
    exit
}
prepare_systems
for version in "${VERSIONS[@]}"; do
    check_version "$version"
done
say "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
