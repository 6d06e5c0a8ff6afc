# hibob_fdw: HiBob's people, as foreign tables.
#
#   make && make install        build, and install for the server of PG_CONFIG
#   make installcheck           regression tests, with a simulator running;
#                               test/check.sh starts one and runs every test

EXTENSION = hibob_fdw
MODULE_big = hibob_fdw
DATA = hibob_fdw--1.0.sql
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
PGFILEDESC = "hibob_fdw - foreign data wrapper for HiBob"

REGRESS = $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
REGRESS_OPTS = --encoding=UTF8 --no-locale
EXTRA_CLEAN = $(patsubst %.c,%,$(wildcard test/unit/*.c))

PG_CONFIG ?= pg_config
PKG_CONFIG ?= pkg-config

ifneq ($(MAKECMDGOALS),clean)
ifneq ($(shell $(PKG_CONFIG) --exists 'libcurl >= 7.88' 'json-c >= 0.16' && echo yes),yes)
$(error hibob_fdw needs the headers of libcurl 7.88 and json-c 0.16 or newer, found by $(PKG_CONFIG); in Debian: libcurl4-openssl-dev, libjson-c-dev, pkg-config)
endif
endif

PG_CPPFLAGS = -I$(srcdir)/src $(shell $(PKG_CONFIG) --cflags libcurl json-c)
# Callbacks have the parameters that others give them.
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter $(WERROR)

# The server may have been built with another compiler's flags.
ifneq ($(findstring clang,$(CC)),)
PG_CFLAGS += -Wno-ignored-optimization-argument -Wno-ignored-attributes \
	-Wno-unknown-warning-option
endif
SHLIB_LINK = $(shell $(PKG_CONFIG) --libs libcurl json-c)

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Every object is built anew when a header changes: the tree is small.
$(OBJS): $(wildcard src/*.h)
