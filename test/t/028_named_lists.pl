# What rows of named lists cost: every item repeats the names above it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('lists');

add_server($node, 'bob', $sim, q{max_retries '0'});
query($node, q{CREATE FOREIGN TABLE bob.lists (list text, id text, path text)
	SERVER bob OPTIONS (resource 'named_lists')});

# A list whose name is so long, with so many items; or an item with its
# children.
sub answer
{
	my ($name, @values) = @_;

	tell($sim, 'fault', { endpoint => '/company/named-lists',
			json => { $name => { values => \@values } } });
	return;
}

my @items = map { { id => $_, name => "item $_" } } 1 .. 1000;

answer('x' x 5000, @items);
is(query($node, 'SELECT count(*), sum(length(list)) FROM bob.lists'),
	'1000|5000000', 'a name of 5 kB with a thousand items');

answer('x' x 100_000, @items);
my ($state, $error) = query_error($node, 'SELECT count(*) FROM bob.lists');
is($state, 'HV000', 'one of 100 kB would make 100 MB: an error');
like($error, qr/rows of the named lists are larger than allowed/, '... that says so');

answer('list', { id => 1, name => 'y' x 100_000, children => \@items });
($state) = query_error($node, 'SELECT count(*) FROM bob.lists');
is($state, 'HV000', 'so is the name of what is above');

answer('list', { id => '9' x 100_000, children => \@items });
($state) = query_error($node, 'SELECT count(*) FROM bob.lists');
is($state, 'HV000', 'and its id');

is(query($node, 'SELECT count(*) > 0 FROM bob.lists'), 't',
	'the session goes on');

# Every rule of the reader of rows holds for named lists, and no value is
# altered.
sub body
{
	my ($body, $endpoint) = @_;

	tell($sim, 'fault', { endpoint => $endpoint // '/company/named-lists',
			body => $body, times => 1 });
	return;
}

query($node, q{ALTER FOREIGN TABLE bob.lists ADD name text, ADD parent_id text,
	ADD archived boolean});
my $names = q{SELECT id, name FROM bob.lists};
foreach my $case (
	[ '"A\u0000B"', '22P05', 'a NUL' ],
	[ '"\ud800"', '22P05', 'half of a surrogate pair' ])
{
	body(qq({"l": {"items": [{"id": "1", "name": $case->[0]}]}}));
	($state) = query_error($node, $names);
	is($state, $case->[1], "$case->[2] in a name is an error");
}
body('{"l": {"items": [{"id": 99999999999999999999, "name": 1.50}]}}');
is(query($node, $names), '99999999999999999999|1.50', 'numbers stay as they are');
foreach my $case (
	[ '{"l": {"items": [{"id": "1"},]}}', 'a comma too many' ],
	[ '{"l": /* none */ {"items": []}}', 'a comment' ],
	[ "{'l': {'items': []}}", 'single quotes' ],
	[ '{"l": {"items": [{"id": 01}]}}', 'a number with a leading zero' ])
{
	body($case->[0]);
	($state, $error) = query_error($node, $names);
	is($state, 'HV000', "$case->[1] is no JSON");
	like($error, qr/is not valid JSON/, '... and the error says so');
}
body(chr(0xfeff) . '[{"name": "l", "values": [{"id": 1, "value": "v"}]}]');
is(query($node, $names), '1|v', 'a byte order mark is none of the text');
body('{"none": {}, "null": {"items": null}, "l": {"items":
	[{"name": "without"}, {"id": "1", "name": "with", "archived": true}]}}');
is(query($node, 'SELECT list, id, name, path, archived FROM bob.lists'),
	"l||without|without|\nl|1|with|with|t",
	'a list without items and an item without an id leave the others');
body(<<'JSON');
{"l": {"items": [{"id": 1, "name": "a \\ \"b\"", "children":
	[{"id": 2, "name": "c", "children": null}]}]}}
JSON
is(query($node, 'SELECT id, parent_id, path FROM bob.lists'),
	q{1||a \ "b"} . "\n" . q{2|1|a \ "b" \ c},
	'a path has the names from the top');
foreach my $asked (q{list = 'site'}, q{list = ANY (ARRAY(SELECT 'site'))})
{
	body('{"name": "Sites", "values": [{"id": 1, "name": "x"}]}',
		'/company/named-lists/site');
	is(query($node, "SELECT list, id FROM bob.lists WHERE $asked"), 'site|1',
		"a list that HiBob calls otherwise has rows: $asked");
}
body('{"name": "site"}', '/company/named-lists/site');
is(query($node, q{SELECT count(*) FROM bob.lists WHERE list = 'site'}), '0',
	'a single list without items has none');

done_testing();
