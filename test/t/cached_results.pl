# Results that are kept for a time (cache_ttl) or for a statement: which queries
# share them, how long, and what invalidates them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT session employee_id wait_until wait_for_stalled);
use Test::More;
use Time::HiRes qw(time sleep);

my $sim = start_simulator(employees => 300);
my $node = new_cluster('cached_results');
my $connstr = $node->connstr('postgres');

add_server($node, 'bob', $sim);
query($node, q{
	CREATE FOREIGN TABLE kept (id text, email text, department text, status text)
		SERVER bob OPTIONS (resource 'people', cache_ttl '1min');
	CREATE FOREIGN TABLE briefly (id text, email text)
		SERVER bob OPTIONS (resource 'people', cache_ttl '2s');
	CREATE TABLE licence AS SELECT n, (3332883884017713238 + 37 * n)::text AS person
		FROM generate_series(1, 12) n;
	ANALYZE licence});

# Lines of a psql script: SQL in another session, a command to the simulator.
sub elsewhere { return qq{\\! psql -qXAt -d "$connstr" -c "$_[0]"\n} }
sub simulator { return qq{\\! HIBOB_SIM_URL=$sim test/simulator/tell $_[0]\n} }

# Runs a script; checks its output and the number of its requests.
sub check
{
	my ($name, $script, $out, $n) = @_;
	requests($sim);
	my ($got, $err) = session($node, $script);
	is("$got$err", $out, $name);
	is(scalar requests($sim), $n, '... requests') if defined $n;
	return;
}

# ----------------------------------------------------------------------------
# For a time: cache_ttl
# ----------------------------------------------------------------------------

my $count = "SELECT count(email) FROM kept;\n";

check('cached in the session', $count x 4, join("\n", (298) x 4), 1);
check('fewer columns use the cached result, other columns do not',
	"SELECT count(email), max(department) FROM kept;\n$count"
	  . "SELECT max(department), count(*) FROM kept;\n"
	  . "SELECT max(status), count(email) FROM kept;\n$count"
	  . "SELECT count(*) FROM kept WHERE department = status;\n",
	"298|Sales\n298\nSales|300\nInactive|298\n298\n0", 3);
check('other values have a result of their own',
	join('', map { "SELECT count(*) FROM kept WHERE id IN ($_);\n" } "'1', '2'",
		"'1'", "'1', '2'", q{E'1\n1 2'}, "'2'") . "SELECT count(*) FROM kept;\n"
	  . "SELECT count(*) > 1 FROM kept WHERE status = 'Active';\n",
	"0\n0\n0\n0\n0\n300\nt", undef);
foreach ("SELECT hibob_fdw_disconnect('bob') IS NULL;\n",
	"SELECT hibob_fdw_disconnect_all() IS NULL;\n")
{
	check("dropped by $_", $count x 2 . $_ . $count x 2,
		"298\n298\nf\n298\n298", 2);
}
check('a result that was read meanwhile is not cached', "SET client_min_messages = error;\n"
	  . "BEGIN; DECLARE c CURSOR FOR SELECT email FROM kept; MOVE 1 FROM c;\n"
	  . "SELECT hibob_fdw_disconnect_all(); MOVE ALL FROM c; COMMIT;\n$count", "f\n298", 2);

# ALTER, in this session and in another one.
my $turn = 20;
foreach my $alter (
	sub { "ALTER SERVER bob OPTIONS (ADD read_timeout '$_[0]s');"
		. "ALTER SERVER bob OPTIONS (DROP read_timeout);" },
	sub { "ALTER FOREIGN TABLE kept OPTIONS (ADD min_rows '$_[0]');"
		. "ALTER FOREIGN TABLE kept OPTIONS (DROP min_rows);" },
	sub { "ALTER FOREIGN TABLE kept ALTER department OPTIONS (ADD value 'machine');"
		. "ALTER FOREIGN TABLE kept ALTER department OPTIONS (DROP value);" },
	sub { "ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (SET token '$TOKEN');" })
{
	my $sql = $alter->($turn++);

	check("dropped by $sql", "$count$count$sql\n$count", "298\n298\n298", 2);
	check('... by another session', "$count$count" . elsewhere($sql) . $count,
		"298\n298\n298", 2);
}
check('not dropped by ALTER of another table', "$count$count"
	  . elsewhere("ALTER FOREIGN TABLE briefly OPTIONS (ADD min_rows '1');"
		. "ALTER FOREIGN TABLE briefly OPTIONS (DROP min_rows)") . $count,
	"298\n298\n298", 1);

