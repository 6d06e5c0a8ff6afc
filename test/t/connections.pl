# What a session keeps open, and how it ends: hibob_fdw_get_connections(),
# _disconnect() and _disconnect_all(), DROP and ALTER.  The simulator says how many
# connections there are.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT certificate authority employee_id);
use HTTP::Tiny;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

my $sim = start_simulator();
my $node = new_cluster('connections');
my $CONNECTIONS = 'SELECT server_name, user_name = current_user, valid,'
  . ' channels, in_use, refused_until > now()'
  . ' FROM hibob_fdw_get_connections() ORDER BY 1';
# What is kept of answers.
my $KEPT = q{SELECT count(*) FROM pg_backend_memory_contexts
	WHERE name = 'hibob_fdw result'};

add_server($node, 'bob', $sim);
add_server($node, 'two', $sim);
query($node, q{
	CREATE FOREIGN TABLE bob.kept (id text, email text) SERVER bob
		OPTIONS (resource 'people', cache_ttl '1h');
	CREATE FOREIGN TABLE two.kept (id text, email text) SERVER two
		OPTIONS (resource 'people', cache_ttl '1h')});

# Waits until HiBob has so many open connections; the number it has.
sub open_connections
{
	my ($expected) = @_;
	my $open;

	for (1 .. 100)
	{
		$open = decode_json(
			HTTP::Tiny->new->get("$sim/_sim/stats")->{content})->{open_connections};
		last if $open == $expected;
		sleep 0.05;
	}
	return $open;
}

sub session
{
	return $node->background_psql('postgres', on_error_stop => 0);
}

# --- what there is -----------------------------------------------------------

my $psql = session();
is($psql->query($CONNECTIONS), '', 'before the first query');
$psql->query('SELECT count(*) FROM bob.people');
is($psql->query($CONNECTIONS), 'bob|t|t|1|0|', 'after it');
is(open_connections(1), 1, '... as HiBob sees it');
$psql->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM bob.people;
	DECLARE d CURSOR FOR SELECT email FROM bob.people; FETCH 1 FROM c;
	FETCH 1 FROM d');
is($psql->query($CONNECTIONS), 'bob|t|t|2|2|', 'with cursors');
$psql->query('CLOSE d');
is($psql->query($CONNECTIONS), 'bob|t|t|2|1|', 'one of them closed');
unlike($psql->query('SELECT * FROM hibob_fdw_get_connections()'),
	qr/canary|SERVICE|127\.0/, 'no credential, no address');

# --- disconnecting -----------------------------------------------------------

is($psql->query(q{SELECT hibob_fdw_disconnect('bob')}), 'f',
	'disconnect while a cursor reads');
like($psql->{stderr}, qr/WARNING:  1 connection to HiBob is still in use/,
	'... and a warning');
$psql->{stderr} = '';
like($psql->query('FETCH ALL FROM c'), qr/^(\d+\n){498}\d+$/,
	'... and the cursor goes on');
$psql->query('COMMIT');
is($psql->query(q{SELECT hibob_fdw_disconnect('bob')}), 't', 'disconnect');
is($psql->query(q{SELECT hibob_fdw_disconnect('bob')}), 'f', '... and again');
is(open_connections(0), 0, '... as HiBob sees it');
$psql->query('SELECT count(*) FROM bob.people; SELECT count(*) FROM two.people');
is($psql->query($CONNECTIONS), "bob|t|t|1|0|\ntwo|t|t|1|0|", 'two servers');
is($psql->query(q{SELECT hibob_fdw_disconnect('two')}), 't', 'one of them');
is($psql->query($CONNECTIONS), 'bob|t|t|1|0|', '... and not the other');
$psql->query('SELECT count(*) FROM two.people');
is($psql->query('SELECT hibob_fdw_disconnect_all()'), 't', 'all of them');
is($psql->query($CONNECTIONS), '', '... are gone');
is($psql->query('SELECT hibob_fdw_disconnect_all()'), 'f', '... and again');
is(open_connections(0), 0, '... as HiBob sees it');
is((query_error($node, q{SELECT hibob_fdw_disconnect('nobody')}))[0], '42704',
	'a server that there is not');

# What was kept of answers goes with it.
my $both = 'SELECT count(*) FROM bob.kept; SELECT count(*) FROM two.kept';
requests($sim);
$psql->query("$both; $both");
is(scalar requests($sim), 2, 'answers are kept');
is($psql->query($KEPT), 2, '... two of them');
$psql->query(q{SELECT hibob_fdw_disconnect('bob')});
is($psql->query($KEPT), 1, 'disconnecting forgets those of the server');
$psql->query($both);
is(scalar requests($sim), 1, '... which is asked again');
$psql->query('SELECT hibob_fdw_disconnect_all()');
is($psql->query($KEPT), 0, '... or all of them');
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
	'locked|public|1|t', 'credentials that were refused, for everybody');
is(scalar requests($sim), 1, '... and shown once');
is($psql->query(q{SELECT hibob_fdw_disconnect('locked')}), 't',
	'... disconnected');
