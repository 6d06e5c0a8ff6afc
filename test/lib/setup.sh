# shellcheck shell=bash
# Functions that test/check.sh, test/demo.sh and others share: they install
# packages, build in a copy of the tree, start a temporary cluster and a
# simulator, and clean up.  Sourced, by a script with "set -euo pipefail".
#
#   prepare               installs packages, copies the tree, and changes to the
#                         copy
#   build [ARGUMENT...]   runs make in the copy with these arguments
#   install_extension     installs the extension into the server
#   start_simulator [ARGUMENT...]   sets HIBOB_SIM_URL, HIBOB_SIM_BASE
#   start_cluster [NAME=VALUE...]   with these settings; sets PGHOST etc.
#   run COMMAND...        runs a command as the server's user, and waits for it
#   become_worker         lets a subshell call run while the script continues; the
#                         script adds its process ID to WORKERS
#
# Packages and the installed extension stay.  Everything else is removed when the
# script ends, however it ends.

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PG_VERSION=${HIBOB_PG_VERSION:-15}
PG_BIN=/usr/lib/postgresql/$PG_VERSION/bin
SERVER_BIN=$PG_BIN      # the programs that start servers
PACKAGES=(
    "postgresql-$PG_VERSION" "postgresql-server-dev-$PG_VERSION"
    postgresql-common libcurl4-openssl-dev ca-certificates
    pkg-config gcc make python3 perl libipc-run-perl libio-socket-ssl-perl
    openssl
)
# Optional packages of a script, which sets them before it calls prepare.
OPTIONAL_PACKAGES=()
OPTIONAL_NODE_MODULES=()

WORK=           # the temporary directory
NO_CLUSTER=     # a configuration that exists while packages are installed
STEP=           # running process groups: the current step,
WORKERS=()      # subshells with steps of their own,
SIMULATOR=      # the simulator,
CLUSTER=        # and the process that runs the cluster
AS_SERVER=()    # the prefix that runs a command as the server's user

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

prepare() {
    # The same locale and time zone for servers and tests on every machine.
    # (PostgreSQL's TAP library unsets LC_ALL.)
    export LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC PGTZ=UTC
    unset PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE \
        PGOPTIONS MAKEFLAGS MAKELEVEL
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    install_all
    may_install
    copy_tree
    wrap_server
}

# --- packages ---------------------------------------------------------------

# HIBOB_OPTIONAL=no installs no optional packages; all, more than the default.
install_all() {
    install_packages
    [ "${HIBOB_OPTIONAL:-yes}" != no ] || return 0
    install_optional_packages
    install_node_modules
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>&1)" = installed ]
}

missing_packages() {
    local package
    for package in "${PACKAGES[@]}"; do
        is_installed "$package" || printf '%s ' "$package"
    done
}

# Packages that cannot be installed are left out with a message.
install_optional_packages() {
    local package missing=()
    is_root || return 0
    for package in "${OPTIONAL_PACKAGES[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update >/dev/null 2>&1 || true
    # All at once is faster; one by one, a missing package does not affect others.
    install_quietly "${missing[@]}" && return
    for package in "${missing[@]}"; do
        install_quietly "$package" || say "Without $package: apt-get failed"
    done
}

install_quietly() {
    apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 </dev/null
}

