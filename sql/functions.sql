--
-- The functions and views of the extension.
--
SET client_min_messages = warning;
CREATE EXTENSION hibob_fdw;
CREATE VIEW members AS
SELECT classid, objid FROM pg_depend
 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hibob_fdw');

-- Generators of schemas read views, and many do not know the type name.
SELECT attrelid::regclass AS view, count(*) AS columns,
	   count(*) FILTER (WHERE atttypid = 'name'::regtype) AS of_type_name
  FROM members JOIN pg_attribute ON attrelid = objid
 WHERE classid = 'pg_class'::regclass AND attnum > 0
 GROUP BY attrelid ORDER BY attrelid::regclass::text;

-- Every function has a comment.  Functions that make requests or show other
-- sessions are not executable by PUBLIC.
SELECT objid::regprocedure FROM members
 WHERE classid = 'pg_proc'::regclass AND obj_description(objid, 'pg_proc') IS NULL
 ORDER BY objid::regprocedure::text;
SELECT objid::regprocedure FROM members
 WHERE classid = 'pg_proc'::regclass
   AND NOT has_function_privilege('pg_monitor', objid, 'EXECUTE')
 ORDER BY objid::regprocedure::text;

-- The libraries, for a software bill of materials.  libcurl's own have no
-- headers here.
SELECT library, version ~ '^\d+\.?\d' AS version, built_with ~ '^\d+\.?\d' AS built_with
  FROM hibob_fdw_libraries()
 WHERE library IN ('PostgreSQL', 'glibc', 'libcurl');
SELECT l.version = current_setting('server_version') AS server,
	   c.version = v.libcurl AS libcurl
  FROM hibob_fdw_version() v, hibob_fdw_libraries() l, hibob_fdw_libraries() c
 WHERE l.library = 'PostgreSQL' AND c.library = 'libcurl';
SELECT count(*) FILTER (WHERE library ~ 'SSL|TLS') > 0 AS tls,
	   count(*) FILTER (WHERE built_with IS NOT NULL) AS direct,
	   count(*) - count(DISTINCT library) AS duplicates,
	   count(*) FILTER (WHERE library !~ '^[A-Za-z][-\w]*$' OR version !~ '^[-.+~\w]+$') AS malformed
  FROM hibob_fdw_libraries() WHERE library <> 'PostgreSQL';

DROP VIEW members;
DROP EXTENSION hibob_fdw;
