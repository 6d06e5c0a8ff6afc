# Roles, encodings, TLS: what needs more than one user, database or certificate.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator();
my $node = new_cluster('sessions');
my $COUNT = 'SELECT count(*) FROM %s.people';

add_server($node, 'bob', $sim);

# A view uses the mapping of its owner, a function that of its caller.
query($node, q{
	CREATE ROLE reader LOGIN;
	CREATE ROLE stranger LOGIN;
	GRANT USAGE ON SCHEMA bob TO reader, stranger;
	CREATE VIEW roster AS SELECT id, email FROM bob.people;
	GRANT SELECT ON roster, bob.people TO reader;
	CREATE USER MAPPING FOR reader SERVER bob
		OPTIONS (service_user_id 'SERVICE-1', token 'of the reader');
});
is(query($node, 'SET ROLE reader; SELECT count(*) FROM roster'), '500',
	'a view is read with the mapping of its owner');
my ($state, $message) =
  query_error($node, 'SET ROLE reader; SELECT count(*) FROM bob.people');
is($state, '28000', 'the table itself with that of the reader');
like($message, qr/user "reader"/, '... whose name the message has');
is((query_error($node, 'SET ROLE stranger; SELECT count(*) FROM roster'))[0],
	'42501', 'a stranger may not read');
is(query($node, q{SET ROLE reader;
	SELECT count(*) FROM pg_user_mappings
	 WHERE umoptions::text LIKE '%canary%'}), '0',
	'and a reader does not see the token');

# Only HiBob's own hosts, but for a superuser's word.
query($node, qq{
	GRANT USAGE ON FOREIGN DATA WRAPPER hibob_fdw TO reader;
	GRANT CREATE ON DATABASE postgres TO reader;
	SET ROLE reader;
	CREATE SERVER own FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR reader SERVER own
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE SCHEMA own;
	CREATE FOREIGN TABLE own.people (id text) SERVER own
		OPTIONS (resource 'people');
});
my $as_reader = 'SET ROLE reader; ' . sprintf($COUNT, 'own');
($state, $message) = query_error($node, $as_reader);
is($state, '42501', 'a host of an ordinary user');
like($message, qr/hibob_fdw\.allowed_hosts/, '... and the way out');
# Set before the library is loaded, it is a name without meaning; after, an error.
foreach my $load ('', 'SELECT hibob_fdw_version();')
{
	is((query_error($node, "SET ROLE reader; $load
		SET hibob_fdw.allowed_hosts = '127.0.0.1'; $as_reader"))[0],
		'42501', '... which is not theirs to go');
}
is(query($node, "SET hibob_fdw.allowed_hosts = 'x, 127.0.0.1'; $as_reader"),
	'500', 'a host that a superuser lists');
query($node, 'ALTER SERVER own OWNER TO CURRENT_USER');
is(query($node, $as_reader), '500', 'a server that a superuser owns');
query($node, 'ALTER SERVER own OWNER TO reader');
is((query_error($node, $as_reader))[0], '42501',
	'... and not after it has changed hands');

# A database that is not UTF-8.
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1'
	LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
my $latin = sub {
	my ($sql) = @_;
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	return $node->psql('latin', $sql, on_error_stop => 1);
};
$latin->(qq{
	CREATE EXTENSION hibob_fdw;
	CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE FOREIGN TABLE people (id text, email text, full_name text,
		first_name text) SERVER bob OPTIONS (resource 'people');
});
my ($status, $out, $err) = $latin->(q{SELECT full_name, length(first_name)
	FROM people WHERE email = 'Siobhan.O''Brien6@Example.COM'});
is($out, "Siobh\xc3\xa1n O'Brien|7", 'a name that fits LATIN1');
($status, $out, $err) = $latin->(q{SELECT full_name FROM people
	WHERE email = 'dmitry.petrenko19@example.com'});
like($err, qr/has no equivalent in encoding "LATIN1"/, 'and one that does not');
like($err, qr/column "full_name" .* employee \d+/, '... and whose it is');
requests($sim);
($status, $out, $err) =
  $latin->(qq{SELECT count(*) FROM people WHERE email = 'm\xc3\xbcller'});
is($out, '0', 'a condition in LATIN1');
is((requests($sim))[0]->{body}{filters}[0]{values}[0], "m\x{fc}ller",
	'... reaches HiBob as UTF-8');

# TLS: the certificate has to be that of the host, by a known authority.
sub certificate
{
	my ($name, $subject, @signed_by) = @_;

	append_to_file("$dir/$name.ext", "subjectAltName=$subject\n");
	system_log('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-keyout',
		"$dir/$name.key", '-out', "$dir/$name.csr", '-subj', "/CN=$name");
	system_or_bail('openssl', 'x509', '-req', '-in', "$dir/$name.csr",
		'-days', '2', '-out', "$dir/$name.crt", '-extfile',
		"$dir/$name.ext", @signed_by);
	return ('tls-cert' => "$dir/$name.crt", 'tls-key' => "$dir/$name.key");
}
system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
	'-keyout', "$dir/ca.key", '-out', "$dir/ca.crt", '-days', '2', '-subj',
	'/CN=test authority');
my @ca = ('-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key", '-CAcreateserial');
my $good = start_simulator(certificate('good', 'IP:127.0.0.1', @ca));
my $other = start_simulator(certificate('other', 'DNS:other.example', @ca));

add_server($node, 'good', $good, "ca_file '$dir/ca.crt'");
add_server($node, 'other', $other, "ca_file '$dir/ca.crt', max_retries '0'");
add_server($node, 'unknown', $good, q{max_retries '0'});
add_server($node, 'plain', $good =~ s/https/http/r, q{max_retries '0'});
is(query($node, sprintf($COUNT, 'good')), '500', 'TLS');
foreach my $server ('other', 'unknown')
{
	($state, $message) = query_error($node, sprintf($COUNT, $server));
	is($state, 'HV00N', "certificate of the server $server");
	like($message, qr/certificate|subject/i, '... is refused');
	like($message, qr/ca_file/, '... and the hint says how to go on');
}
isnt((query_error($node, sprintf($COUNT, 'plain')))[0], '',
	'http to an https port');
is(scalar requests($other), 0, 'no request has reached the wrong host');

# Environment variables have no say.
{
	local $ENV{http_proxy} = 'http://127.0.0.1:1';
	local $ENV{HTTPS_PROXY} = 'http://127.0.0.1:1';
	local $ENV{ALL_PROXY} = 'http://127.0.0.1:1';
	$node->restart;
}
is(query($node, sprintf($COUNT, 'bob')), '500', 'no proxy, http');
is(query($node, sprintf($COUNT, 'good')), '500', 'no proxy, https');

done_testing();
