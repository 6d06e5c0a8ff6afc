#!/bin/bash
# Runs inside an empty Debian system: builds the Debian packages of the tree in
# /src with the PostgreSQL of the system, checks them with lintian, runs their
# autopkgtest, and copies them to /out.  Only apt uses the network.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

install() {
    apt-get install -y --no-install-recommends "$@" >/tmp/apt.log 2>&1 </dev/null || {
        tail -n 30 /tmp/apt.log >&2
        exit 1
    }
}

# Without a default cluster and without manual pages.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
export UCF_FORCE_CONFFOLD=1
apt-get update >/dev/null
install build-essential debhelper postgresql-common lintian autopkgtest \
    "$(apt-cache show postgresql-common-dev >/dev/null 2>&1 &&
       echo postgresql-common-dev || echo postgresql-server-dev-all)"

mkdir /build
version=$(dpkg-parsechangelog -l /src/debian/changelog -S Version)
tree=/build/hibob-fdw-${version%-*}
mkdir "$tree"
tar -C /src --exclude-vcs --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
    --exclude=__pycache__ -cf - . | tar -C "$tree" --no-same-owner -xf -
tar -C /build --exclude=debian -czf "/build/hibob-fdw_${version%-*}.orig.tar.gz" \
    "${tree##*/}"
cd "$tree"
pg_buildext updatecontrol
apt-get build-dep -y . >/tmp/apt.log 2>&1 </dev/null || {
    tail -n 30 /tmp/apt.log >&2
    exit 1
}
dpkg-buildpackage -us -uc >/out/build.log 2>&1 || {
    tail -n 100 /out/build.log
    exit 1
}
grep -E '^(ok|not ok|test .*\.\.\.|All [0-9]+ tests|# All)' /out/build.log
cd /build
cp ./*.deb ./*.dsc ./*.tar.* ./*.changes /out
echo "--- lintian"
lintian --allow-root --display-info --tag-display-limit 0 \
    --fail-on error,warning ./*.changes
echo "--- autopkgtest"
autopkgtest -B "$tree" ./*.deb -- null >/out/autopkgtest.log 2>&1 || {
    tail -n 100 /out/autopkgtest.log
    exit 1
}
grep -E '(PASS|FAIL|SKIP)$' /out/autopkgtest.log
for package in ./*.deb; do
    echo "--- ${package##*/}"
    dpkg-deb --field "$package" Package Version Depends
    dpkg-deb --contents "$package" | awk '$1 !~ /^d/ { print $3, $6, $7, $8 }' |
        grep -v '/bitcode/.*/src/'
done