# Modules of node-postgres, "pg@VERSION" and others.  Debian's package of them
# needs Debian's Node.js.  Another Node.js has npm, which installs them into its
# global directory.
install_node_modules() {
    [ ${#OPTIONAL_NODE_MODULES[@]} -gt 0 ] || return 0
    NODE_PATH=$(npm root --global 2>/dev/null || true)
    export NODE_PATH
    if have_node_modules || ! is_root; then return; fi
    say "Installing ${OPTIONAL_NODE_MODULES[*]}"
    if command -v npm >/dev/null; then
        timeout 120 npm install --global "${OPTIONAL_NODE_MODULES[@]}" \
            >/dev/null 2>&1 </dev/null || true
    else
        install_quietly node-pg || true
    fi
    have_node_modules || say "Without ${OPTIONAL_NODE_MODULES[*]}: npm failed"
}

have_node_modules() {
    local module
    for module in "${OPTIONAL_NODE_MODULES[@]}"; do
        node -e "require('${module%@*}')" >/dev/null 2>&1 || return 1
    done
}

install_packages() {
    local missing
    command -v dpkg-query >/dev/null || die "this needs Debian or Ubuntu"
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if ! is_root; then
        say "Missing packages; as root:" >&2
        say "    apt-get update && apt-get install -y --no-install-recommends ${missing% }" >&2
        exit 1
    fi
    say "Installing ${missing% }"
    forbid_main_cluster
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of words
    { apt-get update && apt-get install -y --no-install-recommends $missing; } \
        >/tmp/hibob_fdw_apt.$$ 2>&1 </dev/null || {
        tail -n 30 "/tmp/hibob_fdw_apt.$$" >&2
        rm -f "/tmp/hibob_fdw_apt.$$"
        die "apt-get failed"
    }
    rm -f "/tmp/hibob_fdw_apt.$$"
    allow_main_cluster
}

# The server's package would create and start a cluster.  A machine that already
# has postgresql-common keeps its configuration.
forbid_main_cluster() {
    ! is_installed postgresql-common || return 0
    NO_CLUSTER=/etc/postgresql-common/createcluster.d/hibob_fdw.conf
    mkdir -p "${NO_CLUSTER%/*}"
    say "create_main_cluster = false" >"$NO_CLUSTER"
}

allow_main_cluster() {
    [ -n "$NO_CLUSTER" ] || return 0
    rm -f "$NO_CLUSTER"
    rmdir "${NO_CLUSTER%/*}" 2>/dev/null || true
    NO_CLUSTER=
}

# --- the copy of the tree ---------------------------------------------------

may_install() {
    local directory
    is_root && return
    for directory in "$("$PG_BIN/pg_config" --pkglibdir)" \
                     "$("$PG_BIN/pg_config" --sharedir)/extension"; do
        [ -w "$directory" ] ||
            die "the extension is installed into $directory, which needs root: run this as root"
    done
}

# The server refuses to run as root, and its user cannot write to the clone and
# perhaps cannot read it.  So all steps run in a copy that this user owns.
copy_tree() {
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/hibob_fdw.XXXXXX")
    mkdir "$WORK/tree" "$WORK/tmp"
    tar -C "$SOURCE" --exclude=./.git --exclude='*.o' --exclude='*.bc' \
        --exclude='*.so' --exclude=__pycache__ --exclude=./results \
        --exclude=./bench-results --exclude='./tmp_check*' --exclude='./regression.*' -cf - . |
        tar -C "$WORK/tree" --no-same-owner -xf -
    AS_SERVER=(env "HOME=$WORK" "TMPDIR=$WORK/tmp" PYTHONDONTWRITEBYTECODE=1)
    if is_root; then
        chown -R postgres:postgres "$WORK"
        # Unlike runuser, setpriv does not stay as a parent process.
        AS_SERVER=(setpriv --reuid postgres --regid postgres --init-groups
            "${AS_SERVER[@]}" USER=postgres LOGNAME=postgres)
    fi
    cd "$WORK/tree" || die "no $WORK/tree"
    export HIBOB_TELL=$WORK/tree/test/simulator/tell
}

# With HIBOB_SERVER_PREFIX, all servers that a test starts run with this prefix
# before "postgres".  Calls for the version, or from initdb, run without it.
wrap_server() {
    [ -n "${HIBOB_SERVER_PREFIX:-}" ] || return 0
    SERVER_BIN=$WORK/bin
    mkdir "$SERVER_BIN"
    cat >"$SERVER_BIN/postgres" <<END
#!/bin/sh
case \$1 in
    -V | --version | -C | --single) exec "$PG_BIN/postgres" "\$@" ;;
esac
exec $HIBOB_SERVER_PREFIX "$PG_BIN/postgres" "\$@"
END
    # A restart would use the path that the server reports.
    cat >"$SERVER_BIN/pg_ctl" <<END
#!/bin/sh
exec "$PG_BIN/pg_ctl" -p "$SERVER_BIN/postgres" "\$@"
END
    chmod -R a+rx "$SERVER_BIN"
}

# --- steps ------------------------------------------------------------------

# A step is a separate process group.  The script waits for it, so that a signal
# to this script takes effect at once and ends all of the step.
run() {
    local status=0
    setsid "${AS_SERVER[@]}" "$@" </dev/null &
    STEP=$!
    wait "$STEP" || status=$?
    STEP=
    return "$status"
}

# The same, with the output in a file.
run_logged() {
    local log=$1
    shift
    run "$@" >"$log" 2>&1
}

build() {
    run make -s -j "$(nproc)" PG_CONFIG="$PG_BIN/pg_config" with_llvm=no "$@"
}

install_extension() {
    make -s PG_CONFIG="$PG_BIN/pg_config" with_llvm=no install \
        >"$WORK/install.log" 2>&1 || {
        cat "$WORK/install.log" >&2
        return 1
    }
}

# --- simulator and cluster --------------------------------------------------

start_simulator() {
    local ready=$WORK/simulator.port
    setsid "${AS_SERVER[@]}" /usr/bin/env python3 test/simulator --port 0 \
        --ready-file "$ready" --parent-pid "$$" "$@" \
        >"$WORK/simulator.log" 2>&1 </dev/null &
    SIMULATOR=$!
    wait_for "$ready" "$SIMULATOR" || {
        cat "$WORK/simulator.log" >&2
        die "the simulator did not start"
    }
    HIBOB_SIM_URL=http://127.0.0.1:$(cat "$ready")
    export HIBOB_SIM_URL HIBOB_SIM_BASE=$HIBOB_SIM_URL/v1
}

# Starts a server that ends with this script, even after kill -9.
start_cluster() {
    local ready=$WORK/cluster.ready setting settings=()
    for setting in "$@"; do settings+=(-c "$setting"); done
    PGPASSWORD=$(od -An -N 16 -t x1 /dev/urandom | tr -d ' ')
    export PGPASSWORD PGUSER=postgres PGHOST=localhost PGDATABASE=postgres
    setsid "${AS_SERVER[@]}" bash "$WORK/tree/test/lib/cluster.sh" "$$" "$ready" \
        "$WORK/data" "$PG_BIN" "$SERVER_BIN" "${settings[@]}" \
        >"$WORK/cluster.log" 2>&1 </dev/null &
    CLUSTER=$!
    wait_for "$ready" "$CLUSTER" || {
        cat "$WORK/cluster.log" >&2
        die "the cluster did not start"
    }
    PGPORT=$(cat "$ready")
    export PGPORT
}

# Waits for a file that a process writes.
wait_for() {
    local file=$1 process=$2 tries
    for ((tries = 0; tries < 3000; tries++)); do
        [ ! -s "$file" ] || return 0
        kill -0 "$process" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# --- the end ----------------------------------------------------------------

clean_up() {
    trap '' HUP INT TERM
    set +e
    allow_main_cluster
    # A cluster that is starting can be stopped only after its start.
    [ -z "$CLUSTER" ] || wait_for "$WORK/cluster.ready" "$CLUSTER"
    end_workers
    end_group "$STEP"
    end_group "$SIMULATOR"
    end_group "$CLUSTER"
    [ -z "$WORK" ] || { cd / && rm -rf "$WORK"; }
}

# A worker ends its step, see become_worker.
end_workers() {
    [ ${#WORKERS[@]} != 0 ] || return 0
    kill -TERM "${WORKERS[@]}" 2>/dev/null
    wait "${WORKERS[@]}"
}

# Called first in a subshell that runs steps beside those of the script.
become_worker() {
    WORKERS=() STEP=
    trap 'trap "" HUP INT TERM; end_group "$STEP"' EXIT
    trap 'exit 143' TERM
}

# Ends a process group and waits until its leader has cleaned up.
end_group() {
    local group=$1 tries
    [ -n "$group" ] || return 0
    kill -TERM -- "-$group" 2>/dev/null
    for ((tries = 0; tries < 150; tries++)); do
        kill -0 -- "-$group" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL -- "-$group" 2>/dev/null
    wait "$group" 2>/dev/null
}
