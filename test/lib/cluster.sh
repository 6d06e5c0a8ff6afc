#!/bin/bash
# Runs a server until a process ends or a signal comes; setup.sh starts it.  The
# port and the superuser's password are in PGPORT and PGPASSWORD.
#
#   cluster.sh PROCESS READY-FILE DATA PG-BIN SERVER-BIN [-c NAME=VALUE...]
set -euo pipefail

parent=$1 ready=$2 data=$3 pg_bin=$4 server_bin=$5
shift 5

"$pg_bin/initdb" -D "$data" -U "$PGUSER" -A scram-sha-256 --locale=C.UTF-8 \
    --encoding=UTF8 --no-sync --pwfile=<(printf '%s\n' "$PGPASSWORD")
"$server_bin/postgres" -D "$data" -F -p "$PGPORT" -c listen_addresses=localhost \
    -c unix_socket_directories= "$@" &
server=$!
# An immediate stop would end neither the statistics nor valgrind properly.
trap 'kill -INT "$server"; wait "$server" || true; exit' TERM INT HUP

until "$pg_bin/pg_isready" -q -t 60; do
    kill -0 "$server"
    sleep 0.1
done
echo "$PGPORT" >"$ready.new"
mv "$ready.new" "$ready"
while [ -d "/proc/$parent" ] && kill -0 "$server" 2>/dev/null; do
    sleep 1 &
    wait "$!" || true
done
kill -INT "$server"
wait "$server" || true