# Generic plans, PL/pgSQL, views.
check('a prepared statement', q{PREPARE p (text) AS SELECT count(*) FROM kept WHERE id = $1;}
	  . ("EXECUTE p ('" . employee_id(3) . "');\n") x 8, join("\n", (1) x 8), 1);
check('a function', q{CREATE FUNCTION pg_temp.n() RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN RETURN (SELECT count(*) FROM kept k JOIN kept l USING (id)); END $$;
	SELECT pg_temp.n() FROM generate_series(1, 3);}, "300\n300\n300", 1);

# The time ends, counted from the request; meanwhile HiBob's data changed.  On a
# busy machine a result may expire before the test looks at it.  Then it is tried
# with a longer time.
sub check_expiry
{
	my ($name, $script, $out, $n) = @_;
	my ($got, $err, $made);

	foreach my $seconds (2, 10, 50)
	{
		query($node, "ALTER FOREIGN TABLE briefly OPTIONS (SET cache_ttl '${seconds}s')");
		tell($sim, 'reset');
		($got, $err) = session($node, $script->($seconds));
		$made = requests($sim);
		last if "$got$err" eq $out && $made == $n;
	}
	is("$got$err", $out, $name);
	is($made, $n, '... requests');
	return;
}
my $brief = "SELECT count(id) FROM briefly;\n";
sub pause { return 'SELECT pg_sleep(' . $_[0] . ");\n" }
sub slow_response
{
	my ($seconds) = @_;
	return simulator(sprintf q(fault '{"stall": {"seconds": %s, "after": 5000}}'), $seconds);
}
check_expiry('the cached result shows the old rows', sub {
	return $brief . simulator(q(config '{"hidden_employees": [1, 2]}')) . $brief },
	"300\n300", 1);
check_expiry('... until its time ends', sub {
	return $brief . simulator(q(config '{"hidden_employees": [1, 2]}'))
	  . pause($_[0] + 0.1) . $brief }, "300\n\n298", 2);
check_expiry('a result that took longer is not cached', sub {
	return slow_response($_[0] + 0.1) . $brief x 2 }, "300\n300", 2);
check_expiry('... nor is a slow result cached for longer', sub {
	return slow_response($_[0] * 0.6) . "$brief$brief" . pause($_[0] * 0.45) . $brief },
	"300\n300\n\n300", 2);
tell($sim, 'reset');

# Rows of two settings are not cached.
check('a setting that changes while the rows are read',
	"SET timezone = 'UTC'; BEGIN; DECLARE c CURSOR FOR SELECT id FROM kept;\n"
	  . "FETCH 0 FROM c; MOVE 1 FROM c; SET timezone = 'Asia/Tokyo'; MOVE ALL FROM c; COMMIT;\n"
	  . "SET timezone = 'UTC'; SELECT count(id) FROM kept;\n" x 2, "300\n300", 2);

# An incomplete or failed result is not cached.
check('LIMIT', "SELECT count(*) FROM (SELECT id FROM kept LIMIT 2) x;\n" x 2,
	"2\n2", 2);
tell($sim, 'config', { overrides => { 200 => { 'root.email' => 'x' } } });
check('an error', "\\set VERBOSITY sqlstate\n"
	  . "SELECT count(1 / (length(email) - 1)) FROM kept;\n" x 2
	  . "SELECT count(email) FROM kept;\n" x 2,
	"298\n298psql:<stdin>:3: ERROR:  22012\npsql:<stdin>:4: ERROR:  22012", 3);
tell($sim, 'reset');

# ----------------------------------------------------------------------------
# For a statement: materialized rows
# ----------------------------------------------------------------------------

# Checks the output of a statement and the number of its requests.
sub once
{
	my ($name, $sql, $out, $n) = @_;
	check($name, "SET enable_mergejoin = off;\n$sql;\n", $out, $n);
	return;
}

once('different columns', q{SELECT (SELECT count(email) FROM bob.people),
	(SELECT count(full_name) FROM bob.people), (SELECT max(id) FROM bob.people)},
	'298|300|' . employee_id(300), 1);
