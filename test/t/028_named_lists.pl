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
			json => { list => { name => $name, values => \@values } } });
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

done_testing();
