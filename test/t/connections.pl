# The connections that a session keeps, and how they are closed:
# hibob_fdw_get_connections(), hibob_fdw_disconnect(), hibob_fdw_disconnect_all(),
# DROP and ALTER.  The simulator reports how many connections are open.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT certificate authority employee_id open_connections);
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('connections');
my $CONNECTIONS = 'SELECT server_name, user_name = current_user, valid,'
  . ' channels, in_use, refused_until > now()'
  . ' FROM hibob_fdw_get_connections() ORDER BY 1';
# The number of cached results.
my $CACHED = q{SELECT count(*) FROM pg_backend_memory_contexts
	WHERE name = 'hibob_fdw result'};

add_server($node, 'bob', $sim);
add_server($node, 'two', $sim);
query($node, q{
	CREATE FOREIGN TABLE bob.cached (id text, email text) SERVER bob
		OPTIONS (resource 'people', cache_ttl '1h');
	CREATE FOREIGN TABLE two.cached (id text, email text) SERVER two
		OPTIONS (resource 'people', cache_ttl '1h')});

sub session
{
	return $node->background_psql('postgres', on_error_stop => 0);
}

# --- hibob_fdw_get_connections() -----------------------------------------------

my $psql = session();
is($psql->query($CONNECTIONS), '', 'before the first query');
$psql->query('SELECT count(*) FROM bob.people');
is($psql->query($CONNECTIONS), 'bob|t|t|1|0|', 'after a query');
is(open_connections($sim, 1), 1, '... as the simulator reports');
$psql->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM bob.people;
	DECLARE d CURSOR FOR SELECT email FROM bob.people; FETCH 1 FROM c;
	FETCH 1 FROM d');
is($psql->query($CONNECTIONS), 'bob|t|t|2|2|', 'with cursors');
$psql->query('CLOSE d');
is($psql->query($CONNECTIONS), 'bob|t|t|2|1|', '... one of them closed');
unlike($psql->query('SELECT * FROM hibob_fdw_get_connections()'),
	qr/canary|SERVICE|127\.0/, 'it shows no credentials and no address');

# --- disconnecting -----------------------------------------------------------

is($psql->query(q{SELECT hibob_fdw_disconnect('bob')}), 'f',
	'disconnect while a cursor reads');
like($psql->{stderr}, qr/WARNING:  1 connection to HiBob is still in use/,
	'... returns false with a warning');
$psql->{stderr} = '';
like($psql->query('FETCH ALL FROM c'), qr/^(\d+\n){498}\d+$/,
	'... the cursor continues');
$psql->query('COMMIT');
is($psql->query(q{SELECT hibob_fdw_disconnect('bob')}), 't', 'disconnect');
is($psql->query(q{SELECT hibob_fdw_disconnect('bob')}), 'f',
	'... returns false without a connection');
is(open_connections($sim, 0), 0, '... as the simulator reports');
$psql->query('SELECT count(*) FROM bob.people; SELECT count(*) FROM two.people');
is($psql->query($CONNECTIONS), "bob|t|t|1|0|\ntwo|t|t|1|0|", 'two servers');
is($psql->query(q{SELECT hibob_fdw_disconnect('two')}), 't',
	'disconnect one server');
is($psql->query($CONNECTIONS), 'bob|t|t|1|0|', '... and not the other');
$psql->query('SELECT count(*) FROM two.people');
is($psql->query('SELECT hibob_fdw_disconnect_all()'), 't', 'disconnect all');
is($psql->query($CONNECTIONS), '', '... closes all connections');
is($psql->query('SELECT hibob_fdw_disconnect_all()'), 'f',
	'... returns false without a connection');
is(open_connections($sim, 0), 0, '... as the simulator reports');
is((query_error($node, q{SELECT hibob_fdw_disconnect('nobody')}))[0], '42704',
	'a server that does not exist');

# Cached results are dropped with the connection.
my $both = 'SELECT count(*) FROM bob.cached; SELECT count(*) FROM two.cached';
requests($sim);
$psql->query("$both; $both");
is(scalar requests($sim), 2, 'results are cached');
is($psql->query($CACHED), 2, '... two of them');
$psql->query(q{SELECT hibob_fdw_disconnect('bob')});
is($psql->query($CACHED), 1, 'disconnect drops the results of the server');
$psql->query($both);
is(scalar requests($sim), 1, '... which are requested again');
$psql->query('SELECT hibob_fdw_disconnect_all()');
is($psql->query($CACHED), 0, '... disconnect_all drops all results');
$psql->quit;

# Refused credentials.
query($node, qq{CREATE SERVER locked FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR PUBLIC SERVER locked
		OPTIONS (service_user_id 'SERVICE-5772', token 'wrong');
	CREATE FOREIGN TABLE locked (id text) SERVER locked
		OPTIONS (resource 'people')});
requests($sim);
$psql = session();
$psql->query('SELECT count(*) FROM locked') for 1 .. 2;
is($psql->query('SELECT server_name, user_name, channels,'
	  . " refused_until BETWEEN now() + '30s' AND now() + '1min'"
	  . ' FROM hibob_fdw_get_connections()'),
	'locked|public|1|t', 'refused credentials of a mapping for PUBLIC');
is(scalar requests($sim), 1, '... are sent once');
is($psql->query(q{SELECT hibob_fdw_disconnect('locked')}), 't',
	'... disconnect');
like($psql->query($CONNECTIONS), qr/^locked\|.*\|0\|0\|t$/,
	'... keeps them refused');
$psql->query('SELECT count(*) FROM locked');
is(scalar requests($sim), 0, '... and they are not sent again');
$psql->quit;

