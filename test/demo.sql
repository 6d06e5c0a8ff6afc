--
-- HiBob's people joined with a company's own table of software licences.
-- Run by test/demo.sh, which sets the variables of the environment.
--
\getenv base_url HIBOB_BASE_URL
\getenv service_user_id HIBOB_SERVICE_USER_ID
\getenv token HIBOB_TOKEN
\getenv cost_centre_field HIBOB_COST_CENTRE_FIELD
\set QUIET on
\pset pager off
\pset footer off
\pset null '-'
\pset linestyle unicode
\pset border 1

-- The server does not log the token, even if the statement fails.
SET log_min_error_statement = panic;
SET log_statement = none;

CREATE EXTENSION hibob_fdw;
CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url :'base_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id :'service_user_id', token :'token');
RESET log_min_error_statement;
RESET log_statement;
\unset token

CREATE FOREIGN TABLE people (
	id text NOT NULL,
	email text,
	full_name text,
	job_title text,
	department text,
	site text,
	manager_name text,
	status text,
	start_date date,
	termination_date date
) SERVER bob OPTIONS (resource 'people');
-- HiBob has no standard field for the cost centre; it is a custom field.
\if :{?cost_centre_field}
ALTER FOREIGN TABLE people ADD COLUMN cost_centre text
	OPTIONS (field :'cost_centre_field', value 'human');
\endif

--
-- The company's table of licences; here it is generated from the people.
--
CREATE TABLE app (name text PRIMARY KEY, monthly_cost numeric(8, 2), share float8);
INSERT INTO app VALUES
	('Google Workspace', 11.50, 0.95), ('Slack', 8.25, 0.85),
	('Zoom', 13.30, 0.40),             ('Jira', 7.50, 0.40),
	('Confluence', 5.75, 0.30),        ('GitHub', 19.00, 0.20),
	('Figma', 42.00, 0.15),            ('Salesforce', 150.00, 0.10),
	('Adobe CC', 77.50, 0.07),         ('Tableau', 70.00, 0.06),
	('Miro', 9.00, 0.20),              ('1Password', 7.25, 0.30);

-- A number from 0 to 1 that depends only on the text.
CREATE FUNCTION draw(VARIADIC words text[]) RETURNS float8
LANGUAGE sql IMMUTABLE AS $$
	SELECT ('x0' || left(md5(array_to_string(words, '/')), 7))::bit(32)::int
		   / (16 ^ 7)
$$;

CREATE TABLE licence (
	app text NOT NULL REFERENCES app (name),
	account text NOT NULL,
	monthly_cost numeric(8, 2) NOT NULL
);

-- All employees have some, future employees none, and two of five former
-- employees one or two.  Some addresses are typed with capital letters.
INSERT INTO licence
SELECT a.name,
	   CASE WHEN draw(p.id, a.name, 'case') < 0.06 THEN initcap(p.email)
			ELSE p.email END,
	   a.monthly_cost
  FROM (SELECT id, email, status = 'Inactive'
						  AND termination_date <= current_date AS former
		  FROM people
		 WHERE email <> '' AND start_date <= current_date) p,
	   LATERAL (SELECT app.*, row_number() OVER (ORDER BY
							  draw(p.id, app.name) / app.share) AS place
				  FROM app) a
 WHERE CASE WHEN p.former
			THEN draw(p.id, 'kept') < 0.4
				 AND a.place <= 1 + round(draw(p.id, 'how many'))
			ELSE a.place = 1 OR draw(p.id, a.name) < a.share END;

-- Accounts that belong to no person: services, and unapproved purchases.
INSERT INTO licence
SELECT app.name, account, app.monthly_cost
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
ANALYZE app, licence;

\pset title 'The company: people in HiBob, licences in PostgreSQL'
SELECT count(*) AS people,
	   count(*) FILTER (WHERE status = 'Active') AS active,
	   count(*) FILTER (WHERE status = 'Inactive'
						  AND termination_date <= current_date) AS former,
	   (SELECT count(*) FROM licence) AS licences,
	   (SELECT count(DISTINCT app) FROM licence) AS apps,
	   (SELECT sum(monthly_cost) FROM licence) AS monthly_cost
  FROM people;

-- People on a long leave and future employees are inactive, too.
\pset title 'They left and still hold a licence: in all'
SELECT count(DISTINCT p.id) AS former_employees, count(*) AS licences,
	   sum(l.monthly_cost) AS monthly_cost
  FROM licence l JOIN people p ON lower(p.email) = lower(l.account)
 WHERE p.status = 'Inactive' AND p.termination_date <= current_date;

\pset title 'They left and still hold a licence: the ten dearest'
SELECT left(p.full_name, 30) AS name, left(p.department, 24) AS department,
	   p.termination_date AS left_on, string_agg(l.app, ', ' ORDER BY l.app) AS apps,
	   sum(l.monthly_cost) AS monthly_cost
  FROM licence l JOIN people p ON lower(p.email) = lower(l.account)
 WHERE p.status = 'Inactive' AND p.termination_date <= current_date
 GROUP BY p.id, p.full_name, p.department, p.termination_date
 ORDER BY monthly_cost DESC, p.full_name COLLATE "C", p.id
 LIMIT 10;

\pset title 'Accounts that belong to nobody'
SELECT l.account, string_agg(l.app, ', ' ORDER BY l.app) AS apps,
	   sum(l.monthly_cost) AS monthly_cost
  FROM licence l LEFT JOIN people p ON lower(p.email) = lower(l.account)
 WHERE p.id IS NULL
 GROUP BY l.account
 ORDER BY monthly_cost DESC, l.account;

\pset title 'Cost by department'
SELECT p.department, count(DISTINCT p.id) AS people, count(*) AS licences,
	   sum(l.monthly_cost) AS monthly_cost,
	   round(sum(l.monthly_cost) / count(DISTINCT p.id), 2) AS a_head
  FROM licence l JOIN people p ON lower(p.email) = lower(l.account)
 GROUP BY p.department
 ORDER BY monthly_cost DESC, p.department;

\if :{?cost_centre_field}
\pset title 'Cost by cost centre'
SELECT p.cost_centre, count(DISTINCT p.id) AS people, count(*) AS licences,
	   sum(l.monthly_cost) AS monthly_cost
  FROM licence l JOIN people p ON lower(p.email) = lower(l.account)
 GROUP BY p.cost_centre
 ORDER BY monthly_cost DESC, p.cost_centre;
\endif

\pset title 'They join within 30 days'
SELECT start_date, left(full_name, 30) AS name, left(job_title, 30) AS job_title,
	   left(department, 24) AS department, site, left(manager_name, 24) AS manager
  FROM people
 WHERE start_date > current_date AND start_date <= current_date + 30
 ORDER BY start_date, full_name COLLATE "C", id;

\pset title
\pset tuples_only on
\pset format unaligned
\echo How PostgreSQL does it: what Salesforce costs each department
\echo
EXPLAIN (ANALYZE, VERBOSE)
SELECT p.department, sum(l.monthly_cost)
  FROM licence l JOIN people p ON lower(p.email) = lower(l.account)
 WHERE p.status = 'Active' AND l.app = 'Salesforce'
 GROUP BY p.department;
