# The table named_lists: every form of the response, conditions on "list", and
# how large rows may become, since every item repeats the names above it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use ExpectedRows;
use HibobTest qw(:DEFAULT reset_simulator session outcome hibob load_pages
  differences);
use Test::More;

my $sim = start_simulator(employees => 120);
my $node = new_cluster('named_lists', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
prepare_expected($node);

# ------------------------------------------------------------------------
# Rows and conditions
# ------------------------------------------------------------------------

query($node, q{CREATE FOREIGN TABLE bob.named_lists (list text, id text,
	name text, parent_id text, path text, archived boolean)
	SERVER bob OPTIONS (resource 'named_lists')});
load_pages($node, 'pages.lists',
	hibob($sim, '/company/named-lists?includeArchived=true'));
query($node, q{CREATE TABLE expected.named_lists AS
	WITH RECURSIVE items AS (
		SELECT l.key AS list, i ->> 'id' AS id, i ->> 'name' AS name,
			NULL AS parent_id, i ->> 'name' AS path,
			(i ->> 'archived')::boolean AS archived, i -> 'children' AS children
		  FROM pages.lists, jsonb_each(page) AS l,
			jsonb_array_elements(l.value -> 'items') AS i
		UNION ALL
		SELECT list, i ->> 'id', i ->> 'name', items.id,
			items.path || ' \ ' || (i ->> 'name'), (i ->> 'archived')::boolean,
			i -> 'children'
		  FROM items, jsonb_array_elements(children) AS i)
	SELECT list, id, name, parent_id, path, archived FROM items});
foreach my $form ('object', 'array')
{
	foreach my $keys ('both', 'values', 'items')
	{
		reset_simulator($sim, lists_form => $form, list_keys => $keys);
		is(differences($node, 'SELECT * FROM bob.named_lists',
				'SELECT * FROM expected.named_lists'), '',
			"named lists: $form, $keys");
		requests($sim);
		my $some = q{list IN ('department', 'employer_workLocation_tree_entity_list')};
		is(differences($node, "SELECT * FROM bob.named_lists WHERE $some",
				"SELECT * FROM expected.named_lists WHERE $some"), '',
			'... two of them');
		is_deeply([ sort map { $_->{path} } requests($sim) ], [
				'/v1/company/named-lists/department',
				'/v1/company/named-lists/employer_workLocation_tree_entity_list' ],
			'... by themselves');
	}
}
reset_simulator($sim);
my ($state, $message) = query_error($node,
	q{SELECT * FROM bob.named_lists WHERE list = 'Department'});
is($state, 'HV00R', 'a list in the wrong case');
like($message, qr/no list "Department".*HINT:.*case-sensitive/s, '... has a hint');

# A name of the query has to be right; one that a join or a subquery brings may
# be of no list, whatever the plan.
query($node, q{CREATE TABLE names (list text); ANALYZE names;
	INSERT INTO names VALUES ('department'), ('Department'), ('nobody knows')});
my $lists = q{SELECT n.list, l.id FROM names AS n
	LEFT JOIN %s.named_lists AS l ON l.list = n.list};
foreach my $set ('', 'SET enable_hashjoin = off; SET enable_mergejoin = off;
		SET enable_material = off;', 'SET enable_nestloop = off;')
{
	requests($sim);
	is(query($node, $set . sprintf($lists, 'bob') . ' ORDER BY 1, 2'),
		query($node, sprintf($lists, 'expected') . ' ORDER BY 1, 2'),
		"lists that a join names; $set");
	is(scalar(grep { $_->{status} == 404 } requests($sim)), 0, '... all at once');
}
foreach my $which ('= ANY (ARRAY(SELECT list FROM names))',
	'IN (SELECT list FROM names)', q{= (SELECT list FROM names
		WHERE list LIKE 'Dep%')})
{
	is(outcome($node, "SELECT id FROM bob.named_lists WHERE list $which ORDER BY 1"),
		query($node, "SELECT id FROM expected.named_lists WHERE list $which
			ORDER BY 1"), "lists that a subquery names: $which");
}
($state, $message) = query_error($node, q{PREPARE one(text) AS
	SELECT * FROM bob.named_lists WHERE list = $1; EXECUTE one('Department')});
is($state, 'HV00R', 'a parameter in the wrong case');
foreach my $case ([ 10, 10 ], [ 11, 1 ])
{
	my ($many, $times) = @$case;
	my $names = query($node, "SELECT string_agg(quote_literal(list), ', ')
		FROM (SELECT DISTINCT list FROM expected.named_lists ORDER BY 1
			  LIMIT $many) AS l");
	my $which = "list IN ($names)";

	requests($sim);
	is(query($node, "SELECT count(*) FROM bob.named_lists WHERE $which"),
		query($node, "SELECT count(*) FROM expected.named_lists WHERE $which"),
		"$many lists");
	is(scalar requests($sim), $times, "... by $times requests");
}
requests($sim);
session($node, q{SELECT * FROM bob.named_lists WHERE list = '..'});
is_deeply([ grep { !m{/named-lists} } map { $_->{path} } requests($sim) ], [],
	'a list of dots is no other path');

# ------------------------------------------------------------------------
# Size
# ------------------------------------------------------------------------

# A list whose name is so long, with so many items; or an item with its
# children.
sub answer
{
	my ($name, @values) = @_;

	tell($sim, 'fault', { endpoint => '/company/named-lists',
			json => { list => { name => $name, values => \@values } } });
	return;
}

my @items = map { { id => $_, name => "item $_" } } 1 .. 1000;

answer('x' x 5000, @items);
is(query($node, 'SELECT count(*), sum(length(list)) FROM bob.named_lists'),
	'1000|5000000', 'a name of 5 kB with a thousand items');

answer('x' x 100_000, @items);
($state, my $error) = query_error($node, 'SELECT count(*) FROM bob.named_lists');
is($state, 'HV000', 'one of 100 kB would make 100 MB: an error');
like($error, qr/rows of the named lists are larger than allowed/, '... that says so');

answer('list', { id => 1, name => 'y' x 100_000, children => \@items });
($state) = query_error($node, 'SELECT count(*) FROM bob.named_lists');
is($state, 'HV000', 'so is the name of what is above');

answer('list', { id => '9' x 100_000, children => \@items });
($state) = query_error($node, 'SELECT count(*) FROM bob.named_lists');
is($state, 'HV000', 'and its id');

is(query($node, 'SELECT count(*) > 0 FROM bob.named_lists'), 't',
	'the session goes on');

done_testing();
