\set ECHO none
-- Functions that the regression tests share.  A test includes this with
--
--     \getenv here PG_ABS_SRCDIR
--     \set here :here '/test/lib/regress.sql'
--     \i :here

-- The output of EXPLAIN in the format of PostgreSQL 15.  Version 19 has names for
-- subplans, and a line about what a Result replaces; 18 has decimals in numbers of
-- rows, shows buffers by default, and shows which nodes are disabled; 17 names the
-- result of an InitPlan.  The order of the sides of a join condition is random.
CREATE OR REPLACE FUNCTION public.explain(query text,
	options text DEFAULT 'ANALYZE, VERBOSE')
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	side text[];
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (%s, COSTS OFF, BUFFERS OFF, '
		'TIMING OFF, SUMMARY OFF) %s', options, query) LOOP
		CONTINUE WHEN line ~ '^ *Replaces: ';
		line := regexp_replace(line, '(rows=\d+)\.00 ', '\1 ');
		line := regexp_replace(line, '\m(InitPlan|SubPlan) [a-z]+_(\d+)',
							   '\1 \2', 'g');
		line := regexp_replace(line, ' \(returns \$\d+\)$', '');
		line := regexp_replace(line, '\((\$\d+|\(InitPlan \d+\)\.col1)\)',
							   '(InitPlan)');
		line := regexp_replace(line, '\n *"Disabled": false,', '', 'g');
		side := regexp_match(line, '^(.*: \()([a-z0-9_.()]+) = ([a-z0-9_.()]+)(\))$');
		IF side[2] > side[3] THEN
			line := format('%s%s = %s%s', side[1], side[3], side[2], side[4]);
		END IF;
		RETURN NEXT line;
	END LOOP;
END $$;
\set ECHO all