# --- DROP and ALTER ----------------------------------------------------------

my $MAPPING = q{CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token '} . $TOKEN . q{')};

# A session with an open connection and a cached result of each server.
sub busy_session
{
	my $session = session();

	$session->query($both);
	is($session->query($CACHED) . open_connections($sim, 2), '22',
		'a session with two connections');
	return $session;
}

$psql = busy_session();
$psql->query('DROP USER MAPPING FOR CURRENT_USER SERVER bob');
is($psql->query($CONNECTIONS), 'two|t|t|1|0|',
	'DROP USER MAPPING closes the connection');
is(open_connections($sim, 1), 1, '... as the simulator reports');
is($psql->query($CACHED), 0, '... and drops cached results');
$psql->query($MAPPING);
is($psql->query('SELECT count(*) FROM bob.people'), '500',
	'... a new mapping works');
$psql->quit;

$psql = busy_session();
$psql->query('BEGIN; DROP USER MAPPING FOR CURRENT_USER SERVER bob');
is(open_connections($sim, 2), 2, 'DROP USER MAPPING, not committed');
like($psql->query($CONNECTIONS), qr/^bob\|t\|f\|1\|0\|\n/,
	'... marks the connection as invalid');
$psql->query('COMMIT');
is(open_connections($sim, 1), 1, '... closes it at commit');
$psql->query($MAPPING);
$psql->query('BEGIN; DROP USER MAPPING FOR CURRENT_USER SERVER bob; ROLLBACK');
is($psql->query('SELECT count(*) FROM bob.people'), '500',
	'... keeps the mapping at rollback');
$psql->quit;

# A cursor can be read to its end.
$psql = busy_session();
$psql->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM bob.people;
	FETCH 1 FROM c; DROP USER MAPPING FOR CURRENT_USER SERVER bob');
like($psql->query('FETCH ALL FROM c'), qr/^(\d+\n){498}\d+$/,
	'DROP USER MAPPING while a cursor is open');
$psql->query('COMMIT');
is($psql->query($CONNECTIONS), 'two|t|t|1|0|',
	'... closes the connection afterwards');
is(open_connections($sim, 1), 1, '... as the simulator reports');
$psql->query($MAPPING);
$psql->quit;

# Another session closes its connection in its next transaction.
$psql = busy_session();
query($node, 'DROP USER MAPPING FOR CURRENT_USER SERVER bob');
$psql->query('SELECT 1');
is($psql->query($CONNECTIONS), 'two|t|t|1|0|',
	'DROP USER MAPPING in another session');
is(open_connections($sim, 1), 1, '... as the simulator reports');
is($psql->query($CACHED), 0, '... drops cached results');
query($node, $MAPPING);
$psql->quit;

$psql = busy_session();
$psql->query(q{ALTER USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (SET token 'regenerated')});
$psql->query('SELECT 1');
is(open_connections($sim, 1), 1, 'ALTER USER MAPPING closes the connection');
$psql->query(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (SET token '$TOKEN')});
$psql->quit;

$psql = busy_session();
$psql->query('DROP SERVER two CASCADE');
$psql->quit;
is(open_connections($sim, 0), 0, 'the end of a session closes all connections');
$psql = session();
$psql->query('SELECT count(*) FROM bob.people');
$psql->query('DROP SERVER bob CASCADE');
is($psql->query($CONNECTIONS), '', 'DROP SERVER closes the connection');
is(open_connections($sim, 0), 0, '... as the simulator reports');
$psql->quit;

# --- reuse: a connection is reused unless it has unexpected bytes ---------------

my $secure = start_simulator(certificate('IP:127.0.0.1'));
add_server($node, 'plain', $sim);
add_server($node, 'tls', $secure, "ca_file '${\authority()}'");

# The numbers of connections that lookups of a person use, and of people found.
sub connections
{
	my ($server, $url, $count) = @_;

	requests($url);
	my $found = query($node, "SET hibob_test.found = 0; DO \$\$ BEGIN
		FOR i IN 1..$count LOOP
			PERFORM set_config('hibob_test.found', ((SELECT count(email)
				FROM $server.people WHERE id = '${\employee_id(1)}')
				+ current_setting('hibob_test.found')::int)::text, false);
		END LOOP; END \$\$; SHOW hibob_test.found");
	my %connections = map { $_->{connection} => 1 } requests($url);
	return "$found found, " . keys(%connections) . ' connections';
}

foreach my $case ([ 'plain', $sim ], [ 'tls', $secure ])
{
	my ($server, $url) = @$case;

	tell($url, 'reset');
	tell($url, 'config', { rate_limit => 0 });
	is(connections($server, $url, 300), '300 found, 1 connections',
		"$server: the connection is reused");
	tell($url, 'fault', { endpoint => '/people/{identifier}', skip => 3,
			framing => 'chunked',
			surplus => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" });
	# libcurl discards bytes that it reads together with the last chunk.
	my $most = $server eq 'tls' ? '2' : '[12]';
	like(connections($server, $url, 9), qr/^9 found, $most connections$/,
		'... but not after a response with surplus bytes');
}

# The server closed the idle connection.
my $COUNT = 'SELECT count(*) FROM plain.people';
requests($sim);
$node->safe_psql('postgres', "$COUNT;\n" x 20);
my %used = map { $_->{connection} => 1 } requests($sim);
is(scalar keys %used, 1, 'twenty queries use one connection');
tell($sim, 'fault', { endpoint => '*', close_idle => 20 });
is($node->safe_psql('postgres', "$COUNT;\nSELECT pg_sleep(0.3);\n$COUNT;"),
	"500\n\n500", 'a connection that was closed while idle is replaced');

done_testing();
