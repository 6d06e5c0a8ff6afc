#!/bin/bash
# Counts the instructions for each stage of a scan, per employee.  Unlike seconds,
# they do not depend on the load of the machine.  The kernel's instructions are
# not included.  Needs Debian and, the first time, root.
#
#   test/bench/stages.sh
#
# A backend in single-user mode reads bodies of 5,000 employees under valgrind's
# callgrind.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

PACKAGES+=(valgrind libjson-c-dev libpq-dev)
COUNT=5000
SERVER=

make_bodies() {
    run /usr/bin/env python3 -c "
import bodies
bodies.make('$WORK/tmp', 'narrow', $COUNT, zipped=True)
bodies.make('$WORK/tmp', 'wide', $COUNT, zipped=True)"
}

# The server ends at the end of its standard input, which this script keeps open.
start_server() {
    local pipe=$WORK/server.input
    mkfifo "$pipe"
    exec 8<>"$pipe"
    "${AS_SERVER[@]}" ./bench_server "$WORK/tmp" "$WORK/tmp/port" \
        <"$pipe" 8>&- &
    SERVER=$!
    wait_for "$WORK/tmp/port" "$SERVER" || die "bench_server did not start"
}

tables() {
    local base kind columns
    base=http://127.0.0.1:$(cat "$WORK/tmp/port")
    printf 'CREATE EXTENSION hibob_fdw;\n'
    for kind in narrow wide narrow_gzip wide_gzip; do
        columns='id text, email text, full_name text, '
        [[ $kind == narrow* ]] || columns+='site text, '
        columns+='status text, start_date date'
        [[ $kind == narrow* ]] ||
            columns+=', termination_date date, is_manager boolean'
        printf "CREATE SERVER %s FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url '%s/%s-%s%s/v1');\n" \
            "$kind" "$base" "${kind%_*}" "$COUNT" \
            "$([[ $kind != *gzip ]] || printf -- -gzip)"
        printf "CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (service_user_id 'SERVICE-5772', token 'token');\n" "$kind"
        printf "CREATE FOREIGN TABLE %s (%s) SERVER %s OPTIONS (resource 'people');\n" \
            "$kind" "$columns" "$kind"
    done
}

# The instructions of a function, with all functions that it calls, per employee.
inclusive() {
    awk -v name="$1" -v count="$COUNT" '
        index($0, ":" name " ") || $0 ~ ":" name "$" {
            gsub(/,/, "", $1); if ($1 + 0 > most) most = $1 + 0 }
        END { printf "%d", most / count }' "$WORK/tmp/profile.txt"
}

measure() {
    local table=$1 columns=$2 offset receive find store all
    case $columns in *count*) offset=0 ;; *) offset=$((COUNT - 1)) ;; esac
    printf 'SELECT %s FROM %s OFFSET %d;\n' "$columns" "$table" "$offset" \
        >"$WORK/tmp/query.sql"
    # shellcheck disable=SC2016  # expanded by the inner shell
    run_logged "$WORK/tmp/valgrind.log" valgrind --tool=callgrind --trace-children=yes \
        --callgrind-out-file="$WORK/tmp/profile" \
        sh -c 'exec "$1" --single -D "$2" postgres <"$3"' sh \
        "$PG_BIN/postgres" "$WORK/tmp/data" "$WORK/tmp/query.sql" ||
        die "$(tail -n 20 "$WORK/tmp/valgrind.log")"
    callgrind_annotate --inclusive=yes --threshold=100 "$WORK/tmp/profile" \
        >"$WORK/tmp/profile.txt" 2>/dev/null
    receive=$(inclusive http_channel_poll)
    find=$(inclusive json_reader_next)
    store=$(inclusive row_map_store)
    all=$(inclusive standard_ExecutorRun)
    printf '| %s | %s | %s | %s | %s | %s |\n' "$table, $3" "$receive" \
        "$find" "$store" "$((all - receive - find - store))" "$all"
    [ -z "${HIBOB_PROFILES:-}" ] ||
        cp "$WORK/tmp/profile" "$HIBOB_PROFILES/callgrind.${table}_${3// /_}"
}

prepare
build all CFLAGS='-O2 -g'
install_extension
build -C test/bench
cd test/bench
make_bodies
start_server
run_logged "$WORK/tmp/initdb.log" "$PG_BIN/initdb" -D "$WORK/tmp/data" \
    --locale=C.UTF-8 --encoding=UTF8
tables >"$WORK/tmp/tables.sql"
# shellcheck disable=SC2016  # expanded by the inner shell
run_logged "$WORK/tmp/tables.log" sh -c \
    'exec "$1" --single -D "$2" postgres <"$3"' sh "$PG_BIN/postgres" \
    "$WORK/tmp/data" "$WORK/tmp/tables.sql"
say '| | receive | find rows and values | convert and store | the rest | all |'
say '|---|---:|---:|---:|---:|---:|'
measure wide 'count(*)' 'count(*)'
measure wide '*' 'all columns'
measure narrow 'count(*)' 'count(*)'
measure narrow '*' 'all columns'
measure wide_gzip '*' 'all columns'
kill "$SERVER"
