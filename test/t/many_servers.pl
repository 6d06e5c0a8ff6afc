# A session that uses many servers: idle connections are closed for new ones, and
# a query does not need more connections than there are.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session states open_connections);
use Test::More;

my $SERVERS = 100;
my $sim = start_simulator(employees => 20);
my $node = new_cluster('many', "log_min_messages = debug1\n");

sub add_servers
{
	query($node, join "\n", map { qq{
		CREATE SERVER s$_ FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$sim/v1', max_retries '0');
		CREATE USER MAPPING FOR CURRENT_USER SERVER s$_
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE FOREIGN TABLE people$_ (id text) SERVER s$_
			OPTIONS (resource 'people');
		CREATE FOREIGN TABLE training$_ (employee_id text, id bigint)
			SERVER s$_ OPTIONS (resource 'training');
	} } 1 .. $SERVERS);
	return;
}

my $UNION = 'SELECT count(*) FROM (' . join(' UNION ALL ',
	map { "SELECT id FROM people$_" } 1 .. $SERVERS) . ') AS people';
my $EACH = join ";\n", map { "SELECT count(*) FROM people$_" } 1 .. $SERVERS;
my $EACH_COUNT = join "\n", (20) x $SERVERS;
my $STATUS = 'SELECT status, count(*) FROM hibob_fdw_status() GROUP BY 1';
my $TRAINING = q{SELECT count(DISTINCT employee_id) FROM training1
	WHERE employee_id = ANY ((SELECT array_agg((3332883884017713238 + 37 * n)::text)
								FROM generate_series(1, 12) AS n)::text[])};

add_servers();
my $trained = query($node, $TRAINING);
my ($out, $err) = session($node, "SET max_parallel_workers_per_gather = 0;
	$UNION; $EACH; $STATUS; $UNION;");
is($err, '', 'many servers in one session');
is($out, join("\n", 20 * $SERVERS, $EACH_COUNT, "healthy|$SERVERS",
		20 * $SERVERS), '... one by one, all of them in one query, and their status');
my $psql = $node->background_psql('postgres', on_error_stop => 0);
$psql->query($UNION);
is($psql->query('SELECT sum(channels), sum(in_use)
	FROM hibob_fdw_get_connections()'), '20|0', '... few connections stay open');
is(open_connections($sim, 20), 20, '... as the simulator reports');
$psql->quit;

# --- few descriptors -------------------------------------------------------------

# A third of these is for all extensions.
$node->append_conf('postgresql.conf', "max_files_per_process = 100\n");
$node->restart;
($out, $err) = session($node, "$EACH; $STATUS; $EACH;");
is($err, '', 'few descriptors: one server after the other');
is($out, join("\n", $EACH_COUNT, "healthy|$SERVERS", $EACH_COUNT),
	'... and the status of all of them');

# Cursors keep their connections until they are read to their end.
$psql = $node->background_psql('postgres', on_error_stop => 0);
$psql->query('BEGIN');
my $cursors = 0;
while ($psql->{stderr} eq '' && $cursors < $SERVERS)
{
	$cursors++;
	$psql->query("SAVEPOINT s; DECLARE c$cursors CURSOR FOR
		SELECT id FROM people$cursors; FETCH 1 FROM c$cursors");
}
like($psql->{stderr}, qr/ERROR:.*could not prepare an HTTP connection/,
	"the descriptors are used up by $cursors cursors");
like($psql->{stderr}, qr/HINT:.*max_files_per_process/, '... with a hint');
cmp_ok($cursors, '>', 8, '... more than a few');
$psql->{stderr} = '';
$psql->query('ROLLBACK TO s');
is($psql->query("SELECT status, count(*) FROM hibob_fdw_status() GROUP BY 1"),
	"unreachable|$SERVERS", 'hibob_fdw_status() reports servers without a connection');
is($psql->{stderr}, '', '... without an error');
like($psql->query("SELECT detail FROM hibob_fdw_status('s1')"),
	qr/could not prepare an HTTP connection/i, '... with a detail');

# One connection is free.
$psql->query('CLOSE c1');
is($psql->query($TRAINING), $trained,
	'a query with parallel requests needs only one connection');
is($psql->query('SELECT count(*) FROM people50'), 20, '... like any other query');
is($psql->query('FETCH ALL FROM c2') =~ tr/\n//, 18,
	'... the cursors continue');
$psql->query('COMMIT');
is($psql->query('SELECT count(*) FROM people60'), 20, 'after the transaction');
$psql->quit;

# --- many user mappings --------------------------------------------------------

# More than a session keeps: the oldest one is created again when it is needed.
query($node, join "\n", map { qq{
	CREATE SERVER t$_ FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER t$_
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE FOREIGN TABLE t$_ (id text) SERVER t$_ OPTIONS (resource 'people');
} } 1 .. 300);
my $T = join ";\n", map { "SELECT count(*) FROM t$_" } 1 .. 300;
($out, $err) = session($node, "$T; $T;
	SELECT count(*) FROM pg_backend_memory_contexts
	 WHERE name = 'hibob_fdw connection'");
is($err, '', 'more user mappings than a session keeps');
is($out, join("\n", (20) x 600, 256), '... of which it keeps 256');

done_testing();
