#!/bin/bash
# Measures reading an account: the rows and requests of each resource, the tables
# that IMPORT creates with its options, and the time and memory for a history
# table with many rows.  Needs Debian and, the first time, root.
#
#   test/bench/account.sh [ROWS...]     rows of the history; 5000 500000
#
# Most of the elapsed time is the simulator's; the backend's is its CPU time.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

EMPLOYEES=500
[ $# -gt 0 ] || set -- 5000 500000

query() { psql -X -A -t -q -v ON_ERROR_STOP=1 "$@"; }

set_up() {
    query <<SQL
CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
    OPTIONS (base_url '$HIBOB_SIM_BASE');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
    OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;
SQL
}

# The tables and their columns of an import, in a new schema.
import() {
    query <<SQL
SET client_min_messages = warning;
DROP SCHEMA hr CASCADE;
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr $1;
SELECT format('%-42s %3s tables, %4s columns; people has %3s',
        \$\$${1:-no options}\$\$, count(DISTINCT attrelid), count(*),
        count(*) FILTER (WHERE relname = 'people'))
  FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
 WHERE relnamespace = 'hr'::regnamespace AND attnum > 0;
SQL
}

imports() {
    say "IMPORT of an account with $EMPLOYEES employees"
    import ""
    import "OPTIONS (custom_fields 'false')"
    import "OPTIONS (fields 'all')"
    import "OPTIONS (reports 'true')"
    import "OPTIONS (custom_tables 'true')"
    import "OPTIONS (fields 'all', reports 'true', custom_tables 'true')"
}

# The plan of a query with its costs, on one line.
read_table() {
    local table=$1 bounds=
    case $table in
        time_off) bounds="WHERE start_date >= '2026-01-01' AND start_date <= '2026-12-31'" ;;
        time_off_changes) bounds="WHERE since >= '2026-06-01'" ;;
    esac
    query -v "table=$table" -v "bounds=$bounds" <<'SQL' |
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT * FROM hr.:"table" :bounds;
SQL
        awk -v "table=$table" '
            match($0, /actual rows=[0-9]+/) && !found {
                rows = substr($0, RSTART + 12, RLENGTH - 12); found = 1
            }
            /HiBob Endpoint/ { endpoint = $3 " " $4 }
            /HiBob Requests/ { requests = $3 }
            /HiBob Bytes/ { bytes = $4 }
            END { printf "%-26s %7d rows %5d requests %9d bytes  %s\n",
                         table, rows, requests, bytes, endpoint }'
}

# The tables of the last import, by name.
resources() {
    local table
    say
    say "Every table of it, all rows and columns"
    query -c "SELECT relname FROM pg_class
               WHERE relnamespace = 'hr'::regnamespace
               ORDER BY relname COLLATE \"C\"" |
        while IFS= read -r table; do read_table "$table"; done
}

# A new session, since the peak of memory is that of a session.
read_history() {
    query -v "columns=$2" <<'SQL'
SET jit = off;
SELECT clock_timestamp() AS began \gset
SELECT count(w) AS rows FROM (SELECT :columns FROM hr.work_history OFFSET 0) AS w \gset
SELECT format('%7s rows of %-24s %6s s, %5s s of CPU, peak of %s MB', :rows,
        :'columns' || ':', round(extract(epoch FROM clock_timestamp() - :'began')::numeric, 1),
        round((split_part(stat, ' ', 14)::numeric + split_part(stat, ' ', 15)::numeric) / 100, 2),
        round(substring(status FROM 'VmHWM:\s+(\d+)')::numeric / 1024, 1))
  FROM pg_read_file('/proc/self/stat') AS stat,
       pg_read_file('/proc/self/status') AS status;
SQL
}

# An employee has 2.48 rows on average.
histories() {
    local rows
    say
    say "A history table, read to its end in a new session"
    for rows; do
        "$HIBOB_TELL" config "{\"employees\": $((rows * 100 / 248 + 1))}" \
            >/dev/null
        read_history "$rows" 'id, effective_date, site'
        read_history "$rows" '*'
    done
}

prepare
build
install_extension
start_simulator --employees "$EMPLOYEES" --today 2026-11-24 --rate-limit 100000
start_cluster
set_up
imports
resources
histories "$@"
