# shellcheck shell=bash
# Debian systems in directories, one for each PostgreSQL version, for
# test/matrix.sh, test/packages.sh and test/assertions.sh.  Sourced after setup.sh.
#
#   prepare_systems          must be called first; sets LOGS
#   make_base VERSION        makes a system without further packages, or sets
#                            SYSTEM_ERROR
#   make_system VERSION      makes a system with all packages of the tests, or
#                            with OPTIONAL=no only with those that they need; or
#                            sets SYSTEM_ERROR
#   in_base VERSION [OPTION...] COMMAND...     run a command in a system, with
#   in_system VERSION [OPTION...] COMMAND...   the options of in_system.sh
#   system_facts VERSION     prints versions of the libraries and the compiler
#   counts LOG               prints the numbers of passed and failed tests
#
# SYSTEM_KIND is a suffix of the directory of a system that is not the one of the
# matrix.
#
# They use the mirror and the proxy of this machine's apt.

CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/hibob_fdw
FRESH=
LOGS=
SYSTEM_ERROR=
SYSTEM_KIND=

# Debian's releases with their PostgreSQL versions.
all_versions() { say "15 17 18 19"; }

release_of() {
    case $1 in
        15) say bookworm ;;
        17) say trixie ;;
        18) say sid ;;
        19) say experimental ;;
        *) die "no release of Debian has PostgreSQL $1; there are: $(all_versions)" ;;
    esac
}

# The suite for debootstrap: experimental is an addition to unstable.
suite_of() {
    case $(release_of "$1") in
        experimental) say sid ;;
        *) release_of "$1" ;;
    esac
}

base_of() { say "$CACHE/$(release_of "$1").base"; }
system_of() { say "$CACHE/$(release_of "$1")$SYSTEM_KIND"; }

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
}

# Runs a command while it holds an exclusive (-x) or shared (-s) lock on a
# directory, so that no process changes a directory that another one uses.
locked() {
    local how=$1 directory=$2 lock status=0
    shift 2
    exec {lock}>"$directory.lock"
    flock -n "$how" "$lock" || {
        say "Waiting for others who use $directory" >&2
        flock "$how" "$lock"
    }
    "$@" || status=$?
    exec {lock}>&-
    return "$status"
}

make_base() {
    local version=$1 log=$LOGS/base-$1.log
    locked -x "$(base_of "$version")" bootstrap "$version" >"$log" 2>&1 &&
        return
    SYSTEM_ERROR="debootstrap could not make it: $(last_words "$log")"
    return 1
}

make_system() {
    local version=$1 system log=$LOGS/system-$1$SYSTEM_KIND.log
    system=$(system_of "$version")
    make_base "$version" || return 1
    locked -x "$system" copy_base "$version" || return 1
    # The packages that the tests need now may be new.
    in_system "$version" --keep --network --bind "$SOURCE" /src /usr/bin/env \
        "HIBOB_PG_VERSION=$version" "HIBOB_OPTIONAL=${OPTIONAL:-yes}" \
        /bin/sh -c '/src/test/check.sh --packages && apt-get clean' \
        >"$log" 2>&1 && return
    # shellcheck disable=SC2034  # used by scripts that source this
    SYSTEM_ERROR="apt-get could not fill it: $(last_words "$log")"
    return 1
}

copy_base() {
    local system
    system=$(system_of "$1")
    [ -n "$FRESH" ] || [ ! -d "$system" ] || return 0
    rm -rf --one-file-system "$system" "$system.new"
    cp -a "$(base_of "$1")" "$system.new" && mv "$system.new" "$system"
}

last_words() { grep -v '^ *$' "$1" | tail -n 1; }

bootstrap() {
    local version=$1 base mirror
    base=$(base_of "$version")
    [ -n "$FRESH" ] || [ ! -d "$base" ] || return 0
    command -v debootstrap >/dev/null || install_debootstrap
    mirror=$(apt_mirror)
    [ -n "$mirror" ] || { say "apt has no mirror of Debian"; return 1; }
    rm -rf --one-file-system "$base" "$base.new"
    say "Making $base of $mirror"
    # debootstrap mounts /proc; in a namespace the mount disappears.
    run unshare --mount --pid --fork --kill-child /usr/bin/env \
        "http_proxy=$(apt_proxy http)" "https_proxy=$(apt_proxy https)" \
        debootstrap --variant=minbase "$(suite_of "$version")" \
        "$base.new" "$mirror" || return 1
    [ "$(release_of "$version")" != experimental ] ||
        add_experimental "$base.new" "$mirror" "$version"
    # Its apt uses the proxy of this machine's apt.
    apt-config dump | grep -i -E '^Acquire::(https?::proxy|check-)' \
        >"$base.new/etc/apt/apt.conf.d/90mirror" || true
    mv "$base.new" "$base"
}

# Adds experimental to a system of unstable, for the packages of a PostgreSQL
# version only.
add_experimental() {
    local root=$1 mirror=$2 version=$3
    say "deb $mirror experimental main" \
        >"$root/etc/apt/sources.list.d/experimental.list"
    cat >"$root/etc/apt/preferences.d/experimental" <<END
Package: src:postgresql-$version postgresql*-$version
Pin: release a=experimental
Pin-Priority: 990
END
}

install_debootstrap() {
    DEBIAN_FRONTEND=noninteractive apt-get update &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends debootstrap </dev/null
}

# The mirror of Debian's packages.  apt knows labels only after it has its lists.
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

in_base() { in_directory "$(base_of "$1")" "${@:2}"; }
in_system() { in_directory "$(system_of "$1")" "${@:2}"; }

# The directory follows the options.
in_directory() {
    local directory=$1 options=() how=-s
    shift
    while :; do
        case $1 in
            --bind | --share) options+=("$1" "$2" "$3"); shift 3 ;;
            --*)
                [ "$1" != --keep ] || how=-x
                options+=("$1")
                shift
                ;;
            *) break ;;
        esac
    done
    locked "$how" "$directory" run "$SOURCE/test/lib/in_system.sh" "${options[@]}" "$directory" "$@"
}

# "15.20, libcurl 7.88.1, gcc 12.2.0"
system_facts() {
    local version=$1
    # shellcheck disable=SC2016  # dpkg-query expands this
    chroot "$(system_of "$version")" dpkg-query -W -f '${Package} ${Version}\n' \
        "postgresql-$version" libcurl4-openssl-dev gcc |
        awk '{ name["postgresql-'"$version"'"] = "1"
               name["libcurl4-openssl-dev"] = "2libcurl "
               name["gcc"] = "3gcc "
               sub(/^[0-9]*:/, "", $2); sub(/[-+].*/, "", $2)
               print name[$1] $2 }' | sort | cut -c 2- | paste -sd, |
        sed 's/,/, /g'
}

# The numbers of passed and failed tests in the last line of test/check.sh.
counts() {
    tail -n 1 "$1" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' |
        grep .
}
