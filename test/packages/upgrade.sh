#!/bin/bash
# Runs inside an empty Debian system: PostgreSQL $1 of the release $3 with the
# package in /old, then pg_upgrade to PostgreSQL $2 of this release with the
# package in /new; and a dump of the older server, restored in the newer one.
# With "dump" as $4 there is only a dump, by the older pg_dump.  Servers, mappings,
# foreign tables, views and their rows, and the mirrors with their configuration,
# history and log have to be the same; the simulator at HIBOB_SIM_URL runs outside.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
old=$1
new=$2
release=$3
method=${4:-pg_upgrade}
directory=/var/tmp/upgrade
database=hr

install() {
    apt-get install -y --no-install-recommends "$@" >/tmp/apt.log 2>&1 </dev/null || {
        tail -n 30 /tmp/apt.log >&2
        exit 1
    }
}

# The result of a query in the server of a version.
ask() {
    local version=$1
    shift
    as_server "/usr/lib/postgresql/$version/bin/psql" -XAtq -h "$directory" \
        -p 5499 -v ON_ERROR_STOP=1 "$@" "$database"
}

as_server() { runuser -u postgres -- "$@"; }

server() {
    as_server "/usr/lib/postgresql/$1/bin/pg_ctl" -s -w -D "$directory/$1" \
        -l "$directory/log" -o "-k $directory -p 5499 -c listen_addresses=" "$2"
}

facts() {
    ask "$1" <<'END'
SELECT extname, extversion FROM pg_extension WHERE extname ~ 'hibob' ORDER BY 1;
SELECT srvname, srvoptions FROM pg_foreign_server;
SELECT srvname, usename, umoptions FROM pg_user_mappings;
SELECT count(*), count(ftoptions) FROM pg_foreign_table;
SELECT count(*), count(attfdwoptions) FROM pg_attribute
  JOIN pg_foreign_table ON ftrelid = attrelid WHERE attnum > 0;
SELECT count(*), md5(string_agg(p::text, '|' ORDER BY id)) FROM hr.people p;
SELECT count(*) FROM hr.former;
SELECT count(*) FROM hr.kept;
SELECT * FROM hibob_roster.health;
SELECT * FROM hibob_roster.mirrors;
SELECT count(*), md5(string_agg(c::text, '|' ORDER BY column_name)) FROM hibob_roster.mirror_columns c;
SELECT * FROM hibob_roster.refresh_log ORDER BY started_at;
SELECT count(*), min(valid_from), max(valid_to), md5(string_agg(h::text, '|' ORDER BY id, valid_from)) FROM hr.roster_history h;
SELECT count(*), max(new_value) FROM hibob_roster.changes('hr.roster', now() - interval '1 year');
SELECT count(*), md5(string_agg(r::text, '|' ORDER BY id)) FROM hr.roster r;
SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster, now());
SELECT count(*) FROM hr.org_chart;
SELECT status FROM hibob_fdw_status('bob');
END
}

restore_dump() {
    as_server "/usr/lib/postgresql/$new/bin/createdb" -h "$directory" -p 5499 \
        restored
    as_server "/usr/lib/postgresql/$new/bin/pg_restore" -h "$directory" -p 5499 \
        -e -d restored dump
}

mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
export UCF_FORCE_CONFFOLD=1
# The packages of the old release stay installed when a system is upgraded.
sed "s/ $(. /etc/os-release; echo "${VERSION_CODENAME:-sid}") / $release /" \
    /etc/apt/sources.list >/etc/apt/sources.list.d/old.list
grep -q " $release " /etc/apt/sources.list.d/old.list ||
    sed "s/ sid / $release /" /etc/apt/sources.list >/etc/apt/sources.list.d/old.list
apt-get update >/dev/null
install "postgresql-$new" /new/postgresql-"$new"-hibob-fdw_*.deb \
    "postgresql-$old" /old/postgresql-"$old"-hibob-fdw_*.deb

mkdir -m 700 "$directory"
chown postgres:postgres "$directory"
cd "$directory"
for version in "$old" "$new"; do
    # PostgreSQL 18 enables checksums by default; both clusters need the same.
    checksums=()
    [ "$version" -lt 18 ] || checksums=(--no-data-checksums)
    as_server "/usr/lib/postgresql/$version/bin/initdb" -D "$directory/$version" \
        --no-sync -E UTF8 --locale=C.UTF-8 \
        -A trust "${checksums[@]}" >/dev/null
done
server "$old" start
as_server "/usr/lib/postgresql/$old/bin/createdb" -h "$directory" -p 5499 hr
ask "$old" <<END
CREATE EXTENSION hibob_roster CASCADE;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
    OPTIONS (base_url '$HIBOB_SIM_URL/v1', cache_ttl '10min');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
    OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
CREATE VIEW hr.former AS SELECT id, email FROM hr.people WHERE status = 'Inactive';
CREATE MATERIALIZED VIEW hr.kept AS SELECT * FROM hr.people;
SELECT hibob_roster.create_roster('bob');
UPDATE hibob_roster.mirrors SET max_age = '3 days', keep_history = '2 years';
ALTER FOREIGN TABLE hr.people ALTER site OPTIONS (SET field 'work.title');
CALL hibob_roster.refresh();
ALTER FOREIGN TABLE hr.people ALTER site OPTIONS (SET field 'work.site');
CALL hibob_roster.refresh();
ALTER TABLE hr.roster DROP COLUMN work_phone;
ALTER TABLE hr.roster ADD COLUMN nonsense text;
END
if ask "$old" -c 'CALL hibob_roster.refresh()' 2>/dev/null; then exit 1; fi
ask "$old" -c 'ALTER TABLE hr.roster DROP COLUMN nonsense'
facts "$old" >before
dumper=$new
databases=(hr restored)
[ "$method" != dump ] || { dumper=$old; databases=(restored); }
as_server "/usr/lib/postgresql/$dumper/bin/pg_dump" -h "$directory" -p 5499 -Fc \
    -f dump hr
server "$old" stop
if [ "$method" = pg_upgrade ]; then
    as_server "/usr/lib/postgresql/$new/bin/pg_upgrade" \
        -b "/usr/lib/postgresql/$old/bin" -B "/usr/lib/postgresql/$new/bin" \
        -d "$directory/$old" -D "$directory/$new" -s "$directory" >pg_upgrade.log || {
        tail -n 20 pg_upgrade.log
        grep -h -A 60 error: "$new"/pg_upgrade_output.d/*/log/*.log
        exit 1
    }
fi
server "$new" start
for database in "${databases[@]}"; do
    [ "$database" != restored ] || restore_dump
    facts "$new" >"after.$database"
done
# The databases work.
for database in "${databases[@]}"; do
    ask "$new" -c 'REFRESH MATERIALIZED VIEW hr.kept' \
        -c 'ALTER EXTENSION hibob_fdw UPDATE' -c 'ALTER EXTENSION hibob_roster UPDATE' \
        -c 'CALL hibob_roster.refresh()' \
        -c "SELECT '$database', status, rows FROM hibob_roster.health"
done
server "$new" stop
for database in "${databases[@]}"; do
    diff before "after.$database"
done
[ "$(wc -l <before)" -ge 20 ]
cut -c 1-100 before
