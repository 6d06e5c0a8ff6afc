#!/bin/bash
# Runs a server until a process ends or a signal comes; setup.sh starts it.  The
# superuser's password is in PGPASSWORD.  The port is written to READY-FILE.
#
#   cluster.sh PROCESS READY-FILE DATA PG-BIN SERVER-BIN [-c NAME=VALUE...]
set -euo pipefail

parent=$1 ready=$2 data=$3 pg_bin=$4 server_bin=$5
shift 5

"$pg_bin/initdb" -D "$data" -U "$PGUSER" -A scram-sha-256 --locale=C.UTF-8 \
    --encoding=UTF8 --no-sync --pwfile=<(printf '%s\n' "$PGPASSWORD")

free_port() {
    /usr/bin/env python3 -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as s: print(s.getsockname()[1])'
}

is_running() { kill -0 "$server" 2>/dev/null; }

# Fails if the server ends, because another process has taken its port meanwhile.
start_server() {
    PGPORT=$(free_port)
    export PGPORT
    "$server_bin/postgres" -D "$data" -F -p "$PGPORT" -c listen_addresses=localhost \
        -c unix_socket_directories= "$@" &
    server=$!
    until "$pg_bin/pg_isready" -q -t 60; do
        is_running || return
        sleep 0.1
    done
    is_running
}

server=
# An immediate stop would end neither the statistics nor valgrind properly.
trap '[ -z "$server" ] || { kill -INT "$server"; wait "$server" || true; }; exit' TERM INT HUP
for attempt in 1 2 3 4 5; do
    ! start_server "$@" || break
    [ "$attempt" != 5 ] || exit 1
done
echo "$PGPORT" >"$ready.new"
mv "$ready.new" "$ready"
while [ -d "/proc/$parent" ] && is_running; do
    sleep 1 &
    wait "$!" || true
done
kill -INT "$server"
wait "$server" || true
