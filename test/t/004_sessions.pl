# Roles and encodings: what needs more than one user or database.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('sessions');

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

done_testing();
