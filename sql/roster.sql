--
-- hibob_roster: mirrors, refresh, guards, history, health, licences.  What needs
-- other roles, sessions or times is in test/t/roster_*.pl.
--
\getenv here PG_ABS_SRCDIR
\set here :here '/test/lib/regress.sql'
\i :here
\getenv base HIBOB_SIM_BASE
\! "$HIBOB_TELL" reset
SET client_min_messages = warning;
CREATE EXTENSION hibob_roster CASCADE;
RESET client_min_messages;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');

-- From nothing to a roster.
SELECT hibob_roster.create_roster('bob');
SELECT count(*), count(DISTINCT id), count(cost_centre) > 0 AS cost_centre FROM hr.roster;
SELECT mirror, status, rows, message, hint FROM hibob_roster.health;
SELECT mirror, source, key_columns, history, max_removed_percent, max_emptied_percent,
	   max_age, keep_history FROM hibob_roster.mirrors;
SELECT count(*), max(level), count(*) FILTER (WHERE in_cycle) AS cycles,
	   string_agg(root, ', ') AS roots FROM hr.org_chart;

-- A refresh writes what differs.
\! "$HIBOB_TELL" config '{"overrides": {"2": {"work.site": "Mars"}}, "hidden_employees": [25]}'
CALL hibob_roster.refresh();
SELECT outcome, rows, added, changed, removed, returned FROM hibob_roster.refresh_log ORDER BY started_at;
SELECT change, key, column_name, old_value, new_value
  FROM hibob_roster.changes('hr.roster', (SELECT min(finished_at) FROM hibob_roster.refresh_log))
 WHERE change <> 'removed' OR column_name IN ('id', 'email') ORDER BY 1, 2, 3;
SELECT change, valid_from < valid_to AS ended FROM hr.roster_history
 WHERE id = '3332883884017714163' ORDER BY valid_from, valid_to NULLS LAST;
SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster,
	(SELECT min(finished_at) FROM hibob_roster.refresh_log));
SELECT count(*) FROM hibob_roster.as_of(NULL::hr.roster, now());

-- A guard.
\! "$HIBOB_TELL" config '{"hidden_fields": ["work.title"]}'
SET client_min_messages = error;
\set VERBOSITY terse
CALL hibob_roster.refresh('hr.roster');
\set VERBOSITY default
SELECT status, rows, message, hint FROM hibob_roster.health;
CALL hibob_roster.refresh('hr.roster', force => true);
RESET client_min_messages;
SELECT count(job_title) FROM hr.roster;
\! "$HIBOB_TELL" reset
CALL hibob_roster.refresh('hr.roster');
SELECT outcome, rows, added, changed, removed, returned FROM hibob_roster.refresh_log ORDER BY started_at;

-- One more column.
ALTER FOREIGN TABLE hr.people ADD COLUMN birthday text OPTIONS (field 'personal.shortBirthDate');
ALTER TABLE hr.roster ADD COLUMN birthday text;
CALL hibob_roster.refresh('hr.roster');
SELECT changed FROM hibob_roster.refresh_log ORDER BY started_at DESC LIMIT 1;
SELECT count(birthday) > 0 AS filled FROM hr.roster;
ALTER TABLE hr.roster ADD COLUMN nonsense text;
\set VERBOSITY terse
CALL hibob_roster.refresh('hr.roster');
ALTER TABLE hr.roster DROP COLUMN nonsense;
\set VERBOSITY default

-- Licences.
CREATE TABLE licence (app text, account text, monthly_cost numeric(8, 2));
INSERT INTO licence VALUES ('Mail', 'GRACE.Okafor1@example.com ', 6), ('Mail', 'olden.days25@example.com', 6),
	('CRM', 'olden.days25@example.com', 150), ('Git', 'ci-bot', 19), ('Git', 'unknown@example.org', 19);
SELECT hibob_roster.create_licence_report('licence', account => 'account', app => 'app', cost => 'monthly_cost');
INSERT INTO hr.account_alias VALUES ('CI-Bot', NULL, 'builds');
SELECT app, account, full_name, matched_by FROM hr.licence_owner ORDER BY app, account;
SELECT full_name, app, monthly_cost, left_how FROM hr.licence_of_leaver ORDER BY app;
SELECT app, account FROM hr.licence_without_employee;
SELECT counted_by, name, people, licences, cost FROM hr.licence_cost
 WHERE counted_by IN ('total', 'department') ORDER BY 1, 2;

-- Another table, and the end.
IMPORT FOREIGN SCHEMA hibob LIMIT TO (work_history) FROM SERVER bob INTO hr;
SELECT hibob_roster.create_mirror('hr.work_history', 'jobs', columns => ARRAY['effective_date', 'site'],
	history => false);
\d hr.jobs
SELECT hibob_roster.drop_mirror('hr.jobs');
SELECT hibob_roster.forget('hr.roster', '3332883884017714163');
SELECT hibob_roster.drop_mirror('hr.roster');
SELECT count(*) FROM pg_class WHERE relnamespace = 'hr'::regnamespace AND relkind IN ('r', 'v');
DROP TABLE licence;
DROP SCHEMA hr CASCADE;
DROP SERVER bob CASCADE;
DROP EXTENSION hibob_roster;
DROP EXTENSION hibob_fdw;
