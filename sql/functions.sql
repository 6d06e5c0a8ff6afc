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

DROP VIEW members;
DROP EXTENSION hibob_fdw;
