# hibob_fdw: a foreign data wrapper for HiBob.
#
#   make && make install        builds, and installs into the server of PG_CONFIG
#   make installcheck           runs the regression tests in the running server
#                               that psql connects to; HIBOB_SIM_URL is the
#                               address of a simulator on the same machine
#   make dist                   writes the sources of the last commit to a zip
#                               file for PGXN
#   make -s sbom                prints the software bill of materials, which is
#                               installed with the extension
#
# test/check.sh starts a server and a simulator and runs all tests.  To build in
# another directory, run "make -f …/Makefile VPATH=…".

EXTENSION = hibob_fdw hibob_roster
MODULE_big = hibob_fdw
PGFILEDESC = "hibob_fdw - foreign data wrapper for HiBob"

# Bitcode contains the paths of its sources.  Relative ones do not change with the
# directory of the build.
ifneq ($(VPATH),)
override VPATH := $(or $(shell realpath --relative-to=. '$(VPATH)' 2>/dev/null),$(VPATH))
endif

# The directory of this file; PGXS sets srcdir only when it is included.
HERE := $(or $(VPATH),.)
DATA = $(patsubst $(HERE)/%,%,$(sort $(wildcard $(HERE)/hibob_fdw--*.sql \
	$(HERE)/hibob_roster--*.sql)))
DATA_built = hibob_fdw.cdx.json
SOURCES = $(sort $(wildcard $(HERE)/src/*.c $(HERE)/src/*/*.c))
SOURCE_HEADERS = $(wildcard $(HERE)/src/*.h $(HERE)/src/*/*.h)
OBJS = $(patsubst $(HERE)/%.c,%.o,$(SOURCES))

REGRESS = $(sort $(patsubst $(HERE)/sql/%.sql,%,$(wildcard $(HERE)/sql/*.sql)))
REGRESS_OPTS = --encoding=UTF8 --no-locale
EXTRA_CLEAN = $(patsubst $(HERE)/%.c,%,$(wildcard $(HERE)/test/unit/*.c)) \
	$(addsuffix .deps,$(sort $(dir $(OBJS))))

PG_CONFIG ?= pg_config
PKG_CONFIG ?= pkg-config

# Targets that do not build need no headers.
ifneq ($(filter-out clean distclean dist installcheck uninstall,$(or $(MAKECMDGOALS),all)),)
LIBRARIES = 'libcurl >= 7.88'
LACKING := $(shell said=$$($(PKG_CONFIG) --print-errors --exists $(LIBRARIES) \
	2>&1) || echo "$${said:-$(PKG_CONFIG) finds none}")
ifneq ($(LACKING),)
$(error hibob_fdw needs libcurl 7.88 or newer with its headers (in Debian: libcurl4-openssl-dev, pkg-config; in Fedora: libcurl-devel, pkgconf): $(LACKING))
endif
endif

PG_CPPFLAGS = -I$(srcdir)/src $(shell $(PKG_CONFIG) --cflags libcurl)
# The library exports only what PostgreSQL looks up, which is PGDLLEXPORT: a
# symbol of the same name in another extension would replace one of ours.
# PostgreSQL 15 leaves that word empty.
PG_CPPFLAGS += '-DPGDLLEXPORT=__attribute__((visibility("default")))'
# A callback has all parameters of its type, used or not.
PG_CFLAGS = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter $(WERROR) \
	$(HIBOB_CFLAGS)

# The flags may be those of another compiler that built the server.
ifneq ($(findstring clang,$(CC)),)
PG_CFLAGS += -Wno-ignored-optimization-argument -Wno-ignored-attributes \
	-Wno-unknown-warning-option
endif
SHLIB_LINK = $(shell $(PKG_CONFIG) --libs libcurl) $(HIBOB_CFLAGS)

PGXS := $(shell "$(PG_CONFIG)" --pgxs 2>/dev/null)
ifneq ($(shell test -f "$(PGXS)" && echo yes),yes)
ifneq ($(MAKECMDGOALS),dist)
$(error there is no server to build for: PG_CONFIG=$(PG_CONFIG) does not name the pg_config of an installation with server headers (in Debian: postgresql-server-dev-15 or newer))
endif
else
include $(PGXS)
endif

ifneq ($(filter 9.% 10 11 12 13 14,$(MAJORVERSION)),)
ifneq ($(MAKECMDGOALS),clean)
$(error hibob_fdw needs PostgreSQL 15 or newer; $(PG_CONFIG) belongs to $(MAJORVERSION))
endif
endif

# A newer version may need changes in src/compat.h.
ifeq ($(filter 15 16 17 18 19,$(MAJORVERSION)),)
ifneq ($(filter-out clean distclean dist installcheck uninstall,$(or $(MAKECMDGOALS),all)),)
$(warning hibob_fdw supports PostgreSQL 15 to 19; it may not compile or work with $(MAJORVERSION), to which $(PG_CONFIG) belongs)
endif
endif

# PGXS splits paths at spaces here.
ifneq ($(word 2,$(DESTDIR)),)
ifeq ($(with_llvm),yes)
$(error PGXS cannot install bitcode in a DESTDIR with spaces: say with_llvm=no)
endif
endif

# Every object is rebuilt when a header changes: the tree is small.
$(OBJS): $(SOURCE_HEADERS)
ifneq ($(HERE),.)
$(shell mkdir -p $(sort $(dir $(OBJS))))
endif

# Written with each new library.
$(DATA_built): $(shlib) $(HERE)/META.json $(HERE)/packaging/sbom.sh
	@PG_CONFIG='$(PG_CONFIG)' PKG_CONFIG='$(PKG_CONFIG)' \
	sh '$(HERE)/packaging/sbom.sh' >$@ || { rm -f $@; exit 1; }

sbom: $(DATA_built)
	@cat $(DATA_built)

# The tests use a simulator and control it.
export HIBOB_SIM_URL
export HIBOB_SIM_BASE ?= $(HIBOB_SIM_URL)/v1
export HIBOB_TELL ?= $(abspath $(HERE))/test/simulator/tell

installcheck: has-simulator
has-simulator:
	@"$$HIBOB_TELL" requests >/dev/null || { echo 'make installcheck needs' \
	'a simulator of HiBob on this machine at HIBOB_SIM_URL, or:' \
	'$(HERE)/test/with_simulator.sh make installcheck' >&2; exit 1; }

# The version of the distribution, which differs from that of the SQL objects.
DISTVERSION = $(shell sed -n 's/^   "version": "\(.*\)",$$/\1/p' META.json)
dist:
	TZ=UTC git -c core.autocrlf=false archive --format=zip --prefix=hibob_fdw-$(DISTVERSION)/ \
		-o hibob_fdw-$(DISTVERSION).zip HEAD

.PHONY: has-simulator dist sbom
