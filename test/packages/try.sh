#!/bin/bash
# Runs inside an empty Debian system: installs the Debian package for PostgreSQL
# $1 from /out with its dependencies only, queries the simulator at HIBOB_SIM_URL,
# which runs outside, updates both extensions, and removes and purges the package.
# Only apt uses the network.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
version=$1
extensions=/usr/share/postgresql/$version/extension

apt() {
    apt-get -y --no-install-recommends "$@" >/tmp/apt.log 2>&1 </dev/null || {
        tail -n 30 /tmp/apt.log >&2
        exit 1
    }
}

sql() { runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# Fails unless a query has this result.
is() {
    local name=$1 expected=$2 result
    shift 2
    result=$(sql "$@" 2>&1) || true
    result=${result//$'\n'/, }
    [ "$result" = "$expected" ] || {
        printf '%s: failed\n  expected %s\n  got      %s\n' "$name" "$expected" "$result"
        exit 1
    }
    printf '%s: %s\n' "$name" "$result"
}

apt-get update >/dev/null
apt install "/out/postgresql-$version-hibob-fdw"_*.deb
pg_ctlcluster "$version" main start
trap 'pg_ctlcluster "$version" main stop -m fast' EXIT
sql <<END
CREATE EXTENSION hibob_fdw;
CREATE EXTENSION hibob_roster;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
    OPTIONS (base_url '$HIBOB_SIM_URL/v1');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
    OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
END
sql -c 'SELECT version()' -c 'SELECT * FROM hibob_fdw_libraries()'
is "A query" '500|500' -c 'SELECT count(*), count(DISTINCT id) FROM hr.people'
is "hibob_fdw_status()" healthy -c "SELECT status FROM hibob_fdw_status('bob')"
is "A roster" staff.roster -c "SELECT hibob_roster.create_roster('bob', 'staff')"
sql -c "UPDATE staff.roster SET site = 'Mars' WHERE id = (SELECT min(id) FROM staff.roster)" \
    -c 'CALL hibob_roster.refresh()'
is "... refreshed" 'success|500|1' -c 'SELECT outcome, rows, changed
    FROM hibob_roster.refresh_log ORDER BY started_at DESC LIMIT 1'
is "... health" 'staff.roster|healthy|500' \
    -c 'SELECT mirror, status, rows FROM hibob_roster.health'
is "The bill of materials" 'CycloneDX|4' \
    -c "SELECT b->>'bomFormat', jsonb_array_length(b->'components')
        FROM pg_read_file('$extensions/hibob_fdw.cdx.json') f, CAST(f AS jsonb) b"

# Scripts of a later version, as the next package could have them.
for extension in hibob_fdw hibob_roster; do
    echo "COMMENT ON EXTENSION $extension IS 'the next version';" \
        >"$extensions/$extension--1.0--1.1.sql"
    sql -c "ALTER EXTENSION $extension UPDATE TO '1.1'"
done
is "ALTER EXTENSION UPDATE" 'hibob_fdw|1.1, hibob_roster|1.1' \
    -c "SELECT extname, extversion FROM pg_extension WHERE extname ~ 'hibob' ORDER BY 1"
is "... mirrors, log and history stay" '1|2|500|500' -c "CALL hibob_roster.refresh();
    SELECT (SELECT count(*) FROM hibob_roster.mirrors),
           (SELECT count(*) FROM hibob_roster.refresh_log WHERE outcome = 'success') - 1,
           (SELECT count(*) FROM staff.roster),
           (SELECT count(*) FROM staff.roster_history WHERE valid_to IS NULL)"

apt remove "postgresql-$version-hibob-fdw"
is "Removed: the mirror is still there" 500 -c 'SELECT count(*) FROM staff.roster'
# PostgreSQL 18 and later look for a library in several directories.
[ "$version" -ge 18 ] && library=hibob_fdw || library="\$libdir/hibob_fdw"
is "... a foreign table is an error" \
    "ERROR:  could not access file \"$library\": No such file or directory" \
    -c 'SELECT count(*) FROM hr.people'
apt install "/out/postgresql-$version-hibob-fdw"_*.deb
is "Installed again" 500 -c 'SELECT count(*) FROM hr.people'
apt purge "postgresql-$version-hibob-fdw"
is "Purged: DROP EXTENSION" '500|0' -c 'SET client_min_messages = warning' \
    -c 'DROP EXTENSION hibob_fdw CASCADE' -c "SELECT (SELECT count(*) FROM staff.roster),
        (SELECT count(*) FROM pg_foreign_table)"
rm "$extensions"/hibob_*--1.1.sql
! find / -xdev -name '*hibob*' -not -path '/src*' -not -path '/out*' \
    -not -path '/proc/*' -not -path '/var/cache/*' \
    -not -path '/etc/apt/*' | grep .
