#!/bin/bash
# Shows the two extensions, in the steps of README's quick start: a roster of the
# people in HiBob, its nightly refresh, and who has left and still holds licences.
# Needs Debian and, the first time, root.
#
#   test/demo.sh            with the simulator
#   test/demo.sh --live     with HiBob; needs HIBOB_SERVICE_USER_ID and
#                           HIBOB_TOKEN in the environment, and uses
#                           HIBOB_BASE_URL (for example the sandbox) and
#                           HIBOB_COST_CENTRE_FIELD (work.custom.field_...)
#   test/demo.sh --keep     keeps the server running for your own queries
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

KEEP=false
LIVE=false

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

read_arguments() {
    local argument
    for argument; do
        case $argument in
            --keep) KEEP=true ;;
            --live) LIVE=true ;;
            -h | --help) usage; exit ;;
            *) usage >&2; exit 2 ;;
        esac
    done
}

# psql gets the credentials only in its environment, because all users can read
# command lines.
use_live() {
    if [ -z "${HIBOB_SERVICE_USER_ID:-}" ] || [ -z "${HIBOB_TOKEN:-}" ]; then
        die "--live needs HIBOB_SERVICE_USER_ID and HIBOB_TOKEN in the environment"
    fi
    export HIBOB_SERVICE_USER_ID HIBOB_TOKEN
    export HIBOB_BASE_URL=${HIBOB_BASE_URL:-https://api.hibob.com/v1}
    if [ -n "${HIBOB_COST_CENTRE_FIELD:-}" ]; then
        export HIBOB_COST_CENTRE_FIELD
    else
        unset HIBOB_COST_CENTRE_FIELD
    fi
}

use_simulator() {
    start_simulator --employees 500 --rate-limit 50
    export HIBOB_SERVICE_USER_ID=SERVICE-5772 HIBOB_TOKEN=s3cret-canary-token
    export HIBOB_BASE_URL=$HIBOB_SIM_BASE
    export HIBOB_COST_CENTRE_FIELD=work.custom.field_1667499206086
}

# pg_cron is used if it is installed.
cron_settings() {
    [ -e "$("$PG_BIN/pg_config" --pkglibdir)/pg_cron.so" ] || return 0
    say shared_preload_libraries=pg_cron,hibob_fdw
    say cron.use_background_workers=on
}

keep() {
    "$KEEP" || return 0
    say
    say "To connect from another terminal:"
    say "    PGPASSWORD=$PGPASSWORD psql -h $PGHOST -p $PGPORT -U $PGUSER $PGDATABASE"
    "$LIVE" || {
        say "The simulator is at $HIBOB_SIM_URL.  To change it, for example:"
        say "    export HIBOB_SIM_URL=$HIBOB_SIM_URL"
        say "    $SOURCE/test/simulator/tell config '{\"audience\": \"employed\"}'"
    }
    say "Press Enter or Ctrl-C to end the demo."
    # Without a terminal, wait for a signal.
    read -r || run sleep infinity
}

read_arguments "$@"
OPTIONAL_PACKAGES=("postgresql-$PG_VERSION-cron")
! "$LIVE" || use_live
prepare
build all
install_extension
"$LIVE" || use_simulator
mapfile -t settings < <(cron_settings)
start_cluster "${settings[@]}"
run psql -X -q -v ON_ERROR_STOP=1 -f test/demo.sql
keep
