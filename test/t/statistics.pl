# What requests came to: of a session by hibob_fdw_statistics, of the cluster by
# hibob_fdw_cluster_statistics, where the library is preloaded.

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

# Few bytes are in the body of an answer that is an error.
add_server($node, 'bob', $sim, q{max_retries '2', max_rate_limit_wait '10s'});

# The last line of what a session prints after a fault.
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
	'a session that asked for nothing');
is(figures(undef, $COUNT), '1|500|0|0|0|||t', 'an answer');
is(figures(undef, "$COUNT BEGIN; SAVEPOINT s; $COUNT ROLLBACK TO s; $COUNT"
	  . ' ROLLBACK;'), '3|1500|0|0|0|||t', 'a rollback takes nothing back');
is(figures({ status => 503, body => '' }, $COUNT), '2|500|1|0|0|||t',
	'a retry');
is(figures({ status => 403, body => '' }, $COUNT),
	'1|0|0|0|1|status 403|t|', 'a refusal');
is(figures({ status => 403, body => '' }, "BEGIN; $COUNT ROLLBACK; $COUNT"),
	'2|500|0|0|1|status 403|t|t', '... and then an answer');
my $retries = q{ALTER SERVER bob OPTIONS (SET max_retries '%d');};
is(figures({ truncate => { after => 30000, framing => 'length' } },
		sprintf($retries, 0) . $COUNT . sprintf($retries, 2))
	  =~ s/^1\|\d+\|/1|some|/r,
	'1|some|0|0|1|an answer that broke off|t|', 'an answer that breaks off');
is(figures({ body => '[]' }, $COUNT),
	'1|0|0|0|1|an answer that cannot be read|t|', 'another shape');
is(figures({ rate_limited => { reset_in => 60 } }, $COUNT),
	'1|0|0|0|1|the rate limit is used up|t|', 'no time for the rate limit');
is(figures({ rate_limited => { reset_in => 1 } }, $COUNT),
	'2|500|1|1|0|||t', 'the rate limit is waited for');
