#!/bin/bash
# Measures hibob_roster: a refresh of many employees when nothing has
# changed, when one in a hundred has, and the first fill, beside the plain scan
# of the foreign table; the WAL that it writes, and its memory.  Needs Debian
# and, the first time, root.
#
#   test/bench/roster.sh [SIZE...]      1000 10000 100000
#
# Prepared bodies come from a server in C, so that the scan is all that is
# measured beside the refresh.  Times are medians of RUNS=5 runs, each in a new
# session; the CPU's are the backend's, which a busy machine distorts less.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

RUNS=${RUNS:-5}
[ $# -gt 0 ] || set -- 1000 10000 100000

query() { psql -X -A -t -q -v ON_ERROR_STOP=1 "$@"; }

start_bodies() {
    local ready=$WORK/tmp/bodies.port
    mkdir "$WORK/bodies"
    ! is_root || chown postgres:postgres "$WORK/bodies"
    run python3 test/bench/roster.py "$WORK/bodies" "$@"
    mkfifo "$WORK/tmp/alive"
    setsid "${AS_SERVER[@]}" test/bench/bench_server "$WORK/bodies" "$ready" \
        <"$WORK/tmp/alive" >"$WORK/bodies.log" 2>&1 &
    exec 9>"$WORK/tmp/alive"
    wait_for "$ready" "$!"
    BODIES=http://127.0.0.1:$(cat "$ready")
}

columns_of() {
    local narrow="id text NOT NULL, email text, full_name text, status text,
        start_date date"
    case $1 in
        narrow) say "$narrow" ;;
        wide) say "$narrow, site text, termination_date date, is_manager boolean" ;;
        roster) say "$narrow, display_name text, first_name text, surname text,
            site text, site_id bigint, manager_id text, is_manager boolean,
            direct_reports integer, employee_number bigint, work_mobile text,
            created_at timestamp, original_start_date date,
            termination_date date, fte numeric, weekly_hours numeric,
            cost_centre text OPTIONS (field 'work.custom.field_1667499206086'),
            a text OPTIONS (field 'work.custom.field_1667499206101'),
            b text OPTIONS (field 'work.custom.field_1667499206102'),
            c text OPTIONS (field 'work.custom.field_1667499206103')" ;;
    esac
}

set_up() {
    query <<SQL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS hibob_roster CASCADE;
DROP SERVER IF EXISTS bob CASCADE;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
    OPTIONS (base_url '$BODIES/$1-$2/v1', on_missing_field 'ignore');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
    OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE FOREIGN TABLE people ($(columns_of "$1")) SERVER bob
    OPTIONS (resource 'people');
CREATE TABLE IF NOT EXISTS measured (what text, ms float8, cpu float8,
    wal numeric, memory float8);
CREATE OR REPLACE FUNCTION cpu_ms() RETURNS float8 LANGUAGE sql AS
\$\$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1e6 \$\$;
TRUNCATE measured;
SQL
}

body() { say "ALTER SERVER bob OPTIONS (SET base_url '$BODIES/$1/v1');"; }

# A statement in a session of its own, with its time, WAL and memory.
measure() {
    local what=$1 prepare=$2 statement=$3
    query >/dev/null <<SQL
SET client_min_messages = warning;
$prepare
CHECKPOINT;
SELECT count(*) FROM (SELECT FROM people LIMIT 1) p;
SELECT clock_timestamp() AS start, cpu_ms() AS cpu_start,
       pg_current_wal_insert_lsn() AS lsn \gset
$statement
SELECT clock_timestamp() AS stop, cpu_ms() AS cpu_stop,
       pg_current_wal_insert_lsn() AS end \gset
INSERT INTO measured
SELECT '$what', 1000 * extract(epoch FROM :'stop'::timestamptz
                                          - :'start'::timestamptz),
       :cpu_stop - :cpu_start,
       pg_wal_lsn_diff(:'end', :'lsn'), (hwm[1]::float8 - shmem[1]::float8) / 1024
  FROM pg_read_file('/proc/self/status') s,
       regexp_match(s, 'VmHWM:\s+(\d+)') hwm,
       regexp_match(s, 'RssShmem:\s+(\d+)') shmem;
SQL
}

measure_kind() {
    local kind=$1 size=$2 n refresh="CALL hibob_roster.refresh('mirror');"
    set_up "$kind" "$size"
    for ((n = 0; n < RUNS; n++)); do
        measure '3 first fill' "$(body "$kind-$size")" \
            "SELECT hibob_roster.create_mirror('people', 'mirror');"
        query -c 'CHECKPOINT' -c 'VACUUM ANALYZE mirror, mirror_history'
        # After a checkpoint the first change of a page is a whole page of WAL.
        query -c "$refresh"
        measure '0 scan' "$(body "$kind-$size")" \
            "EXPLAIN (ANALYZE, TIMING OFF) SELECT * FROM people;"
        measure '1 no change' "$(body "$kind-$size")" "$refresh"
        measure '2 one in a hundred' "$(body "$kind-$size-changed")" "$refresh"
        measure '2 one in a hundred' "$(body "$kind-$size")" "$refresh"
        query -c "SELECT hibob_roster.drop_mirror('mirror')" >/dev/null
    done
    query -F ' | ' -c "
        SELECT '| $kind', $size, substr(what, 3), round(ms::numeric, 1),
               round((ms / first_value(ms) OVER (ORDER BY what))::numeric, 2),
               round(cpu::numeric, 1),
               round((cpu / first_value(cpu) OVER (ORDER BY what))::numeric, 2),
               round(wal::numeric / 1024, 1), round(memory::numeric, 1) || ' |'
          FROM (SELECT what,
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms,
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu,
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY wal) AS wal,
                       max(memory) AS memory
                  FROM measured GROUP BY what) m
         ORDER BY what"
}

prepare
build all
install_extension
build -C test/bench bench_server
start_cluster shared_buffers=512MB max_wal_size=8GB
start_bodies "$@"
say "| employee | employees | refresh | ms | times the scan | CPU, ms |" \
    "times the scan | WAL, kB | memory, MB |"
say "|---|---|---|---|---|---|---|---|---|"
for kind in narrow roster wide; do
    for size; do measure_kind "$kind" "$size"; done
done
