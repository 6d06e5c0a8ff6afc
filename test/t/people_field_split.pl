# Tables of people with more fields than a request may have: the fields are split
# into several requests, and each row has all of them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT reset_simulator session states hibob differences
  quoted_ids);
use JSON::PP;
use List::Util qw(max);
use Test::More;

my $PEOPLE = 120;
my $sim = start_simulator(employees => $PEOPLE);
my $node = new_cluster('people_field_split', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
query($node, 'CREATE SCHEMA expected');

my @three = quoted_ids(3, 5, 40);
my $three = join ',', @three;
reset_simulator($sim, extra_custom_fields => 450);
my %extra = map { $_->{name} => $_->{id} }
  grep { $_->{name} =~ /^Extra \d+$/ }
  @{ decode_json(hibob($sim, '/company/people/fields')) };
is(scalar keys %extra, 450, 'the account has 450 custom fields');
query($node, 'CREATE TABLE extra AS SELECT * FROM (VALUES '
	  . join(',', map { "($_, '" . $extra{"Extra $_"} . q{')} } 1 .. 450)
	  . q{) AS v (n, field);
	CREATE FUNCTION create_wide(relation text, low int, high int) RETURNS void
	LANGUAGE plpgsql AS $$ BEGIN
		EXECUTE (SELECT format('CREATE FOREIGN TABLE bob.%I (id text, %s)
			SERVER bob OPTIONS (resource ''people'')', relation,
			string_agg(format('e%s text OPTIONS (field %L)', n, field), ', '
				ORDER BY n)) FROM extra WHERE n BETWEEN low AND high);
	END $$;
	SELECT create_wide('wide', 1, 450), create_wide('low', 1, 225),
		create_wide('high', 226, 450)});
my @names = map { "e$_" } 1 .. 450;
my $concat = 'concat_ws($$|$$, ' . join(', ', map {
		"concat_ws('|', " . join(', ', @names[ 90 * $_ .. 90 * $_ + 89 ]) . ')'
	} 0 .. 4) . ')';
query($node, "CREATE TABLE expected.wide AS SELECT id, $concat AS everything
	FROM bob.low JOIN bob.high USING (id)");
cmp_ok(query($node, 'SELECT min(length(everything)) FROM expected.wide'), '>',
	450 * 2, 'all fields have values');
requests($sim);
is(differences($node, "SELECT id, $concat FROM bob.wide",
		'SELECT * FROM expected.wide'), '',
	'a wide table has the rows of two narrow ones');
my @requests = requests($sim);
is(scalar @requests, 3, '... one request for the ids, and two for the fields');
cmp_ok(max(map { scalar @{ $_->{body}{fields} } } @requests), '<=', 400,
	'... with at most 400 fields each');
is(query($node, 'SELECT count(*) FROM bob.wide WHERE e1 IS NULL OR e450 IS NULL'),
	'0', 'no field is missing');
requests($sim);
is(differences($node, "SELECT id, $concat FROM bob.wide WHERE id IN ($three)",
		"SELECT * FROM expected.wide WHERE id IN ($three)"), '',
	'three rows');
@requests = requests($sim);
is(scalar @requests, 2, '... two requests');
is_deeply([ map { $_->{body}{filters}[0]{values} } @requests ],
	[ ([ map { s/'//gr } @three ]) x 2 ], '... for these employees');
is(differences($node, "SELECT id, $concat FROM bob.wide WHERE id = $three[1]",
		"SELECT * FROM expected.wide WHERE id = $three[1]"), '', 'one row');

# An employee who is in only one of the two responses.
foreach my $answer (0, 1)
{
	reset_simulator($sim, extra_custom_fields => 450);
	query($node, "SELECT id, $concat FROM bob.wide WHERE id IN ($three)");
	my ($request) = (requests($sim))[$answer];
	my $body = decode_json(hibob($sim, '/people/search', $request->{body}));
	is(scalar @{ $body->{employees} }, 3, 'three employees');
	splice @{ $body->{employees} }, 1, 1;
	my @left = map { "'" . ($_->{id} // $_->{root}{id}) . "'" }
	  @{ $body->{employees} };
	requests($sim);
	tell($sim, 'fault', { endpoint => '/people/search', skip => $answer,
			status => 200, json => $body });
	is(differences($node, "SELECT id, $concat FROM bob.wide WHERE id IN ($three)",
			'SELECT * FROM expected.wide WHERE id IN (' . join(',', @left) . ')'),
		'', "an employee who is missing in response $answer is left out");
}
reset_simulator($sim, extra_custom_fields => 450);
tell($sim, 'fault', { endpoint => '/people/search', skip => 2, status => 403,
		body => '' });
my ($out, $err) = session($node, "SELECT count($concat) FROM bob.wide;
	SELECT count($concat) FROM bob.wide");
is_deeply([ states($err) ], ['42501'], 'an error of the second request');
is($out, $PEOPLE, '... the session continues');

done_testing();
