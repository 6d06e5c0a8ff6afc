#!/bin/bash
# Compares hibob_fdw with lower bounds and with alternatives; see README.md.
# Needs Debian and, the first time, root.
#
#   test/bench/run.sh                    everything, about 15 minutes
#   test/bench/run.sh --sizes 1000,10000 --runs 3 --minutes 2
#   test/bench/run.sh --help
#
# Prints the report, and writes it to report.md and report.json.
set -euo pipefail
# shellcheck source=test/lib/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"

# Debian's Python modules need Debian's python3.
PACKAGES+=(curl python3-psycopg2 libjson-c-dev libpq-dev)
OPTIONAL_PACKAGES=("postgresql-plpython3-$PG_VERSION")
CALLED_FROM=$PWD

case " $* " in *" --help "* | *" -h "*)
    exec /usr/bin/python3 "$SOURCE/test/bench/bench.py" --help ;;
esac

prepare
build all
install_extension
build -C test/bench
start_simulator --employees 500 --today 2026-11-24 --rate-limit 100000
start_cluster
mkdir "$WORK/bodies"
! is_root || chown postgres:postgres "$WORK/bodies"
export BENCH_DIRECTORY=$WORK/bodies BENCH_OUTPUT=$WORK/tmp/report
cd test/bench
run /usr/bin/python3 bench.py "$@"
output=$CALLED_FROM/bench-results
mkdir -p "$output"
cp "$WORK/tmp/report/"* "$output/"
cat "$output/report.md"
