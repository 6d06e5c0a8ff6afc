#!/bin/bash
# Runs inside an empty Debian system: builds the Debian packages of the tree in
# /src for PostgreSQL $1, checks them with lintian, runs their autopkgtest, builds
# them again in other circumstances, which must not change a byte, and copies them
# to /out.  With "quick" as $2 it does not run the regression tests.  Only apt uses
# the network.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
version=$1
quick=${2:-}
[ -z "$quick" ] || export DEB_BUILD_PROFILES=nocheck

install() {
    apt-get install -y --no-install-recommends "$@" >/tmp/apt.log 2>&1 </dev/null || {
        tail -n 30 /tmp/apt.log >&2
        exit 1
    }
}

# Copies the tree to a directory.
copy_tree() {
    mkdir -p "$1"
    tar -C /src --exclude-vcs --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
        --exclude=__pycache__ --exclude='*.cdx.json' --exclude='*.zip' -cf - . |
        tar -C "$1" --no-same-owner -xf -
}

# Builds the packages of the present directory.
build() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 100 "$log"
        exit 1
    }
}

# All files of a directory that are not documentation.
files() {
    (cd "$1" && find . -type f -not -path './usr/share/doc/*' \
        -not -path './usr/share/lintian/*' | sort)
}

# Without a default cluster and without manual pages.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
# postgresql-common does not have the version of experimental.
export PG_SUPPORTED_VERSIONS=$version
export UCF_FORCE_CONFFOLD=1
apt-get update >/dev/null
install build-essential debhelper postgresql-common lintian autopkgtest \
    faketime locales-all "postgresql-$version" "postgresql-server-dev-$version" \
    "$(apt-cache show postgresql-common-dev >/dev/null 2>&1 &&
       echo postgresql-common-dev || echo postgresql-server-dev-all)"

source_version=$(dpkg-parsechangelog -l /src/debian/changelog -S Version)
name=hibob-fdw-${source_version%-*}
tree=/build/$name
copy_tree "$tree"
tar -C /build --exclude=debian -czf "/build/hibob-fdw_${source_version%-*}.orig.tar.gz" \
    "$name"
cd "$tree"
pg_buildext updatecontrol
apt-get build-dep -y . >/tmp/apt.log 2>&1 </dev/null || {
    tail -n 30 /tmp/apt.log >&2
    exit 1
}
build /out/build.log env "DEB_BUILD_OPTIONS=${quick:+nocheck }parallel=$(nproc)" \
    dpkg-buildpackage -us -uc
[ -n "$quick" ] ||
    grep -E '^(ok|not ok|test .*\.\.\.|All [0-9]+ tests|# All)' /out/build.log
cd /build
cp ./*.deb ./*.dsc ./*.tar.* ./*.changes /out
echo "--- lintian"
lintian --version
# (With --show-overrides, --fail-on would count what is overridden.)
lintian --allow-root --display-info --tag-display-limit 0 --show-overrides \
    --fail-on none ./*.changes | tee /tmp/lintian
# What lintian finds differs between releases of Debian.
! grep '^[EWI]:' /tmp/lintian | grep -v ': unused-override' | grep -q . || exit 1

echo "--- the files of make install"
package=postgresql-$version-hibob-fdw
dpkg-deb --extract "$package"_*.deb /tmp/package
make -s -C "$tree/build-$version" -f "$tree/Makefile" "VPATH=$tree" install \
    DESTDIR=/tmp/image "PG_CONFIG=/usr/lib/postgresql/$version/bin/pg_config"
diff <(files /tmp/image) <(files /tmp/package)
files /tmp/package | wc -l

echo "--- the links of the documentation"
(
    cd "/tmp/package/usr/share/doc/$package"
    grep -oE '\]\([^)#]+' README.md SECURITY.md CONTRIBUTING.md doc/*.md doc/*/*.md |
        grep -v 'http[s]*:' | sed 's/:](/ /' >/tmp/links
    wc -l </tmp/links
    while read -r page link; do
        case $page in */*) link=${page%/*}/$link ;; esac
        [ -e "$link" ] || { echo "$page: $link is not there"; exit 1; }
    done </tmp/links
)

if [ -z "$quick" ]; then
    echo "--- autopkgtest"
    autopkgtest -B "$tree" ./*.deb -- null >/out/autopkgtest.log 2>&1 || {
        tail -n 100 /out/autopkgtest.log
        exit 1
    }
    grep -E '(PASS|FAIL|SKIP)$' /out/autopkgtest.log
fi

echo "--- built again: another directory, time, locale, umask, number of jobs"
again=/var/tmp/elsewhere/another-name
umask 027
copy_tree "$again"
cd "$again"
pg_buildext updatecontrol
build /out/build-again.log env LC_ALL=tr_TR.UTF-8 TZ=Pacific/Kiritimati HOME=/tmp \
    "DEB_BUILD_OPTIONS=nocheck parallel=1" \
    faketime '+401 days' dpkg-buildpackage -us -uc -b
grep -q "elsewhere/another-name" /out/build-again.log
for file in /build/*.deb; do
    cmp "$file" "../${file##*/}"
    sha256sum "$file"
done

for file in /build/*.deb; do
    echo "--- ${file##*/}"
    dpkg-deb --field "$file" Package Version Depends
    dpkg-deb --contents "$file" | awk '$1 !~ /^d/ { print $3, $6, $7, $8 }' |
        grep -v '/bitcode/.*/src/'
done