my ($out) = after_fault({ rate_limited => { reset_in => 1 } }, "$COUNT
	SELECT wait_time BETWEEN '100ms' AND '10s' FROM hibob_fdw_statistics");
is($out, 't', '... and for how long');
is(figures({ stall => { seconds => 30, after => 30000 } },
		"SET statement_timeout = '300ms'; $COUNT RESET statement_timeout;")
	  =~ s/^1\|\d+\|/1|some|/r, '1|some|0|0|0|||', 'a cancel is no error');
($out) = after_fault({ stall => { seconds => 30, after => 30000 } }, "
	SET statement_timeout = '300ms'; $COUNT RESET statement_timeout;
	SELECT bytes BETWEEN 1 AND 30000 FROM hibob_fdw_statistics");
is($out, 't', '... and what had come until then is counted');
($out) = after_fault(undef, "EXPLAIN (ANALYZE, FORMAT json) $COUNT
	SELECT 'bytes ' || bytes FROM hibob_fdw_statistics");
my ($bytes) = (session($node, "EXPLAIN (ANALYZE, FORMAT json) $COUNT"))[0]
  =~ /"HiBob Bytes Received": (\d+)/;
is($out, "bytes $bytes", 'as many bytes as EXPLAIN says');

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
	'1|0|0|0|2|credentials refused a while ago|t|', 'wrong credentials');

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
like($out, qr/^robert\|2$/m, 'a server by its present name');
($out) = session($node, "$COUNT SELECT hibob_fdw_statistics_reset();
	SELECT count(*) FROM hibob_fdw_statistics;
	$COUNT SELECT requests, rows, since > now() - interval '1 minute'
	  FROM hibob_fdw_statistics");
like($out, qr/^\n?0\n496\n1\|500\|t\Z/m, 'reset');
($out) = session($node, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM bob.people;
	FETCH 1 FROM c; SELECT hibob_fdw_statistics_reset(); MOVE ALL FROM c;
	COMMIT; SELECT requests, rows, errors FROM hibob_fdw_statistics");
like($out, qr/^0\|499\|0\Z/m, '... amid an answer');

# Nobody's data, and for everybody.
my ($all) = after_fault({ status => 400,
		json => { key => 'k', error => 'employee 7 earns 1000' } },
	"SELECT email FROM bob.people WHERE email = 'somebody\@example.com';
	SELECT FROM locked;
	SELECT string_agg(s::text, ' ') FROM hibob_fdw_statistics s");
like($all, qr/status 400/, 'an error in words of our own');
unlike($all, qr/canary|SERVICE|somebody|earns/, '... without data of anybody');
query($node, 'CREATE ROLE reader; CREATE ROLE monitor;
	GRANT pg_read_all_stats TO monitor');
is((session($node, "$COUNT SET ROLE reader;
		SELECT requests FROM hibob_fdw_statistics"))[0], "496\n1",
	'every role sees its session');

# --- waiting -----------------------------------------------------------------

# What a session waits for while it runs the query, as pg_stat_activity has it.
sub wait_event
{
	my ($fault) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query('SELECT pg_backend_pid()');

	tell($sim, 'fault', { endpoint => '/people/search', times => undef,
			%$fault });
	$psql->query_until(qr/begins/, "\\echo begins\n$COUNT\n");
	$node->poll_query_until('postgres', "SELECT wait_event_type = 'Extension'
		FROM pg_stat_activity WHERE pid = $pid");
	my $event = query($node, "SELECT wait_event, pg_cancel_backend(pid)
		FROM pg_stat_activity WHERE pid = $pid");
	$psql->quit;
	tell($sim, 'reset');
	return $event;
}

# Extensions have names for what they wait for from 17 on.
my $has_names = query($node, 'SHOW server_version_num') >= 170000;
is(wait_event({ stall => { seconds => 30 } }),
	($has_names ? 'HibobResponse' : 'Extension') . '|t', 'waiting for HiBob');
is(wait_event({ rate_limited => { reset_in => 8 } }),
	($has_names ? 'HibobBackoff' : 'Extension') . '|t',
	'waiting for the rate limit');

# --- without and with the library loaded at the start --------------------------

my $CLUSTER = 'SELECT requests FROM hibob_fdw_cluster_statistics;';
my ($state, $message) = query_error($node, $CLUSTER);
is($state, '55000', 'the cluster, if the library is not preloaded');
like($message, qr/HINT:.*shared_preload_libraries/, '... and the way there');
is((query_error($node, 'SELECT hibob_fdw_cluster_statistics_reset()'))[0],
	'55000', '... and no reset');

$node->append_conf('postgresql.conf',
	q{shared_preload_libraries = 'hibob_fdw'});
$node->restart;
is(query($node, 'SELECT count(*) FROM hibob_fdw_cluster_statistics'), '0',
	'the cluster, at its start');
query($node, $COUNT);
session($node, "BEGIN; $COUNT ROLLBACK");
after_fault({ status => 403, body => '' }, $COUNT);
$FIGURES = "SELECT database, server, endpoint, requests, rows, errors,"
  . ' last_error FROM hibob_fdw_cluster_statistics ORDER BY 1, 2';
is(query($node, $FIGURES),
	'postgres|bob|POST /people/search|3|1000|1|status 403',
	'sessions add up, with what was rolled back');
is(query($node, "BEGIN; $COUNT $CLUSTER ROLLBACK;"), "496\n4",
	'... and what is under way');
# An answer counts when it is whole, not when its transaction ends.
my $other = $node->background_psql('postgres');
$other->query("BEGIN; $COUNT");
is(query($node, $CLUSTER), '5', '... in another session');
$other->quit;
is(query($node, $CLUSTER), '5', '... once');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION hibob_fdw');
is($node->safe_psql('other', $CLUSTER), '5', 'from another database');
my ($status, $stdout) = $node->psql('other', "
	CREATE SERVER two FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER two
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE FOREIGN TABLE people (id text) SERVER two
		OPTIONS (resource 'people');
	SELECT count(*) FROM people");
is($stdout, '500', 'of another database');
is(query($node, 'SELECT database, server, requests
	FROM hibob_fdw_cluster_statistics ORDER BY 1'),
	"other|two|1\npostgres|bob|5", '... too');
$node->safe_psql('postgres', 'DROP DATABASE other');
is(query($node, 'SELECT database IS NULL, server, requests
	FROM hibob_fdw_cluster_statistics ORDER BY 1'),
	"f|bob|5\nt|two|1", 'of a database that was dropped');

# Names are in the encoding of their database.
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
	'a name that this database cannot have');
is(query($node, q{SELECT count(*) FROM hibob_fdw_cluster_statistics}), '3',
	'... among the others');

# Whose sessions they are is nobody's business but a monitor's.
foreach my $sql ($CLUSTER, 'SELECT * FROM hibob_fdw_cluster_statistics()',
	'SELECT hibob_fdw_cluster_statistics_reset()')
{
	is((query_error($node, "SET ROLE reader; $sql"))[0], '42501',
		"not for everybody: $sql");
}
is(query($node, "SET ROLE monitor;
	SELECT sum(requests) FROM hibob_fdw_cluster_statistics"), '7',
	'a monitor sees all');
is((query_error($node, 'SET ROLE monitor;
	SELECT hibob_fdw_cluster_statistics_reset()'))[0], '42501',
	'... and cannot reset');
is(query($node, "$COUNT SELECT hibob_fdw_cluster_statistics_reset();
	SELECT count(*) FROM hibob_fdw_cluster_statistics;
	SELECT requests FROM hibob_fdw_statistics; $COUNT $CLUSTER"),
	"496\n\n0\n1\n496\n1", 'reset: not of what the session counts for itself');
is(query($node, "$COUNT SELECT hibob_fdw_statistics_reset();
	SELECT requests FROM hibob_fdw_cluster_statistics"), "496\n\n2",
	'a session that starts anew has told before');

# A server that is made again and again is a new one each time.
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
	'a full table: what was used last stays');

$node->restart;
is(query($node, 'SELECT count(*) FROM hibob_fdw_cluster_statistics'), '0',
	'a restart begins anew');
is(query($node, "$COUNT"), '496', '... and all else goes on');

done_testing();
