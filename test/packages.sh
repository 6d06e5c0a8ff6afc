#!/bin/bash
# Builds the Debian packages in a Debian system for each PostgreSQL version, and
# tests them: lintian, autopkgtest, a second build that has to give the same bytes,
# an installation in an empty system, and pg_upgrade and pg_dump from each version
# to the later ones.  Has the requirements of test/matrix.sh, and needs network
# access for apt each time.
#
#   test/packages.sh [OPTION]... [VERSION]...
#
#   VERSION           15, 17, 18, 19; all of them by default
#   --cache FOLDER    as for test/matrix.sh; the packages are in its
#                     subdirectories packages-VERSION
#   --fresh           as for test/matrix.sh
#   --quick           without the regression tests, which test/matrix.sh runs
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"
# shellcheck source=test/lib/systems.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/systems.sh"

VERSIONS=()
QUICK=
PASSED=0
FAILED=0

arguments() {
    while [ $# != 0 ]; do
        case $1 in
            --cache) CACHE=${2:?--cache needs a folder}; shift ;;
            --fresh) FRESH=yes ;;
            --quick) QUICK=quick ;;
            [0-9]*) VERSIONS+=("$1") ;;
            *) die "what is $1? Its first lines say how this is used" ;;
        esac
        shift
    done
    [ ${#VERSIONS[@]} != 0 ] || read -ra VERSIONS <<<"$(all_versions)"
    # Upgrades go from an earlier version in the list to a later one.
    mapfile -t VERSIONS < <(printf '%s\n' "${VERSIONS[@]}" | sort -nu)
}

packages_of() { say "$CACHE/packages-$1"; }

# Runs a step and shows its output.
check() {
    local name=$1
    shift
    say "=== $name"
    if "$@"; then
        PASSED=$((PASSED + 1))
    else
        say "=== $name: failed"
        FAILED=$((FAILED + 1))
        return 1
    fi
}

base() {
    make_base "$1" || { say "$SYSTEM_ERROR"; return 1; }
}

build_packages() {
    rm -rf "$(packages_of "$1")"
    mkdir -p "$(packages_of "$1")"
    in_base "$1" --network --bind "$SOURCE" /src \
        --share "$(packages_of "$1")" /out \
        /src/test/packages/build.sh "$1" "$QUICK"
}

# The simulator runs outside of the system, which needs no Python.
with_simulator() { run "$SOURCE/test/with_simulator.sh" "$@"; }

try_package() {
    # shellcheck disable=SC2016  # expanded inside
    with_simulator sh -c '"$@" "HIBOB_SIM_URL=$HIBOB_SIM_URL" \
        /src/test/packages/try.sh '"$1" sh "$SOURCE/test/lib/in_system.sh" \
        --network --bind "$SOURCE" /src --bind "$(packages_of "$1")" /out \
        "$(base_of "$1")" /usr/bin/env
}

# 17.12 writes options to the catalog for every column of a table that pg_upgrade
# and pg_dump of 18.6 and 19 rc1 do not understand.
method() {
    case "$1 $2" in
        "17 18" | "17 19") say dump ;;
        *) say pg_upgrade ;;
    esac
}

# pg_upgrade and pg_dump from one version to another.
upgrade() {
    # shellcheck disable=SC2016  # expanded inside
    with_simulator sh -c '"$@" "HIBOB_SIM_URL=$HIBOB_SIM_URL" \
        /src/test/packages/upgrade.sh '"$1 $2 $(release_of "$1") $(method "$1" "$2")" \
        sh "$SOURCE/test/lib/in_system.sh" \
        --network --bind "$SOURCE" /src --bind "$(packages_of "$1")" /old \
        --bind "$(packages_of "$2")" /new "$(base_of "$2")" /usr/bin/env
}

arguments "$@"
prepare_systems
built=()
for version in "${VERSIONS[@]}"; do
    check "PostgreSQL $version: a system" base "$version" || continue
    check "PostgreSQL $version: packages" build_packages "$version" || continue
    check "PostgreSQL $version: installed in an empty system" \
        try_package "$version" || continue
    for older in "${built[@]}"; do
        check "from PostgreSQL $older to $version, $(method "$older" "$version")" \
            upgrade "$older" "$version" || true
    done
    built+=("$version")
done
say "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