query($node, q{CREATE FOREIGN TABLE tree (id text, manager_id text) SERVER bob
	OPTIONS (resource 'people')});
once('a recursive query', 'WITH RECURSIVE t AS (SELECT ' . "'" . employee_id(1)
	  . q{' AS id UNION ALL SELECT p.id FROM tree p JOIN t ON p.manager_id = t.id)
	SELECT count(*) FROM t}, '300', 1);
once('in a correlated subquery', q{SELECT n, (SELECT count(*) FROM bob.people p
	JOIN licence l ON l.person = p.id WHERE l.n < g.n * 3) FROM generate_series(1, 3) g (n)},
	"1|2\n2|5\n3|8", 1);
once('in a LATERAL subquery', q{SET enable_nestloop = on; SELECT n, c FROM
	generate_series(1, 3) g (n), LATERAL (SELECT count(l.n) AS c FROM bob.people p
	LEFT JOIN licence l ON l.person = p.id AND l.n < g.n OFFSET 0) x},
	"1|0\n2|1\n3|2", 1);
once('the inner side of a nested loop', q{SET enable_hashjoin = off; SET enable_material = off;
	SELECT count(*) FROM licence l JOIN bob.people p ON p.id < l.person}, '66', 1);
once('a subplan for each row', q{SELECT sum((SELECT count(*) FROM bob.people p
	WHERE p.id < l.person)) FROM licence l}, '66', 1);
once('a union', q{SELECT count(*) FROM (SELECT email FROM bob.people WHERE
	department = 'Legal' UNION SELECT full_name FROM bob.people WHERE department = 'Sales') x},
	query($node, q{SELECT count(*) FROM (SELECT DISTINCT CASE department WHEN 'Legal'
	THEN email ELSE full_name END FROM bob.people WHERE department IN ('Legal', 'Sales')) x}), 1);
once('no values', q{SELECT count(*) FROM bob.people WHERE id = ANY (ARRAY(SELECT
	person FROM licence WHERE n > 99))}, '0', 0);
once('an array of a subquery', q{SELECT count(*) FROM bob.people WHERE id = ANY
	(ARRAY(SELECT person FROM licence))}, '12', 1);

# More rows than work_mem.
my $wide = q{SELECT count(*), count(DISTINCT a.id) FROM bob.people a JOIN bob.people b
	ON lower(a.email) = lower(b.email) JOIN bob.people c ON c.full_name > b.full_name};
my $expected = query($node, $wide);
requests($sim);
once('larger than work_mem', "SET work_mem = '64kB'; $wide", $expected, 1);

# ----------------------------------------------------------------------------
# Rows that another session has changed
# ----------------------------------------------------------------------------

# A row that another session changed is checked again (EvalPlanQual) with the
# joined row of people, without another request.
$node->safe_psql('postgres', q{CREATE TABLE account (id int, person text, state text);
	INSERT INTO account SELECT n, (3332883884017713238 + 37 * n)::text, 'open'
	  FROM generate_series(1, 5) n});
tell($sim, 'fault', { endpoint => '*', stall => { seconds => 300 } });
requests($sim);
my ($updating, $other) = map { HibobSession->new($node) } 1, 2;
$updating->send(q{WITH u AS (UPDATE account a SET state = a.state || ' by ' || p.email
	FROM bob.people p WHERE p.id = a.person AND a.state LIKE 'open%'
	RETURNING a.id, a.state) SELECT * FROM u ORDER BY id;});
wait_for_stalled($sim);
$other->run(q{BEGIN; UPDATE account SET state = CASE id WHEN 2 THEN 'shut' ELSE
	state || '!' END WHERE id < 4;});
tell($sim, 'resume');
wait_until('lock', sub { return query($node, q{SELECT count(*) FROM pg_stat_activity
	WHERE wait_event_type = 'Lock' AND pid = } . $updating->backend) });
$other->run('COMMIT;');
my ($updated) = $updating->receive;
is($updated, "1|open! by grace.okafor1\@example.com\n"
	  . "3|open! by zoe.mueller3\@example.com\n4|open by connie.troll4\@example.com\n5|",
	'a row that changed while UPDATE waited for its lock');
is(scalar requests($sim), 1, '... is checked again without a request');

done_testing();
