#!/bin/bash
# Runs test/check.sh with all PostgreSQL versions that Debian has, each in its own
# Debian system, which debootstrap makes in a directory.  Needs Debian or Ubuntu,
# root, and network access for apt while a system is incomplete.
#
#   test/matrix.sh [OPTION]... [VERSION]... [-- TEST...]
#
#   VERSION           15, 17, 18, 19; all of them by default
#   TEST              as for test/check.sh; all of them by default.  Optional
#                     packages are installed only for all tests.
#   --cache FOLDER    the directory of the systems (2 GB), by default
#                     ${XDG_CACHE_HOME:-~/.cache}/hibob_fdw
#   --fresh           makes the systems again
#   --until SECONDS   starts no version after that time; a version whose system
#                     cannot be made is skipped, which is no failure then
#
# The tests get all variables HIBOB_TEST_...; the directory HIBOB_TEST_REPORTS
# gets a subdirectory for each version.
#
# A run does not change a system: it uses a copy in memory, without a network, in
# new namespaces for processes and mounts.  The last line has the total numbers
# of passed and failed tests.
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

# A line of the result.
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
    # The last line of the log shows failures.
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

# Sets VARIABLES and SHARED, to pass HIBOB_TEST_... variables to a system.
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
