--
-- HiBob's people joined with a company's own table of software licences.
-- Run by test/demo.sh, which sets the variables of the environment.
--
\getenv base_url HIBOB_BASE_URL
\getenv service_user_id HIBOB_SERVICE_USER_ID
\getenv token HIBOB_TOKEN
\getenv cost_centre_field HIBOB_COST_CENTRE_FIELD
\getenv simulator HIBOB_SIM_URL
\set QUIET on
\pset pager off
\pset footer off
\pset null '-'
\pset linestyle unicode
\pset border 1

-- The server does not log the token, even if the statement fails.
SET log_min_error_statement = panic;
SET log_statement = none;

-- The steps of README are shown as they are typed, except the token.
\set ECHO queries
SET client_min_messages = warning;
CREATE EXTENSION hibob_roster CASCADE;
RESET client_min_messages;

CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base_url');
\set ECHO none
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id :'service_user_id', token :'token');
RESET log_min_error_statement;
RESET log_statement;
\unset token

\set ECHO queries
SELECT hibob_roster.create_roster('bob');

\set ECHO none
SELECT count(*) = 1 AS has_cron FROM pg_available_extensions
 WHERE name = 'pg_cron'
   AND current_setting('shared_preload_libraries') LIKE '%pg_cron%' \gset
\if :has_cron
CREATE EXTENSION pg_cron;
\set ECHO queries
SELECT hibob_roster.schedule('15 4 * * *');
\endif
\set ECHO queries
SELECT mirror, status, rows FROM hibob_roster.health;
\set ECHO none

-- HiBob has no standard field for the cost centre; it is a custom field.
\if :{?cost_centre_field}
SELECT count(*) = 0 AS lacks_it FROM pg_attribute
 WHERE attrelid = 'hr.roster'::regclass AND attname = 'cost_centre' \gset
\if :lacks_it
ALTER FOREIGN TABLE hr.people ADD COLUMN cost_centre text
	OPTIONS (field :'cost_centre_field', value 'human');
ALTER TABLE hr.roster ADD COLUMN cost_centre text;
CALL hibob_roster.refresh();
\endif
\endif

--
-- The company's table of licences.  Here it is generated from the people.
--
SET client_min_messages = warning;
CREATE TABLE hr.licence (
	app text, account text, monthly_cost numeric(8, 2), last_used date,
	PRIMARY KEY (app, account)
);
CREATE TEMP TABLE app (name text PRIMARY KEY, monthly_cost numeric, share float8);
INSERT INTO app VALUES
	('Google Workspace', 11.50, 0.95), ('Slack', 8.25, 0.85),
	('Zoom', 13.30, 0.40),             ('Jira', 7.50, 0.40),
	('Confluence', 5.75, 0.30),        ('GitHub', 19.00, 0.20),
	('Figma', 42.00, 0.15),            ('Salesforce', 150.00, 0.10),
	('Adobe CC', 77.50, 0.07),         ('Tableau', 70.00, 0.06),
	('Miro', 9.00, 0.20),              ('1Password', 7.25, 0.30);

-- A number from 0 to 1 that depends only on the text.
CREATE FUNCTION pg_temp.draw(VARIADIC words text[]) RETURNS float8
LANGUAGE sql IMMUTABLE AS $$
	SELECT ('x0' || left(md5(array_to_string(words, '/')), 7))::bit(32)::int
		   / (16 ^ 7)
$$;

-- All employees have some, future employees none, and two of five former
-- employees one or two.  Some addresses are typed with capital letters.
INSERT INTO hr.licence
SELECT a.name,
	   CASE WHEN pg_temp.draw(p.id, a.name, 'case') < 0.06 THEN initcap(p.email)
			ELSE p.email END,
	   a.monthly_cost,
	   CASE WHEN pg_temp.draw(p.id, a.name, 'used') < 0.8
			THEN current_date - 1 - (30 * pg_temp.draw(a.name, p.id))::int
			WHEN pg_temp.draw(p.id, a.name, 'used') < 0.9
			THEN current_date - 120 END
  FROM (SELECT r.id, r.email, s.has_left AS former
		  FROM hr.roster r JOIN hr.roster_status s USING (id)
		 WHERE r.email <> '' AND r.start_date <= current_date) p,
	   LATERAL (SELECT app.*, row_number() OVER (ORDER BY
							  pg_temp.draw(p.id, app.name) / app.share) AS place
				  FROM app) a
 WHERE CASE WHEN p.former
			THEN pg_temp.draw(p.id, 'kept') < 0.4
				 AND a.place <= 1 + round(pg_temp.draw(p.id, 'how many'))
			ELSE a.place = 1 OR pg_temp.draw(p.id, a.name) < a.share END;

-- Accounts that belong to no person: services, and unapproved purchases.
INSERT INTO hr.licence
SELECT app.name, account, app.monthly_cost, current_date
  FROM (VALUES ('GitHub', 'ci-bot@example.com'),
			   ('GitHub', 'deploy@example.com'),
			   ('GitHub', 'renovate@example.com'),
			   ('Slack', 'alerts@example.com'),
			   ('Slack', 'agency@partner.example'),
			   ('Jira', 'automation@example.com'),
			   ('Jira', 'helpdesk@example.com'),
			   ('Confluence', 'wiki-export@example.com'),
			   ('Salesforce', 'integration@example.com'),
			   ('Salesforce', 'web-leads@example.com'),
			   ('Salesforce', 'consultant@crm-partner.example'),
			   ('Tableau', 'dashboard-tv@example.com'),
			   ('Tableau', 'etl@example.com'),
			   ('Zoom', 'boardroom@example.com'),
			   ('Zoom', 'room-berlin@example.com'),
			   ('Google Workspace', 'info@example.com'),
			   ('Google Workspace', 'jobs@example.com'),
			   ('Adobe CC', 'freelancer.design@mail.example'),
			   ('Figma', 'freelancer.design@mail.example'),
			   ('Miro', 'workshop2023@mail.example'),
			   ('1Password', 'emergency@example.com')) v (app, account)
  JOIN app ON app.name = v.app;
