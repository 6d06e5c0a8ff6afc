#!/bin/bash
# Runs the tests with programs of others: drivers, PgBouncer, SQLAlchemy with
# pandas, PostGraphile with a browser, pgaudit, and programs that monitor.  Installs
# them, also those whose packages are so large that test/check.sh goes without them
# (chromium, pandas, PostGraphile).  Needs Debian and, the first time, root.
set -euo pipefail
export HIBOB_OPTIONAL=all
exec "$(dirname "${BASH_SOURCE[0]}")/check.sh" t/clients t/pooler t/sqlalchemy \
    t/postgraphile t/pgaudit t/monitoring
