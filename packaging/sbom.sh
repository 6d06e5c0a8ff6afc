#!/bin/sh
# Prints a software bill of materials of this build, as CycloneDX 1.5 in JSON, for
# make, which sets PG_CONFIG and PKG_CONFIG.  It contains the libraries that the
# extension is linked with; the SQL function hibob_fdw_libraries() also shows
# those of libcurl.
#
# With SOURCE_DATE_EPOCH, the same build prints the same bytes.
set -eu

# Versions do not need quotes in JSON.
plain() { tr -cd '[:alnum:].+~_-'; }

version=$(sed -n 's/^   "version": "\(.*\)",$/\1/p' "$(dirname "$0")/../META.json" |
    plain)
postgresql=$("${PG_CONFIG:-pg_config}" --version | awk '{ print $2 }' | plain)
libcurl=$(${PKG_CONFIG:-pkg-config} --modversion libcurl | plain)
# "glibc 2.36"; nothing on other systems
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{ print $2 }' | plain)
for found in "$version" "$postgresql" "$libcurl"; do
    [ -n "$found" ] || { echo "$0: a version is missing" >&2; exit 1; }
done
date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null ||
    date -u -r "${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)

# component NAME VERSION LICENSE SUPPLIER [CPE]
component() {
    cat <<END
{
      "type": "library",
      "bom-ref": "$1",
      "supplier": { "name": "$4" },
      "name": "$1",
      "version": "$2",
      "licenses": [ { "license": { "id": "$3" } } ],
      ${5:+"\"cpe\": \"cpe:2.3:a:$5:$2:*:*:*:*:*:*:*\","}
      "purl": "pkg:generic/$1@$2"
    }
END
}

# Both extensions have the version of the distribution.
own() { component "$1" "$version" PostgreSQL "the hibob_fdw developers"; }

cat <<END | grep -v '^ *$'
{
  "bomFormat": "CycloneDX",
  "specVersion": "1.5",
  "version": 1,
  "metadata": {
    "timestamp": "$date",
    "authors": [ { "name": "the hibob_fdw developers" } ],
    "component": $(own hibob_fdw)
  },
  "components": [
    $(own hibob_roster),
    $(component PostgreSQL "$postgresql" PostgreSQL \
        "PostgreSQL Global Development Group" postgresql:postgresql),
    $(component libcurl "$libcurl" curl "the curl project" haxx:libcurl)${glibc:+,
    $(component glibc "$glibc" LGPL-2.1-or-later "the GNU project" gnu:glibc)}
  ],
  "dependencies": [
    { "ref": "hibob_fdw",
      "dependsOn": [ "PostgreSQL", "libcurl"${glibc:+, \"glibc\"} ] },
    { "ref": "hibob_roster", "dependsOn": [ "PostgreSQL", "hibob_fdw" ] }
  ],
  "compositions": [
    { "aggregate": "complete", "dependencies": [ "hibob_fdw", "hibob_roster" ] },
    { "aggregate": "unknown",
      "dependencies": [ "PostgreSQL", "libcurl"${glibc:+, \"glibc\"} ] }
  ]
}
END
