# Statistics of requests: hibob_fdw_statistics for the session, and
# hibob_fdw_cluster_statistics for the cluster, if the library is preloaded.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session employee_id);
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('statistics');
my $SEARCH = q{endpoint = 'POST /people/search'};
my $COUNT = 'SELECT count(email) FROM bob.people;';
my $FIGURES = 'SELECT requests, rows, retries, waits, errors, last_error,'
  . ' last_error_at > now() - interval \'1 hour\','
  . ' last_success > now() - interval \'1 hour\'';

add_server($node, 'bob', $sim, q{max_retries '2', max_rate_limit_wait '10s'});

# The last line of a session's output after a fault.
sub after_fault
{
	my ($fault, $sql) = @_;

	tell($sim, 'fault', { endpoint => '/people/search', %$fault }) if $fault;
	my ($out, $err) = session($node, $sql);
	tell($sim, 'reset');
	return ((split /\n/, $out)[-1] // '', $err);
}

sub figures
{
	my ($fault, $sql) = @_;
	my ($figures) =
	  after_fault($fault, "$sql $FIGURES FROM hibob_fdw_statistics;");

	return $figures;
}

# --- a session ---------------------------------------------------------------

is(query($node, 'SELECT count(*) FROM hibob_fdw_statistics'), '0',
	'a session without requests');
is(figures(undef, $COUNT), '1|500|0|0|0|||t', 'one request');
is(figures(undef, "$COUNT BEGIN; SAVEPOINT s; $COUNT ROLLBACK TO s; $COUNT"
	  . ' ROLLBACK;'), '3|1500|0|0|0|||t', 'ROLLBACK has no effect');
is(figures({ status => 503, body => '' }, $COUNT), '2|500|1|0|0|||t',
	'a retry');
is(figures({ status => 403, body => '' }, $COUNT),
	'1|0|0|0|1|status 403|t|', 'an error');
is(figures({ status => 403, body => '' }, "BEGIN; $COUNT ROLLBACK; $COUNT"),
	'2|500|0|0|1|status 403|t|t', 'an error, then a success');
my $retries = q{ALTER SERVER bob OPTIONS (SET max_retries '%d');};
is(figures({ truncate => { after => 30000, framing => 'length' } },
		sprintf($retries, 0) . $COUNT . sprintf($retries, 2))
	  =~ s/^1\|\d+\|/1|some|/r,
	'1|some|0|0|1|an incomplete response|t|', 'an interrupted response');
is(figures({ body => '[]' }, $COUNT),
	'1|0|0|0|1|a response that cannot be read|t|', 'another shape');
is(figures({ rate_limited => { reset_in => 60 } }, $COUNT),
	'1|0|0|0|1|rate limit used up|t|', 'the rate limit without a wait');
is(figures({ rate_limited => { retry_after => 1 } }, $COUNT),
	'2|500|1|1|0|||t', 'the rate limit with a wait');
my ($out) = after_fault({ rate_limited => { retry_after => 1 } }, "$COUNT
	SELECT wait_time BETWEEN '100ms' AND '10s' FROM hibob_fdw_statistics");
is($out, 't', '... the time of the wait');
# Some rows of the response have been read when the statement is cancelled.
my $CANCELLED = q{BEGIN; DECLARE c CURSOR FOR SELECT email FROM bob.people;
	MOVE 1 FROM c; SET LOCAL statement_timeout = '300ms'; MOVE ALL FROM c; ROLLBACK;};
is(figures({ stall => { seconds => 300, after => 30000 } }, $CANCELLED)
	  =~ s/^1\|\d+\|/1|some|/r, '1|some|0|0|0|||', 'a cancel is no error');
($out) = after_fault({ stall => { seconds => 300, after => 30000 } }, "$CANCELLED
	SELECT bytes BETWEEN 1 AND 30000 FROM hibob_fdw_statistics");
is($out, 't', '... the bytes until the cancel are counted');
($out) = after_fault(undef, "EXPLAIN (ANALYZE, FORMAT json) $COUNT
	SELECT 'bytes ' || bytes FROM hibob_fdw_statistics");
my ($bytes) = (session($node, "EXPLAIN (ANALYZE, FORMAT json) $COUNT"))[0]
  =~ /"HiBob Bytes Received": (\d+)/;
is($out, "bytes $bytes", 'as many bytes as EXPLAIN shows');

# EXPLAIN as XML, read by an XML parser.  The server's own parser needs libxml.
my ($xml) = session($node, q{EXPLAIN (ANALYZE, FORMAT xml)
	SELECT id FROM bob.people WHERE full_name ~ '<&"'});
my ($requests) = run_command([ 'python3', '-c', <<'END', $xml ]);
import sys, xml.etree.ElementTree as tree
namespace = "{http://www.postgresql.org/2009/explain}"
print(tree.fromstring(sys.argv[1]).find(f".//{namespace}HiBob-Requests").text)
END
is($requests, '1', 'EXPLAIN (FORMAT xml) is well-formed');

query($node, q{CREATE SERVER locked FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '} . $sim . q{/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER locked
		OPTIONS (service_user_id 'SERVICE-5772', token 'no canary');
	CREATE FOREIGN TABLE locked (id text) SERVER locked
		OPTIONS (resource 'people');
	CREATE FOREIGN TABLE lists (list text, name text) SERVER bob
		OPTIONS (resource 'named_lists');});
is(figures(undef, 'SELECT FROM locked; SELECT FROM locked;'),
	'1|0|0|0|2|credentials rejected less than a minute ago|t|', 'wrong credentials');

# By server and endpoint.
my $id = employee_id(7);
($out) = session($node, "$COUNT SELECT count(*) FROM locked;
	SELECT email FROM bob.people WHERE id = '$id';
	SELECT count(*) FROM lists WHERE list = 'site';
	SELECT * FROM hibob_fdw_status('bob');
	SELECT server, endpoint, requests, rows > 0, errors
	  FROM hibob_fdw_statistics ORDER BY 1, 2");
like($out, qr{^bob\|GET\ /company/named-lists/\{list\}\|1\|t\|0\n
	bob\|POST\ /people/search\|2\|t\|0\n
	bob\|POST\ /people/\{identifier\}\|1\|t\|0\n
	locked\|POST\ /people/search\|1\|f\|1\Z}mx, 'by server and endpoint');
($out) = session($node, "$COUNT ALTER SERVER bob RENAME TO robert; $COUNT
	SELECT server, requests FROM hibob_fdw_statistics;
	ALTER SERVER robert RENAME TO bob");
like($out, qr/^robert\|2$/m, 'a renamed server has its new name');
($out) = session($node, "$COUNT SELECT hibob_fdw_statistics_reset();
	SELECT count(*) FROM hibob_fdw_statistics;
	$COUNT SELECT requests, rows, since > now() - interval '1 minute'
	  FROM hibob_fdw_statistics");
like($out, qr/^\n?0\n496\n1\|500\|t\Z/m, 'reset');
($out) = session($node, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM bob.people;
	FETCH 1 FROM c; SELECT hibob_fdw_statistics_reset(); MOVE ALL FROM c;
	COMMIT; SELECT requests, rows, errors FROM hibob_fdw_statistics");
like($out, qr/^0\|499\|0\Z/m, 'reset in the middle of a response');

# The statistics contain no data of employees; all roles can read them.
my ($all) = after_fault({ status => 400,
		json => { key => 'k', error => 'employee 7 earns 1000' } },
	"SELECT email FROM bob.people WHERE email = 'somebody\@example.com';
	SELECT FROM locked;
	SELECT string_agg(s::text, ' ') FROM hibob_fdw_statistics s");
like($all, qr/status 400/, 'the last error');
unlike($all, qr/canary|SERVICE|somebody|earns/,
	'... without credentials, values or text from HiBob');
query($node, 'CREATE ROLE reader; CREATE ROLE monitor;
	GRANT pg_read_all_stats TO monitor');
is((session($node, "$COUNT SET ROLE reader;
		SELECT requests FROM hibob_fdw_statistics"))[0], "496\n1",
	'each role sees the statistics of its session');

# --- wait events -------------------------------------------------------------

# The wait event of a session that runs the query.
sub wait_event
{
	my ($fault, $expected) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');

	tell($sim, 'fault', { endpoint => '/people/search', times => undef,
			%$fault });
	$psql->query_until(qr/begins/, "\\echo begins\n$COUNT\n");
	$node->poll_query_until('postgres', "SELECT wait_event_type = 'Extension'
		AND wait_event = '$expected' FROM pg_stat_activity WHERE pid = $pid");
	my $event = query($node, "SELECT wait_event, pg_cancel_backend(pid)
		FROM pg_stat_activity WHERE pid = $pid");
	$psql->quit;
	tell($sim, 'reset');
	return $event;
}

# Extensions can define wait events since PostgreSQL 17.
my $has_names = query($node, 'SHOW server_version_num') >= 170000;
foreach my $case (
	[ 'HiBob', { stall => { seconds => 300 } }, 'HibobResponse' ],
	[ 'the rate limit', { rate_limited => { reset_in => 8 } }, 'HibobBackoff' ])
{
	my ($what, $fault, $event) = @$case;

	$event = 'Extension' unless $has_names;
	is(wait_event($fault, $event), "$event|t", "waiting for $what");
}

# --- the cluster, without and with the library preloaded -----------------------

my $CLUSTER = 'SELECT requests FROM hibob_fdw_cluster_statistics;';
my ($state, $message) = query_error($node, $CLUSTER);
is($state, '55000', 'the library is not preloaded: an error');
like($message, qr/HINT:.*shared_preload_libraries/, '... with a hint');
is((query_error($node, 'SELECT hibob_fdw_cluster_statistics_reset()'))[0],
	'55000', '... also for reset');

$node->append_conf('postgresql.conf',
	q{shared_preload_libraries = 'hibob_fdw'});
$node->restart;
is(query($node, 'SELECT count(*) FROM hibob_fdw_cluster_statistics'), '0',
	'no rows after the start of the cluster');
query($node, $COUNT);
session($node, "BEGIN; $COUNT ROLLBACK");
after_fault({ status => 403, body => '' }, $COUNT);
$FIGURES = "SELECT database, server, endpoint, requests, rows, errors,"
  . ' last_error FROM hibob_fdw_cluster_statistics ORDER BY 1, 2';
is(query($node, $FIGURES),
	'postgres|bob|POST /people/search|3|1000|1|status 403',
	'the requests of all sessions, also after ROLLBACK');
is(query($node, "BEGIN; $COUNT $CLUSTER ROLLBACK;"), "496\n4",
	'... also before the end of the transaction');
# A response counts when it is complete, not when its transaction ends.
my $other = $node->background_psql('postgres');
$other->query("BEGIN; $COUNT");
is(query($node, $CLUSTER), '5', '... in another session');
$other->quit;
is(query($node, $CLUSTER), '5', '... only once');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION hibob_fdw');
is($node->safe_psql('other', $CLUSTER), '5', 'read in another database');
my ($status, $stdout) = $node->psql('other', "
	CREATE SERVER two FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER two
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE FOREIGN TABLE people (id text) SERVER two
		OPTIONS (resource 'people');
	SELECT count(*) FROM people");
is($stdout, '500', 'requests in another database');
is(query($node, 'SELECT database, server, requests
	FROM hibob_fdw_cluster_statistics ORDER BY 1'),
	"other|two|1\npostgres|bob|5", '... have their own row');
$node->safe_psql('postgres', 'DROP DATABASE other');
is(query($node, 'SELECT database IS NULL, server, requests
	FROM hibob_fdw_cluster_statistics ORDER BY 1'),
	"f|bob|5\nt|two|1", 'the row of a dropped database');

# The names of servers are in the encoding of their database.
query($node, q{CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C'
	LC_CTYPE 'C' TEMPLATE template0});
$node->psql('latin', qq{CREATE EXTENSION hibob_fdw;
	CREATE SERVER "b\xe9\xe9" FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER "b\xe9\xe9"
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE FOREIGN TABLE people (id text) SERVER "b\xe9\xe9"
		OPTIONS (resource 'people');
	SELECT count(*) FROM people});
is(query($node, q{SELECT server, length(server::text)
	FROM hibob_fdw_cluster_statistics WHERE database = 'latin'}), 'b??|3',
	'a name that this database cannot represent');
is(query($node, q{SELECT count(*) FROM hibob_fdw_cluster_statistics}), '3',
	'... the other rows are not affected');

# Only roles with pg_read_all_stats can read the statistics of the cluster.
foreach my $sql ($CLUSTER, 'SELECT * FROM hibob_fdw_cluster_statistics()',
	'SELECT hibob_fdw_cluster_statistics_reset()')
{
	is((query_error($node, "SET ROLE reader; $sql"))[0], '42501',
		"an error without pg_read_all_stats: $sql");
}
is(query($node, "SET ROLE monitor;
	SELECT sum(requests) FROM hibob_fdw_cluster_statistics"), '7',
	'pg_read_all_stats is enough to read');
is((query_error($node, 'SET ROLE monitor;
	SELECT hibob_fdw_cluster_statistics_reset()'))[0], '42501',
	'... and not to reset');
is(query($node, "$COUNT SELECT hibob_fdw_cluster_statistics_reset();
	SELECT count(*) FROM hibob_fdw_cluster_statistics;
	SELECT requests FROM hibob_fdw_statistics; $COUNT $CLUSTER"),
	"496\n\n0\n1\n496\n1", 'reset of the cluster does not reset the session');
is(query($node, "$COUNT SELECT hibob_fdw_statistics_reset();
	SELECT requests FROM hibob_fdw_cluster_statistics"), "496\n\n2",
	'reset of the session does not reset the cluster');

# A server that is dropped and created again has a new row each time.
query($node, qq{DO \$\$ BEGIN
	FOR i IN 1 .. 1050 LOOP
		CREATE SERVER brief FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$sim/v1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER brief
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE FOREIGN TABLE brief (id text) SERVER brief
			OPTIONS (resource 'people');
		EXECUTE 'SELECT FROM brief WHERE id = \$1' USING '$id';
		IF i % 100 = 0 THEN
			PERFORM email FROM bob.people LIMIT 1;
		END IF;
		DROP SERVER brief CASCADE;
	END LOOP; END \$\$});
is(query($node, q{SELECT count(*), bool_or(server = 'bob')
	FROM hibob_fdw_cluster_statistics}), '1000|t',
	'a full table keeps the rows that were used last');

$node->restart;
is(query($node, 'SELECT count(*) FROM hibob_fdw_cluster_statistics'), '0',
	'a restart resets the cluster');
is(query($node, "$COUNT"), '496', '... queries work');

done_testing();
