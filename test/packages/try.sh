#!/bin/bash
# Runs inside an empty Debian system: installs the Debian package for PostgreSQL
# $1 from /out with its dependencies only, and queries the simulator at
# HIBOB_SIM_URL, which runs outside.  Only apt uses the network.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
version=$1

apt-get update >/dev/null
apt-get install -y --no-install-recommends \
    /out/postgresql-"$version"-hibob-fdw_*.deb >/tmp/apt.log 2>&1 </dev/null || {
    tail -n 30 /tmp/apt.log >&2
    exit 1
}
pg_ctlcluster "$version" main start
trap 'pg_ctlcluster "$version" main stop -m fast' EXIT
rows=$(runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 <<END
CREATE EXTENSION hibob_roster CASCADE;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
    OPTIONS (base_url '$HIBOB_SIM_URL/v1');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
    OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
CREATE SCHEMA hr;
IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
SELECT count(*), count(DISTINCT id) FROM hr.people;
SELECT status FROM hibob_fdw_status('bob');
SELECT hibob_roster.create_roster('bob', 'staff');
SELECT status, rows FROM hibob_roster.health;
END
)
runuser -u postgres -- psql -XAtqc 'SELECT version(); SELECT hibob_fdw_version()'
echo "${rows//$'\n'/, }"
[ "$rows" = $'500|500\nhealthy\nstaff.roster\nhealthy|500' ]
apt-get purge -y "postgresql-$version-hibob-fdw" >/tmp/apt.log 2>&1 </dev/null
! find / -xdev -name '*hibob*' -not -path '/src*' -not -path '/out*' \
    -not -path '/proc/*' -not -path '/var/cache/*' \
    -not -path '/etc/apt/*' | grep .
