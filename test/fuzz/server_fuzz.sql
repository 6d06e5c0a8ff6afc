-- The tables of row_fuzz.c, and the function that runs a harness.  MODULE is the
-- path of the harness.  For a server in single-user mode: a statement ends with
-- an empty line.

CREATE FUNCTION hibob_fuzz(text, text[]) RETURNS void
	AS 'MODULE' LANGUAGE C;

CREATE FUNCTION hibob_fdw_handler() RETURNS fdw_handler
	AS 'MODULE' LANGUAGE C STRICT;

CREATE FUNCTION hibob_fdw_validator(text[], oid) RETURNS void
	AS 'MODULE' LANGUAGE C STRICT;

CREATE FOREIGN DATA WRAPPER hibob_fdw
	HANDLER hibob_fdw_handler VALIDATOR hibob_fdw_validator;

CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw;

CREATE DOMAIN positive AS int NOT NULL CHECK (value > 0);

CREATE DOMAIN words AS text[] CHECK (cardinality(value) < 3);

CREATE TYPE colour AS ENUM ('red', 'green');

CREATE FOREIGN TABLE people (
	id text,
	email varchar(40),
	title text OPTIONS (field 'work.title', value 'human'),
	title_id bigint OPTIONS (field 'work.title'),
	start_date date,
	a int OPTIONS (field 'a'),
	b numeric(6, 2) OPTIONS (field 'b'),
	c float8 OPTIONS (field 'c'),
	d boolean OPTIONS (field 'd'),
	e timestamptz OPTIONS (field 'e'),
	f interval OPTIONS (field 'f'),
	g json OPTIONS (field 'g'),
	h text[] OPTIONS (field 'h'),
	i int[] OPTIONS (field 'i'),
	j jsonb[] OPTIONS (field 'j'),
	k positive OPTIONS (field 'k'),
	l words OPTIONS (field 'l'),
	m uuid OPTIONS (field 'm'),
	n colour OPTIONS (field 'n'),
	o text OPTIONS (field 'o', path 'p.q'),
	r char(3) OPTIONS (field 'r'),
	whole jsonb OPTIONS (field '*'))
	SERVER bob OPTIONS (resource 'people');

CREATE FOREIGN TABLE salaries (
	employee_id text,
	id bigint,
	a numeric OPTIONS (field 'base', path 'value'),
	b text OPTIONS (field 'base', path 'currency'),
	whole jsonb OPTIONS (field '*'))
	SERVER bob OPTIONS (resource 'salaries');

CREATE FOREIGN TABLE positions (
	a text OPTIONS (field '/root/id'),
	b int OPTIONS (field '/a'),
	whole json OPTIONS (field '*'))
	SERVER bob OPTIONS (resource 'positions');

CREATE FOREIGN TABLE report (
	a text OPTIONS (field 'a'),
	b int OPTIONS (field 'a'),
	c text[] OPTIONS (field 'b'),
	d jsonb OPTIONS (field 'b'),
	e date OPTIONS (field 'a#2'))
	SERVER bob OPTIONS (resource 'report', report_id '1');

CREATE FOREIGN TABLE lists (
	list text,
	id text,
	name text)
	SERVER bob OPTIONS (resource 'named_lists');

