# A database whose encoding is not UTF-8: values that have a representation in
# its encoding, values that do not, and conditions.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('encodings');

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
is($out, "Siobh\xc3\xa1n O'Brien|7", 'a name that LATIN1 can represent');
($status, $out, $err) = $latin->(q{SELECT full_name FROM people
	WHERE email = 'dmitry.petrenko19@example.com'});
like($err, qr/has no equivalent in encoding "LATIN1"/,
	'a name that LATIN1 cannot represent');
like($err, qr/column "full_name" .* employee \d+/,
	'... the error shows the column and the employee');
requests($sim);
($status, $out, $err) =
  $latin->(qq{SELECT count(*) FROM people WHERE email = 'm\xc3\xbcller'});
is($out, '0', 'a condition in LATIN1');
is((requests($sim))[0]->{body}{filters}[0]{values}[0], "m\x{fc}ller",
	'... is sent to HiBob as UTF-8');
($status, $out, $err) = $latin->("\\set VERBOSITY verbose
	SELECT count(full_name) FROM people");
like($err, qr/ERROR:  22P05:/, 'SQLSTATE untranslatable_character');
like($err, qr/CONTEXT:.*column "full_name"/, '... with the column');

# Bytes that are no UTF-8 are no value of HiBob, whatever the plan is.
$node->safe_psql('postgres', q{CREATE DATABASE bytes ENCODING 'SQL_ASCII'
	LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$node->safe_psql('bytes', qq{
	CREATE EXTENSION hibob_fdw;
	CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE FOREIGN TABLE people (id text, email text) SERVER bob OPTIONS (resource 'people');
	CREATE TABLE account AS SELECT E'\\xff\\xfe' AS email
		UNION ALL SELECT 'Siobhan.O''Brien6\@Example.COM'});
foreach my $set ('', 'SET enable_hashjoin = off; SET enable_mergejoin = off;')
{
	is($node->safe_psql('bytes', "$set SELECT count(*), count(id)
			FROM account LEFT JOIN people USING (email)"), '2|1', "a join: $set");
}
is($node->safe_psql('bytes', q{SELECT count(*) FROM people
		WHERE email = ANY (ARRAY(SELECT email FROM account))}), '1', 'a list');
is($node->safe_psql('bytes', q{SELECT count(*) FROM people WHERE email = E'\xff'}),
	'0', 'a condition');
isnt(($node->psql('bytes',
			q{EXPLAIN (VERBOSE) SELECT FROM people WHERE email = E'\xff'}))[0], 2,
	'... and its EXPLAIN');

done_testing();
