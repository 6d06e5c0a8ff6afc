/* hibob_fdw--1.0.sql */

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION hibob_fdw" to load this file. \quit

CREATE FUNCTION hibob_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION hibob_fdw_validator(text[], oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION hibob_fdw_version(
    OUT extension text,
    OUT libcurl text,
    OUT json_c text)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT PARALLEL SAFE;

COMMENT ON FUNCTION hibob_fdw_version()
IS 'versions of the extension and of the libraries that it uses';

CREATE FOREIGN DATA WRAPPER hibob_fdw
  HANDLER hibob_fdw_handler
  VALIDATOR hibob_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER hibob_fdw
IS 'HiBob, an HR system: people as foreign tables';
