#!/bin/bash
# Builds PostgreSQL with assertions from Debian's source package, and installs it
# in the place of the packaged server.  test/assertions.sh runs it in a system of
# its own.
#
#   test/lib/build_server.sh VERSION
set -euo pipefail

version=$1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
sed 's/^deb /deb-src /' /etc/apt/sources.list >/etc/apt/sources.list.d/source.list
apt-get update
apt-get install -y --no-install-recommends bison dpkg-dev flex libicu-dev \
    libssl-dev libxml2-dev zlib1g-dev </dev/null

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get source "postgresql-$version"
cd "postgresql-$version"-*/
# The paths of the packages, as far as the tests use them.
./configure --quiet "--prefix=/usr/lib/postgresql/$version" --enable-cassert \
    --enable-debug --enable-tap-tests --with-icu --with-libxml --with-openssl \
    --without-readline CFLAGS='-O1 -fno-omit-frame-pointer' \
    CPPFLAGS=-DRANDOMIZE_ALLOCATED_MEMORY
make -s -j "$(nproc)"
make -s -j "$(nproc)" -C contrib
make -s install
make -s -C contrib install
apt-get clean
