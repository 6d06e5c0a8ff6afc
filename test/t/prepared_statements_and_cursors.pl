# Prepared statements with custom and generic plans, cursors, and
# subtransactions.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session);
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('statements');

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '5min'});

# Each statement runs eight times: with five custom plans and then the generic
# one, or with the plan that plan_cache_mode forces.
my @people = map { [ split /\|/ ] } split /\n/, query($node,
	q{SELECT id, lower(email), email FROM bob.people
	   WHERE email = lower(email) ORDER BY id LIMIT 8});
is(scalar @people, 8, 'eight people');

my %PLANS = (auto => 't|5', force_generic_plan => 't|0',
	force_custom_plan => 'f|8');

sub check_prepared
{
	my ($name, $statement, $values, $expected, $seen, $mode) = @_;

	$mode //= 'auto';
	requests($sim);
	my $out = query($node, "SET plan_cache_mode = $mode;\nPREPARE chosen AS $statement;\n"
		  . join('', map { "EXECUTE chosen ($_);\n" } @$values)
		  . q{SELECT generic_plans > 0, custom_plans FROM
			pg_prepared_statements WHERE name = 'chosen'});
	my @lines = split /\n/, $out;
	my $plans = pop @lines;

	is($plans, $PLANS{$mode}, "$name: plans ($mode)");
	is_deeply(\@lines, $expected, "$name: the rows");
	is_deeply([ map { $seen->($_) } requests($sim) ], $values,
		"$name: each request has the condition");
	return;
}

sub last_of_path
{
	my ($of_path) = $_[0]->{path} =~ m{/people/([^/]+)$};
	$of_path //= '';
	return $of_path eq 'search' ? 'no identifier' : "'$of_path'";
}

sub only_of_filter
{
	my $values = $_[0]->{body}{filters}[0]{values} // ['no filter'];
	return q{'} . join(',', @$values) . q{'};
}

sub array_of_filter
{
	my $values = $_[0]->{body}{filters}[0]{values} // ['no filter'];
	return q{'} . '{' . join(',', @$values) . q(}');
}

my @ids = map { $_->[0] } @people;
check_prepared('id', 'SELECT id FROM bob.people WHERE id = $1',
	[ map { "'$_'" } @ids ], \@ids, \&last_of_path);
check_prepared('email', 'SELECT id FROM bob.people WHERE email = $1',
	[ map { "'$_->[2]'" } @people ], \@ids, \&only_of_filter);
check_prepared('ids',
	'SELECT count(*) FROM bob.people WHERE id = ANY ($1::text[])',
	[ map { "'{$ids[0],$ids[1],$_}'" } @ids[ 2 .. 7 ], @ids[ 2, 3 ] ],
	[ (3) x 8 ], \&array_of_filter, $_)
  foreach 'force_generic_plan', 'force_custom_plan';

# A generic plan without parameter values makes no requests.
SKIP:
{
	skip 'EXPLAIN (GENERIC_PLAN) is new in PostgreSQL 16', 3
	  if query($node, 'SHOW server_version_num') < 160000;
	requests($sim);
	foreach my $condition ('id = $1', 'id = ANY ($1)')
	{
		my $plan = query($node, 'EXPLAIN (GENERIC_PLAN, VERBOSE) '
			  . "SELECT id FROM bob.people WHERE $condition");
		like($plan, qr/HiBob Request: .*"operator":"equals","values":\["\$1"\]/,
			"generic plan: $condition");
	}
	is(scalar requests($sim), 0, '... without requests');
}

# A cursor that is closed early stops reading, and the session continues.
tell($sim, 'reset');
my ($out, $err) = session($node, q{
	BEGIN;
	DECLARE c CURSOR FOR SELECT id FROM bob.people ORDER BY 1;
	DECLARE d CURSOR FOR SELECT 'd' FROM bob.people;
	FETCH 1 FROM d;
	MOVE 400 FROM c;
	SELECT count(*) FROM bob.people;
	MOVE ALL FROM c;
	FETCH 1 FROM d;
	CLOSE c;
	CLOSE d;
	SELECT count(*) FROM bob.people;
	COMMIT;
	SELECT count(*) FROM bob.people;
});
is($err, '', 'cursors: no error');
is($out, "d\n500\nd\n500\n500", 'cursors: the rows');

# Closing a cursor does not wait for a stalled response.
tell($sim, 'fault', { endpoint => '*',
	stall => { seconds => 300, after => 20000 } });
($out, $err) = session($node, q{
	SET statement_timeout = '60s';
	BEGIN;
	DECLARE c CURSOR FOR SELECT 'c' FROM bob.people;
	FETCH 2 FROM c;
	CLOSE c;
	COMMIT;
	SELECT count(*) FROM bob.people;
});
is($err, '', 'closed in the middle of a response: no error');
is($out, "c\nc\n500", '... the session continues');

# Two of three iterations of a loop fail, one of them in the middle of a
# response.
tell($sim, 'reset');
tell($sim, 'fault', [ map { { endpoint => '*', %$_ } } (
	{ reset => 20000 }, { status => 500, body => '' }, { framing => 'chunked' }
) x 10 ]);
query($node, q{
	CREATE TABLE kept (turn int, people bigint);
	CREATE FUNCTION loop() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		failed int := 0;
		n bigint;
	BEGIN
		FOR i IN 1 .. 30 LOOP
			BEGIN
				INSERT INTO kept VALUES (i, 0);
				SELECT count(email) INTO n FROM bob.people;
				UPDATE kept SET people = n WHERE turn = i;
			EXCEPTION
				WHEN connection_failure OR fdw_error THEN
					failed := failed + 1;
			END;
		END LOOP;
		RETURN failed;
	END $$;
});
is(query($node, 'SELECT loop()'), '20', 'subtransactions: twenty failures');
is(query($node, 'SELECT count(*), min(people), max(people) FROM kept'),
	'10|496|496', '... their changes are rolled back');

# An error in the middle of one scan, while another scan is open.
tell($sim, 'reset');
($out, $err) = session($node, q{
	BEGIN;
	DECLARE outside CURSOR FOR SELECT 'outside' FROM bob.people;
	FETCH 1 FROM outside;
	SAVEPOINT s;
	DECLARE inside CURSOR FOR SELECT 1 / (row_number() OVER () - 3) FROM bob.people;
	FETCH 10 FROM inside;
	ROLLBACK TO s;
	MOVE ALL FROM outside;
	SELECT count(*) FROM bob.people;
	COMMIT;
});
is_deeply([ $err =~ /ERROR:  ([0-9A-Z]{5}):/g ], ['22012'],
	'ROLLBACK TO SAVEPOINT after an error');
is($out, "outside\n500", '... the outer scan continues');

done_testing();
