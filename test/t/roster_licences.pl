# hibob_roster.create_licence_report(): the owner of a licence, and the views
# that use it.  (The recipes' test checks the figures of the demo's data against
# HiBob's JSON.)

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(session employee_id far_from_midnight);
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

far_from_midnight();
my ($node, $sim) = roster_cluster('roster_licences', employees => 100);
my $today = query($node, 'SELECT current_date');
my ($id2, $id3, $id4, $id5, $id6, $id7, $id40, $id41, $id42) = map { employee_id($_) } 2 .. 7, 40 .. 42;

sub day { my ($days) = @_; return query($node, "SELECT DATE '$today' + $days"); }

# Everybody is employed and has an address with their number, except below.
my %config = (today => $today, overrides => {
	map { $_ => { 'root.email' => "p$_\@example.com", 'internal.status' => 'Active',
		'work.startDate' => day(-500), 'internal.terminationDate' => undef,
		'internal.lifecycleStatus' => 'employed' } } 1 .. 100 });
my $people = $config{overrides};
$people->{2}{'root.email'} = ' P2@Example.COM ';
$people->{3}{'root.email'} = 'twice@example.com';
$people->{4}{'root.email'} = 'Twice@example.com';
$people->{5}{'root.email'} = undef;
$people->{6}{'root.email'} = '';
$people->{7}{'internal.terminationDate'} = day(-3);
$people->{7}{'internal.status'} = 'Inactive';
$people->{40}{'root.email'} = 'maiden@example.com';
$people->{42}{'root.email'} = 'reused@example.com';
tell($sim, 'config', \%config);
query($node, q{SELECT hibob_roster.create_roster('bob')});

# 40 marries, 41 disappears, and 42's address goes to 43.
$people->{40}{'root.email'} = 'married@example.com';
$people->{42}{'root.email'} = 'p42@example.com';
$people->{43}{'root.email'} = 'reused@example.com';
tell($sim, 'config', { %config, hidden_employees => [41] });
is((refresh($node, 'hr.roster'))[0], '', 'a refresh');

query($node, q{CREATE TABLE licence (no serial, app text, account text, monthly_cost numeric, last_used date,
		department text, status text);
	INSERT INTO licence (app, account, monthly_cost, last_used, department) VALUES
		('Mail', 'p10@example.com', 1, current_date, 'as the app has it'),
		('Mail', E'\tP11@EXAMPLE.com \n', 1, current_date, NULL),
		('Mail', 'p2@example.com', 1, current_date, NULL),
		('Mail', 'twice@example.com', 1, current_date, NULL),
		('Mail', '', 1, NULL, NULL),
		('Mail', NULL, 1, NULL, NULL),
		('Mail', 'p7@example.com', 100, NULL, NULL),
		('Mail', 'maiden@example.com', 1, current_date, NULL),
		('Mail', 'married@example.com', 1, current_date, NULL),
		('Mail', 'p41@example.com', 50, current_date, NULL),
		('Mail', 'reused@example.com', 1, current_date, NULL),
		('Mail', 'jane@private.example', 1, current_date, NULL),
		('Mail', 'ci-bot', 7, current_date, NULL),
		('Mail', 'unknown-bot', 8, current_date, NULL),
		('Mail', 'stranger@private.example', 1, NULL, NULL),
		('Mail', 'wrong@private.example', 1, NULL, NULL),
		('Mail', 'p20@example.com', 1, current_date - 90, NULL),
		('Mail', 'p21@example.com', 1, current_date - 91, NULL),
		('Mail', 'p22@example.com', 1, NULL, NULL)});
query($node, q{SELECT hibob_roster.create_licence_report('licence', account => 'account', app => 'app',
	cost => 'monthly_cost', last_used => 'last_used')});
query($node, qq{INSERT INTO hr.account_alias VALUES
	(' Jane\@private.example', '$id5', 'no address in HiBob'), ('CI-bot', NULL, 'builds'),
	('unknown-bot', NULL, NULL), ('wrong\@private.example', '1', 'a typing error')});

# --- the owner of a licence --------------------------------------------------

