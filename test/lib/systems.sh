# shellcheck shell=bash
# Debian systems in a folder, a PostgreSQL version each, for test/matrix.sh and
# test/packages.sh.  Sourced after setup.sh.
#
#   prepare_systems          what it takes; sets LOGS
#   make_system VERSION      so that the system is there, with all packages
#                            that the tests need; or sets SYSTEM_ERROR
#   in_system VERSION [OPTION...] COMMAND...   see in_system.sh
#   system_facts VERSION     versions of what the extension is built with
#
# The mirror and how it is reached are those of this machine's apt.

CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/hibob_fdw
FRESH=
LOGS=
SYSTEM_ERROR=

# Debian's releases, and the PostgreSQL of each.
all_versions() { say "15 17 18"; }

release_of() {
    case $1 in
        15) say bookworm ;;
        17) say trixie ;;
        18) say sid ;;
        *) die "no release of Debian has PostgreSQL $1; there are: $(all_versions)" ;;
    esac
}

system_of() { say "$CACHE/$(release_of "$1")"; }

prepare_systems() {
    local version
    is_root || die "this needs root, for debootstrap and chroot"
    for version in "${VERSIONS[@]}"; do
        release_of "$version" >/dev/null
    done
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    LOGS=$CACHE/log
    mkdir -p "$LOGS"
    # Two at once would make the same system.
    exec {CACHE_LOCK}>"$CACHE/lock"
    flock -n "$CACHE_LOCK" || {
        say "Waiting for another that uses $CACHE"
        flock "$CACHE_LOCK"
    }
}

make_system() {
    local version=$1 system log
    system=$(system_of "$version")
    log=$LOGS/system-$version.log
    if [ -n "$FRESH" ] || [ ! -d "$system" ]; then
        bootstrap "$version" >"$log" 2>&1 || {
            SYSTEM_ERROR="debootstrap could not make it: $(last_words "$log")"
            return 1
        }
    fi
    # The packages that the tests need today; none are missing next time.
    in_system "$version" --keep --network --bind "$SOURCE" /src /usr/bin/env \
        "HIBOB_PG_VERSION=$version" /bin/bash -c '
            set -euo pipefail
            . /src/test/lib/setup.sh
            install_packages
            install_optional_packages
            apt-get clean' >>"$log" 2>&1 || {
        SYSTEM_ERROR="apt-get could not fill it: $(last_words "$log")"
        return 1
    }
}

last_words() { grep -v '^ *$' "$1" | tail -n 1; }

bootstrap() {
    local version=$1 system mirror
    system=$(system_of "$version")
    command -v debootstrap >/dev/null || install_debootstrap
    mirror=$(apt_mirror)
    [ -n "$mirror" ] || { say "apt has no mirror of Debian"; return 1; }
    rm -rf --one-file-system "$system" "$system.new"
    say "Making $system of $mirror"
    # debootstrap mounts /proc: in namespaces, so that it cannot stay.
    run unshare --mount --pid --fork --kill-child /usr/bin/env \
        "http_proxy=$(apt_proxy http)" "https_proxy=$(apt_proxy https)" \
        debootstrap --variant=minbase "$(release_of "$version")" \
        "$system.new" "$mirror" || return 1
    # Its apt asks the way this one does.
    apt-config dump | grep -i -E '^Acquire::(https?::proxy|check-)' \
        >"$system.new/etc/apt/apt.conf.d/90hibob_fdw" || true
    mv "$system.new" "$system"
}

install_debootstrap() {
    DEBIAN_FRONTEND=noninteractive apt-get update &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends debootstrap </dev/null
}

# The address that apt has Debian's packages from.  What apt knows of labels
# comes with its lists.
apt_mirror() {
    local mirror
    mirror=$(debian_mirrors)
    if [ -z "$mirror" ]; then
        apt-get update >&2 </dev/null
        mirror=$(debian_mirrors)
    fi
    say "${mirror%%$'\n'*}"
}

# shellcheck disable=SC2016  # apt-get expands this
debian_mirrors() {
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Label: Debian' 2>/dev/null
}

apt_proxy() {
    local proxy
    eval "$(apt-config shell proxy "Acquire::$1::Proxy")"
    say "${proxy:-}"
}

in_system() {
    local version=$1
    shift
    local options=()
    while :; do
        case $1 in
            --bind) options+=("$1" "$2" "$3"); shift 3 ;;
            --*) options+=("$1"); shift ;;
            *) break ;;
        esac
    done
    run "$SOURCE/test/lib/in_system.sh" "${options[@]}" \
        "$(system_of "$version")" "$@"
}

# "15.20, libcurl 7.88.1, json-c 0.16, gcc 12.2.0"
system_facts() {
    local version=$1 facts
    # shellcheck disable=SC2016  # dpkg-query expands this
    facts=$(chroot "$(system_of "$version")" dpkg-query -W \
        -f '${Package} ${Version}\n' "postgresql-$version" \
        libcurl4-openssl-dev libjson-c-dev gcc 2>/dev/null |
        sed -e 's/ [0-9]*:/ /; s/[-+].*$//' -e 's/^postgresql-[0-9]* //' \
            -e 's/^libcurl4-openssl-dev/libcurl/; s/^libjson-c-dev/json-c/')
    say "$(printf '%s\n' "$facts" | sort -V | paste -sd, | sed 's/,/, /g')"
}