like($psql->query($CONNECTIONS), qr/^locked\|.*\|0\|0\|t$/,
	'... and still refused');
$psql->query('SELECT count(*) FROM locked');
is(scalar requests($sim), 0, '... and not shown again');
$psql->quit;

# --- DROP and ALTER ----------------------------------------------------------

my $MAPPING = q{CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token '} . $TOKEN . q{')};

# A session with an open connection and a kept answer of each server.
sub busy_session
{
	my $session = session();

	$session->query($both);
	is($session->query($KEPT) . open_connections(2), '22', 'a session');
	return $session;
}

$psql = busy_session();
$psql->query('DROP USER MAPPING FOR CURRENT_USER SERVER bob');
is($psql->query($CONNECTIONS), 'two|t|t|1|0|',
	'DROP USER MAPPING closes the connection');
is(open_connections(1), 1, '... as HiBob sees it');
is($psql->query($KEPT), 0, '... and forgets answers');
$psql->query($MAPPING);
is($psql->query('SELECT count(*) FROM bob.people'), '500',
	'... and with a new one all goes on');
$psql->quit;

$psql = busy_session();
$psql->query('BEGIN; DROP USER MAPPING FOR CURRENT_USER SERVER bob');
is(open_connections(2), 2, 'DROP USER MAPPING, not committed');
like($psql->query($CONNECTIONS), qr/^bob\|t\|f\|1\|0\|\n/,
	'... is a connection that will not be used again');
$psql->query('COMMIT');
is(open_connections(1), 1, '... and committed');
$psql->query($MAPPING);
$psql->query('BEGIN; DROP USER MAPPING FOR CURRENT_USER SERVER bob; ROLLBACK');
is($psql->query('SELECT count(*) FROM bob.people'), '500',
	'... and rolled back');
$psql->quit;

# A cursor reads to its end.
$psql = busy_session();
$psql->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM bob.people;
	FETCH 1 FROM c; DROP USER MAPPING FOR CURRENT_USER SERVER bob');
like($psql->query('FETCH ALL FROM c'), qr/^(\d+\n){498}\d+$/,
	'DROP USER MAPPING under a cursor');
$psql->query('COMMIT');
is($psql->query($CONNECTIONS), 'two|t|t|1|0|', '... and after it');
is(open_connections(1), 1, '... as HiBob sees it');
$psql->query($MAPPING);
$psql->quit;

# In another session it is its next transaction that notices.
$psql = busy_session();
query($node, 'DROP USER MAPPING FOR CURRENT_USER SERVER bob');
$psql->query('SELECT 1');
is($psql->query($CONNECTIONS), 'two|t|t|1|0|', 'dropped by another session');
is(open_connections(1), 1, '... as HiBob sees it');
is($psql->query($KEPT), 0, '... and answers are forgotten');
query($node, $MAPPING);
$psql->quit;

$psql = busy_session();
$psql->query(q{ALTER USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (SET token 'regenerated')});
$psql->query('SELECT 1');
is(open_connections(1), 1, 'ALTER USER MAPPING closes it, too');
$psql->query(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (SET token '$TOKEN')});
$psql->quit;

$psql = busy_session();
$psql->query('DROP SERVER two CASCADE');
$psql->quit;
is(open_connections(0), 0, 'a session that ends closes all');
$psql = session();
$psql->query('SELECT count(*) FROM bob.people');
$psql->query('DROP SERVER bob CASCADE');
is($psql->query($CONNECTIONS), '', 'DROP SERVER closes the connection');
is(open_connections(0), 0, '... as HiBob sees it');
$psql->quit;

# --- a connection is kept, unless it has bytes that nobody asked for ----------

my $secure = start_simulator(certificate('IP:127.0.0.1'));
add_server($node, 'plain', $sim);
add_server($node, 'tls', $secure, "ca_file '${\authority()}'");

# How many connections so many look-ups of a person take, and what they find.
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
	is(connections($server, $url, 300), '300 found, 1 connections', "$server: kept");
	tell($url, 'fault', { endpoint => '/people/{identifier}', skip => 3,
			framing => 'chunked',
			surplus => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" });
	# libcurl drops what it reads together with the last chunk.
	my $most = $server eq 'tls' ? '2' : '[12]';
	like(connections($server, $url, 9), qr/^9 found, $most connections$/,
		'... but not with another answer behind the fourth');
}

# Also if the server closed it meanwhile.
my $COUNT = 'SELECT count(*) FROM plain.people';
requests($sim);
$node->safe_psql('postgres', "$COUNT;\n" x 20);
my %used = map { $_->{connection} => 1 } requests($sim);
is(scalar keys %used, 1, 'twenty queries over one connection');
tell($sim, 'fault', { endpoint => '*', close_idle => 20 });
is($node->safe_psql('postgres', "$COUNT;\nSELECT pg_sleep(0.3);\n$COUNT;"),
	"500\n\n500", 'a connection that was closed while idle');

done_testing();
