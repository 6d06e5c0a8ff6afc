#!/bin/bash
# Runs a command with a simulator of HiBob as the regression tests need it, whose
# address is in HIBOB_SIM_URL.  The simulator ends with the command:
#
#   test/with_simulator.sh make installcheck
set -euo pipefail

[ $# != 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
directory=$(mktemp -d "${TMPDIR:-/tmp}/hibob_fdw.XXXXXX")
simulator=
trap '[ -z "$simulator" ] || kill "$simulator" 2>/dev/null; rm -rf "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

PYTHONDONTWRITEBYTECODE=1 python3 "$here/simulator" --port 0 \
    --employees 500 --today 2026-11-24 --rate-limit 100000 \
    --ready-file "$directory/port" --parent-pid "$$" >"$directory/log" 2>&1 &
simulator=$!
for ((tries = 0; tries < 600; tries++)); do
    [ ! -s "$directory/port" ] || break
    kill -0 "$simulator" 2>/dev/null || break
    sleep 0.1
done
[ -s "$directory/port" ] || { cat "$directory/log" >&2; exit 1; }

HIBOB_SIM_URL=http://127.0.0.1:$(cat "$directory/port")
export HIBOB_SIM_URL HIBOB_SIM_BASE=$HIBOB_SIM_URL/v1
export HIBOB_TELL=$here/simulator/tell
"$@"