ANALYZE hr.licence;
RESET client_min_messages;
\set ECHO queries
SELECT hibob_roster.create_licence_report('hr.licence', account => 'account',
	app => 'app', cost => 'monthly_cost', last_used => 'last_used');
\set ECHO none

\pset title 'The company: people in HiBob, licences in PostgreSQL'
SELECT count(*) AS people,
	   count(*) FILTER (WHERE status = 'Active') AS active,
	   count(*) FILTER (WHERE has_left) AS former,
	   (SELECT count(*) FROM hr.licence) AS licences,
	   (SELECT count(DISTINCT app) FROM hr.licence) AS apps,
	   (SELECT sum(monthly_cost) FROM hr.licence) AS monthly_cost
  FROM hr.roster_status;

\pset title 'Licences of leavers: total'
SELECT count(DISTINCT employee_id) AS former_employees, count(*) AS licences,
	   sum(monthly_cost) AS monthly_cost
  FROM hr.licence_of_leaver;

\pset title 'Licences of leavers: the ten most expensive people'
SELECT left(full_name, 30) AS name, left(department, 24) AS department,
	   termination_date AS left_on, string_agg(app, ', ' ORDER BY app) AS apps,
	   sum(monthly_cost) AS monthly_cost
  FROM hr.licence_of_leaver
 GROUP BY employee_id, full_name, department, termination_date
 ORDER BY monthly_cost DESC, full_name COLLATE "C", employee_id
 LIMIT 10;

\pset title 'Accounts without an employee'
SELECT account, string_agg(app, ', ' ORDER BY app) AS apps,
	   sum(monthly_cost) AS monthly_cost
  FROM hr.licence_without_employee
 GROUP BY account
 ORDER BY monthly_cost DESC, account;

\pset title 'Cost by department'
SELECT name AS department, people, licences, cost AS monthly_cost,
	   round(cost / nullif(people, 0), 2) AS per_person
  FROM hr.licence_cost WHERE counted_by = 'department'
 ORDER BY monthly_cost DESC, department;

\if :{?cost_centre_field}
\pset title 'Cost by cost centre'
SELECT name AS cost_centre, people, licences, cost AS monthly_cost
  FROM hr.licence_cost WHERE counted_by = 'cost centre'
 ORDER BY monthly_cost DESC, cost_centre;
\endif

\pset title 'Joiners of the next 30 days without the usual apps'
SELECT start_date, left(full_name, 30) AS name, left(department, 24) AS department,
	   left(manager_name, 24) AS manager, string_agg(app, ', ' ORDER BY app) AS missing
  FROM hr.joiner_without_app
 WHERE start_date > current_date
 GROUP BY employee_id, start_date, full_name, department, manager_name
 ORDER BY start_date, full_name COLLATE "C", employee_id;

--
-- Somebody leaves, and the roster is refreshed.  The real HiBob is left alone.
--
\if :{?simulator}
SELECT r.id AS leaver, r.full_name AS leaver_name,
	   r.employee_number AS number, current_date - 1 AS yesterday
  FROM hr.licence_owner o JOIN hr.roster r ON r.id = o.employee_id
 WHERE NOT o.has_left AND r.direct_reports = 0
 GROUP BY r.id ORDER BY sum(o.monthly_cost) DESC, r.id LIMIT 1 \gset
\setenv LEAVER :number
\setenv YESTERDAY :yesterday
\! "$HIBOB_TELL" config "{\"overrides\": {\"$LEAVER\": {\"internal.status\": \"Inactive\", \"internal.terminationDate\": \"$YESTERDAY\"}}}"
SELECT now() AS before \gset
CALL hibob_roster.refresh('hr.roster');

\pset title 'Somebody left yesterday: changes found by the refresh'
SELECT :'leaver_name' AS name, change, column_name, old_value, new_value
  FROM hibob_roster.changes('hr.roster', :'before')
 ORDER BY column_name;

\pset title 'Licences of this leaver'
SELECT full_name AS name, app, account, monthly_cost, left_how, leaves_on
  FROM hr.licence_of_leaver WHERE employee_id = :'leaver'
 ORDER BY app;

\echo A permission is revoked in HiBob. The refresh is refused:
\! "$HIBOB_TELL" config '{"hidden_categories": ["lifecycle"]}'
SET client_min_messages = error;
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
CALL hibob_roster.refresh('hr.roster');
\set ON_ERROR_STOP on
RESET client_min_messages;
\! "$HIBOB_TELL" reset
\pset title 'What a monitor sees'
SELECT mirror, status, rows, last_success < last_attempt AS stale
  FROM hibob_roster.health;
\endif

\pset title
\pset tuples_only on
\pset format unaligned
\echo What a query on the foreign table requests
\echo
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF)
SELECT email FROM hr.people WHERE status = 'Active';