my $OWNER = q{SELECT employee_id, matched_by, match_problem FROM hr.licence_owner WHERE no = };
my @owners = (
	[ 'matched by address', employee_id(10), 'email' ],
	[ 'ignores case and surrounding space', employee_id(11), 'email' ],
	[ '... in HiBob, too', $id2, 'email' ],
	[ 'an address of two people matches neither', '', '', '2 people have this address' ],
	[ 'an empty address matches nobody', '', '' ],
	[ 'a null address matches nobody', '', '' ],
	[ 'matches a person who has left', $id7, 'email' ],
	[ 'matched by a former address', $id40, 'former email' ],
	[ '... and by the current one', $id40, 'email' ],
	[ 'matches a person who disappeared', $id41, 'former email' ],
	[ 'a reused address matches its current owner', employee_id(43), 'email' ],
	[ 'matched by an alias', $id5, 'alias' ],
	[ 'an alias without an employee, with a note', '', 'alias' ],
	[ 'an alias without an employee and note', '', 'alias' ],
	[ 'an unknown address matches nobody', '', '' ],
	[ 'an alias of an unknown employee', '', 'alias', 'the employee of the alias is unknown' ],
);
foreach my $no (1 .. @owners)
{
	my ($name, $id, $by, $problem) = @{ $owners[ $no - 1 ] };
	is(query($node, $OWNER . $no), join('|', $id, $by, $problem // ''), $name);
}
is(query($node, 'SELECT count(*), count(DISTINCT no) FROM hr.licence_owner'), '19|19', 'the view has each licence once');
is(query($node, q{SELECT licence_department, o.department = r.department, o.full_name = r.full_name,
		o.manager_name = r.manager_name, o.site = r.site, licence_status IS NULL, o.status, has_left, on_leave, not_started
	FROM hr.licence_owner o JOIN hr.roster r ON r.id = o.employee_id WHERE no = 1}),
	'as the app has it|t|t|t|t|t|Active|f|f|f', 'it has the columns of the table, of the employee and of the status');
query($node, qq{INSERT INTO hr.account_alias VALUES ('twice\@example.com', '$id3', 'she said so')});
is(query($node, $OWNER . 4), "$id3|alias|", 'an alias decides between two');
is((query_error($node, q{INSERT INTO hr.account_alias VALUES ('ci-BOT ', NULL, 'again')}))[0], '23505',
	'an account has one alias');

# --- the views ---------------------------------------------------------------

is(query($node, q{SELECT no, left_how, full_name IS NOT NULL FROM hr.licence_of_leaver ORDER BY no}),
	"7|terminated|t\n10|disappeared|t", 'licence_of_leaver has people who left or disappeared');
is(query($node, q{SELECT no FROM hr.licence_without_employee ORDER BY no}) =~ s/\n/ /gr, '5 6 14 15 16',
	'licence_without_employee has all others except the bot with a note');
is(query($node, q{SELECT no FROM hr.licence_unused ORDER BY no}) =~ s/\n/ /gr, '18 19',
	'licence_unused has licences that were not used for 90 days');
is(query($node, q{SELECT counted_by, sum(licences), sum(cost) FROM hr.licence_cost GROUP BY 1 ORDER BY 1}),
	join("\n", map { "$_|19|180" } 'cost centre', 'department', 'manager', 'site', 'total'),
	'licence_cost counts all licences by each criterion');
is(query($node, q{SELECT people, licences, cost, name FROM hr.licence_cost WHERE counted_by = 'total'}),
	'12|19|180|', '... in total');
is(query($node, q{SELECT licences, cost FROM hr.licence_cost WHERE name = '(no employee)' GROUP BY 1, 2}),
	'6|19', '... without an employee');
is(query($node, q{SELECT count(*) FROM hr.licence_cost WHERE counted_by = 'department' AND name <> '(no employee)'}),
	query($node, q{SELECT count(DISTINCT coalesce(department, '')) FROM hr.licence_owner WHERE employee_id IS NOT NULL}),
	'... by department');

# Joiners lack the apps that most of the company, or of their department, use.
$people->{60}{'work.startDate'} = day(5);
$people->{60}{'internal.status'} = 'Inactive';
$people->{61}{'work.startDate'} = day(-5);
$people->{62}{'work.startDate'} = day(-31);
$people->{63}{'work.startDate'} = day(31);
tell($sim, 'config', { %config, hidden_employees => [41] });
refresh($node, 'hr.roster');
query($node, q{TRUNCATE licence; INSERT INTO licence (app, account)
	SELECT 'Mail', email FROM hr.roster WHERE email <> '' AND employee_number NOT IN (60, 61, 62, 63);
	INSERT INTO licence (app, account) SELECT 'Rare', email FROM hr.roster WHERE employee_number = 50;
	INSERT INTO licence (app, account) SELECT 'Git', email FROM hr.roster r WHERE email <> ''
		AND department = (SELECT department FROM hr.roster WHERE employee_number = 60)
		AND employee_number NOT IN (60, 61, 62, 63)});
is(query($node, q{SELECT r.employee_number, app, usual_in FROM hr.joiner_without_app j
	JOIN hr.roster r ON r.id = j.employee_id WHERE app = 'Mail' ORDER BY 1}), "60|Mail|company\n61|Mail|company",
	'joiner_without_app has the apps that the company uses');
is(query($node, q{SELECT r.employee_number, app, usual_in FROM hr.joiner_without_app j
	JOIN hr.roster r ON r.id = j.employee_id WHERE app <> 'Mail' AND r.employee_number = 60}), '60|Git|department',
	'... and those that the department uses');

# --- created again, with other arguments -------------------------------------

query($node, q{CREATE ROLE reader; GRANT USAGE ON SCHEMA hr TO reader;
	GRANT SELECT ON hr.licence_owner, hr.licence_of_leaver TO reader});
is((query_error($node, q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app', 'monthly_cost', 'last_used')}))[0],
	'', 'a second call replaces the report');
is(query($node, q{SET ROLE reader; SELECT count(*) > 0 FROM hr.licence_of_leaver}), 't', '... keeps its privileges');
is(query($node, 'SELECT count(*) FROM hr.account_alias'), 5, '... and the aliases');
my ($out, $err) = session($node, q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app')});
like($err, qr/NOTICE: .*licence_unused stays empty without "last_used"/, 'a report without cost and last_used');
is(query($node, q{SELECT count(*), sum(cost) FROM hr.licence_cost WHERE counted_by = 'total';
	SELECT count(*) FROM hr.licence_unused}), "1|\n0", '... has no cost and no unused licences');
query($node, q{CREATE TABLE "Other licences" ("The app" text, "e-mail" text, email text, cost money, "used at" timestamptz);
	INSERT INTO "Other licences" VALUES ('%s', 'p10@example.com', 'x', 12, now()), ('%s', 'p11@example.com', 'x', 12, NULL)});
is((query_error($node, q{SELECT hibob_roster.create_licence_report('"Other licences"', account => 'e-mail', app => 'The app',
	cost => 'cost', last_used => 'used at')}))[0], '', 'a report on another table with other column names');
is(query($node, q{SELECT "The app", "e-mail", licence_email, email, cost::numeric FROM hr.licence_owner ORDER BY 2}),
	"%s|p10\@example.com|x|p10\@example.com|12.00\n%s|p11\@example.com|x|p11\@example.com|12.00", '... returns its values unchanged');
is(query($node, q{SELECT cost::numeric FROM hr.licence_cost WHERE counted_by = 'total'; SELECT count(*) FROM hr.licence_unused}),
	"24.00\n1", '... with cost and last_used');
query($node, 'CREATE VIEW mine AS SELECT * FROM hr.licence_owner');
is((query_error($node, q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app')}))[0], '2BP01',
	'a user\'s view that depends on other columns is an error');
query($node, 'DROP VIEW mine');
query($node, q{CREATE TABLE by_email (email text, app text);
	INSERT INTO by_email VALUES ('p10@example.com', 'Mail')});
is((query_error($node, q{SELECT hibob_roster.create_licence_report('by_email', 'email', 'app')}))[0], '',
	'a report whose account column is named email');
is(query($node, q{SELECT licence_email, email, matched_by FROM hr.licence_owner}),
	'p10@example.com|p10@example.com|email', '... keeps it apart from the employee\'s email');

# The cost centre of a roster whose custom fields have names from their ids.
query($node, q{SELECT hibob_roster.create_roster('bob', 'by_id', 'id');
	CREATE TABLE everybody AS SELECT 'Mail' AS app, email AS account FROM by_id.roster});
tell($sim, 'config', { %config, hidden_employees => [ 41, 50 ] });
refresh($node, 'by_id.roster');
is((query_error($node, q{SELECT hibob_roster.create_licence_report('everybody', 'account', 'app', schema => 'by_id')}))[0], '',
	'a roster without a column cost_centre');
is(query($node, q{SELECT DISTINCT cost_centre FROM by_id.licence_owner}), '', '... has no cost centre');
query($node, q{SELECT hibob_roster.create_licence_report('everybody', 'account', 'app', schema => 'by_id',
	cost_centre => 'work_custom_field_1667499206086')});
my $BY_ID = q{SELECT count(*), count(cost_centre) > 50, count(*) FILTER (WHERE cost_centre IS NOT DISTINCT FROM
		work_custom_field_1667499206086), count(*) FILTER (WHERE cost_centre IS NOT NULL AND left_how = 'disappeared')
	FROM by_id.licence_owner o JOIN by_id.roster_history r ON r.id = o.employee_id AND r.valid_to IS NULL OR
		r.id = o.employee_id AND r.change = 'removed'};
like(query($node, $BY_ID), qr/^(\d+)\|t\|\1\|1$/, '... unless the argument names it');
is(query($node, q{SELECT count(*) > 1 FROM by_id.licence_cost WHERE counted_by = 'cost centre' AND name <> '(none)'}), 't',
	'... which licence_cost counts by');
query($node, q{ALTER TABLE by_id.roster ADD COLUMN employee_number_2 int;
	ALTER FOREIGN TABLE by_id.people ADD COLUMN employee_number_2 int OPTIONS (field 'work.employeeIdInCompany')});
my ($state, $message) = query_error($node, q{SELECT hibob_roster.create_licence_report('everybody', 'account', 'app',
	schema => 'by_id', cost_centre => 'employee_number_2')});
is($state, '42703', '... a column that the history lacks');
like($message, qr/history of mirror by_id\.roster has no column "employee_number_2".*HINT:  The next refresh/s, '... with an error message');
refresh($node, 'by_id.roster');
query($node, q{SELECT hibob_roster.create_licence_report('everybody', 'account', 'app', schema => 'by_id', cost_centre => 'employee_number_2')});
is(query($node, q{SELECT count(DISTINCT cost_centre) > 50 FROM by_id.licence_owner}), 't', '... also of another type than text');
tell($sim, 'config', \%config);

# The type of a column that the report does not read may change.
query($node, 'ALTER TABLE hr.roster ALTER work_phone TYPE varchar');
is((refresh($node, 'hr.roster'))[0], '', 'a column that the report does not read gets another type');

my @errors = (
	[ q{'licence', 'acount', 'app'}, '42703', qr/licence has no column "acount".*HINT:  Its columns are: no, app, account/s ],
	[ q{'licence', 'account', 'app', 'price'}, '42703', qr/no column "price"/ ],
	[ q{'licence', NULL, 'app'}, '22004', qr/must not be null/ ],
	[ q{'licence', 'account', 'app', cost_centre => 'where'}, '42703', qr/hr\.roster has no column "where".*HINT:  Its columns are: id, /s ],
	[ q{'licence', 'account', 'app', schema => 'nowhere'}, '42P01', qr/schema "nowhere" has no roster.*HINT: .*create_roster/s ],
	[ q{'nothing', 'account', 'app'}, '42P01', qr/nothing/ ],
	[ q{'hr.licence_owner', 'email', 'app'}, '42809', qr/hr\.licence_owner is a view of the report.*HINT: /s ],
	[ q{'passing', 'account', 'app'}, '0A000', qr/temporary.*HINT: /s ],
	[ q{'licence', 'account', 'app', last_used => 'app'}, '42883', qr/operator.*DETAIL:  In the definition of view hr\.licence_unused\.\nHINT: /s ],
);
foreach my $case (@errors)
{
	my ($sql, $expected, $pattern) = @$case;
	my ($state, $message) = query_error($node, "CREATE TEMP TABLE passing (account text, app text);
		SELECT hibob_roster.create_licence_report($sql)");

	is($state, $expected, "create_licence_report($sql)");
	like($message, $pattern, '... with an error message');
}
query($node, q{UPDATE hibob_roster.mirrors SET history = NULL});
is((query_error($node, q{SELECT hibob_roster.create_licence_report('licence', 'account', 'app')}))[0], '55000',
	'a roster without a history is an error');

# --- where the lower case of "I" is not "i" ----------------------------------

SKIP: {
	skip 'PostgreSQL without ICU', 1 unless check_pg_config('#define USE_ICU 1');
	$people->{10}{'root.email'} = 'INES@example.com';
	$people->{11}{'internal.lifecycleStatus'} = 'TERMINATED';
	tell($sim, 'config', \%config);
	query($node, q{CREATE DATABASE turkish TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'
		LOCALE_PROVIDER icu ICU_LOCALE 'tr'});
	$node->safe_psql('turkish', qq{CREATE EXTENSION hibob_roster CASCADE;
		CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url '$sim/v1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		SELECT hibob_roster.create_roster('bob');
		CREATE TABLE licence (account text, app text);
		INSERT INTO licence VALUES ('ines\@example.com', 'Mail'), ('P11\@EXAMPLE.COM', 'Mail'),
			('SKIP\@EXAMPLE.COM', 'Mail');
		SELECT hibob_roster.create_licence_report('licence', 'account', 'app');
		INSERT INTO hr.account_alias VALUES ('skip\@example.com', NULL, 'known')});
	is($node->safe_psql('turkish', q{SELECT lower('I') <> 'i', account, matched_by, has_left
		FROM hr.licence_owner ORDER BY lower(account COLLATE "C")}),
		"t|ines\@example.com|email|f\nt|P11\@EXAMPLE.COM|email|t\nt|SKIP\@EXAMPLE.COM|alias|",
		'addresses and statuses match in a Turkish database');
}

$node->stop;
done_testing();
