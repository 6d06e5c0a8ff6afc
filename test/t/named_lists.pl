# The table named_lists: all forms of the response, conditions on "list", and the
# size of rows, since each item repeats the names above it.

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
			'... with one request for each');
	}
}
reset_simulator($sim);
my ($state, $message) = query_error($node,
	q{SELECT * FROM bob.named_lists WHERE list = 'Department'});
is($state, 'HV00R', 'a list name in the wrong case');
like($message, qr/no list "Department".*HINT:.*case-sensitive/s,
	'... an error with a hint');

# A constant or parameter must be the name of a list.  A value from a join or a
# subquery need not be, in any plan.
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
		"a join by list name; $set");
	is(scalar(grep { $_->{status} == 404 } requests($sim)), 0,
		'... no request of an unknown list');
}
foreach my $which ('= ANY (ARRAY(SELECT list FROM names))',
	'IN (SELECT list FROM names)', q{= (SELECT list FROM names
		WHERE list LIKE 'Dep%')})
{
	is(outcome($node, "SELECT id FROM bob.named_lists WHERE list $which ORDER BY 1"),
		query($node, "SELECT id FROM expected.named_lists WHERE list $which
			ORDER BY 1"), "list names from a subquery: $which");
}
($state, $message) = query_error($node, q{PREPARE one(text) AS
	SELECT * FROM bob.named_lists WHERE list = $1; EXECUTE one('Department')});
is($state, 'HV00R', 'a parameter in the wrong case');
# The rows that a subquery's name has do not stand for those of a constant.
foreach my $name ('Department', 'department')
{
	my $derived = "SELECT id FROM bob.named_lists WHERE list = (SELECT list FROM names WHERE list = '$name')";
	my $constant = "SELECT id FROM bob.named_lists WHERE list = '$name'";
	my $cached = q{CREATE FOREIGN TABLE IF NOT EXISTS bob.cached (list text, id text)
		SERVER bob OPTIONS (resource 'named_lists', cache_ttl '1min')};

	query($node, $cached);
	foreach my $sql ("$derived UNION ALL $constant", "$constant UNION ALL $derived",
		($derived =~ s/named_lists/cached/r) . ';' . ($constant =~ s/named_lists/cached/r))
	{
		if ($name eq 'Department')
		{
			is((query_error($node, $sql))[0], 'HV00R', "an unknown list, twice: $sql");
			next;
		}
		requests($sim);
		cmp_ok(scalar(() = query($node, $sql) =~ /\d+/g), '>', 0, "a list twice: $sql");
		is(scalar requests($sim), 2, '... and two requests');
	}
}
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
	is(scalar requests($sim), $times, "... with $times requests");
}
requests($sim);
session($node, q{SELECT * FROM bob.named_lists WHERE list = '..'});
is_deeply([ grep { !m{/named-lists} } map { $_->{path} } requests($sim) ], [],
	'a list name of dots does not change the path');

# ------------------------------------------------------------------------
# Size
# ------------------------------------------------------------------------

# The response is one list with this name and these items.
sub respond_with
{
	my ($name, @values) = @_;

	tell($sim, 'fault', { endpoint => '/company/named-lists',
			json => { $name => { values => \@values } } });
	return;
}

my @items = map { { id => $_, name => "item $_" } } 1 .. 1000;

respond_with('x' x 5000, @items);
is(query($node, 'SELECT count(*), sum(length(list)) FROM bob.named_lists'),
	'1000|5000000', 'a name of 5 kB with a thousand items');

respond_with('x' x 100_000, @items);
($state, my $error) = query_error($node, 'SELECT count(*) FROM bob.named_lists');
is($state, 'HV000', 'a name of 100 kB would make 100 MB of rows: an error');
like($error, qr/rows of the named lists are larger than allowed/,
	'... with a message');

respond_with('list', { id => 1, name => 'y' x 100_000, children => \@items });
($state) = query_error($node, 'SELECT count(*) FROM bob.named_lists');
is($state, 'HV000', 'a long name of the parent item: an error');

respond_with('list', { id => '9' x 100_000, children => \@items });
($state) = query_error($node, 'SELECT count(*) FROM bob.named_lists');
is($state, 'HV000', 'a long id of the parent item: an error');

is(query($node, 'SELECT count(*) > 0 FROM bob.named_lists'), 't',
	'the session continues');

# ------------------------------------------------------------------------
# Reading the document: the rules for rows apply, and values are unchanged
# ------------------------------------------------------------------------

# The next response has this body.
sub body
{
	my ($body, $endpoint) = @_;

	tell($sim, 'fault', { endpoint => $endpoint // '/company/named-lists',
			body => $body, times => 1 });
	return;
}

my $names = q{SELECT id, name FROM bob.named_lists};
foreach my $case (
	[ '"A\u0000B"', '22P05', 'a NUL' ],
	[ '"\ud800"', '22P05', 'half of a surrogate pair' ])
{
	body(qq({"l": {"items": [{"id": "1", "name": $case->[0]}]}}));
	($state) = query_error($node, $names);
	is($state, $case->[1], "$case->[2] in a name: an error");
}
body('{"l": {"items": [{"id": 99999999999999999999, "name": 1.50}]}}');
is(query($node, $names), '99999999999999999999|1.50', 'numbers are unchanged');
foreach my $case (
	[ '{"l": {"items": [{"id": "1"},]}}', 'a trailing comma' ],
	[ '{"l": /* none */ {"items": []}}', 'a comment' ],
	[ "{'l': {'items': []}}", 'single quotes' ],
	[ '{"l": {"items": [{"id": 01}]}}', 'a number with a leading zero' ])
{
	body($case->[0]);
	($state, $error) = query_error($node, $names);
	is($state, 'HV000', "$case->[1]: an error");
	like($error, qr/is not valid JSON/, '... with a message');
}
body(chr(0xfeff) . '[{"name": "l", "values": [{"id": 1, "value": "v"}]}]');
is(query($node, $names), '1|v', 'a byte order mark');
body('{"none": {}, "null": {"items": null}, "l": {"items":
	[{"name": "without"}, {"id": "1", "name": "with", "archived": true}]}}');
is(query($node, 'SELECT list, id, name, path, archived FROM bob.named_lists'),
	"l||without|without|\nl|1|with|with|t",
	'a list without items, and an item without an id');
body(<<'JSON');
{"l": {"items": [{"id": 1, "name": "a \\ \"b\"", "children":
	[{"id": 2, "name": "c", "children": null}]}]}}
JSON
is(query($node, 'SELECT id, parent_id, path FROM bob.named_lists'),
	q{1||a \ "b"} . "\n" . q{2|1|a \ "b" \ c},
	'the path has the names of all levels');
foreach my $condition (q{list = 'site'}, q{list = ANY (ARRAY(SELECT 'site'))})
{
	body('{"name": "Sites", "values": [{"id": 1, "name": "x"}]}',
		'/company/named-lists/site');
	is(query($node, "SELECT list, id FROM bob.named_lists WHERE $condition"), 'site|1',
		"a list whose name in the response differs: $condition");
}
body('{"name": "site"}', '/company/named-lists/site');
is(query($node, q{SELECT count(*) FROM bob.named_lists WHERE list = 'site'}), '0',
	'a single list without items has no rows');

done_testing();
