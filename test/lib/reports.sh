# shellcheck shell=bash
# Functions that test/sanitize.sh and test/valgrind.sh share: they run
# test/check.sh with servers that write reports, and check the reports.  Sourced
# in the root of the tree, by a script with "set -euo pipefail".
#
#   REPORTS                      the directory of the reports
#   install_compiler             before the script builds something
#   check_with_reports NAME...   fails if a test fails, or if there is a report

# Servers run as another user.
REPORTS=$(mktemp -d "${TMPDIR:-/tmp}/hibob_fdw_reports.XXXXXX")
chmod 1777 "$REPORTS"
trap 'rm -rf "$REPORTS"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

install_compiler() (
    # shellcheck source=test/lib/setup.sh
    . test/lib/setup.sh
    PACKAGES+=("$@")
    install_packages
)

# A process without findings leaves an empty file.
check_with_reports() {
    local status=0 file reports=0
    test/check.sh "$@" || status=$?
    for file in "$REPORTS"/{address,undefined,process}.*; do
        [ -s "$file" ] || continue
        reports=$((reports + 1))
        [ "$reports" -gt 5 ] || head -n 80 "$file"
    done
    printf '%d reports\n' "$reports"
    [ "$status$reports" = 00 ]
}
