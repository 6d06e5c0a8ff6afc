# The option batch_size: a large company is read by ids in batches, several at the
# same time and within the rate limit, and each employee once, even if employees
# join or leave meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT session states employee_id stats wait_for_stalled);
use Test::More;
use Time::HiRes qw(time);

my $PEOPLE = 300;
my $sim = start_simulator(employees => $PEOPLE);
my $node = new_cluster('batches');

add_server($node, 'bob', $sim, q{max_retries '0'});
query($node, q{
	CREATE FOREIGN TABLE batches (id text, email text, full_name text, status text)
		SERVER bob OPTIONS (resource 'people', batch_size '30')});

sub batch_size
{
	query($node, "ALTER FOREIGN TABLE batches OPTIONS (SET batch_size '$_[0]')");
	return;
}

# Resets the simulator; these employees are hidden at first.
sub start
{
	my (@hidden) = @_;
	tell($sim, 'reset');
	tell($sim, 'config', { hidden_employees => \@hidden });
	return;
}

# Hides these employees after a number of requests.
sub change
{
	my ($skip, @hidden) = @_;
	tell($sim, 'fault', { skip => $skip, config => { hidden_employees => \@hidden } });
	return;
}

# The numbers of the employees in the result.
sub numbers
{
	return map { ($_ - employee_id(0)) / 37 } split /\n/, query($node, @_);
}

sub counts
{
	my %count;
	$count{$_}++ foreach @_;
	return %count;
}

my $search = '/people/search';
my $all = 'SELECT id FROM batches';

# ----------------------------------------------------------------------------
# Batches in parallel
# ----------------------------------------------------------------------------

start();
is(scalar numbers($all), $PEOPLE, 'all employees');
my @made = requests($sim);
is(scalar @made, 11, '... one request for the ids, and ten batches');
is_deeply([ map { scalar @{ $_->{body}{filters}[0]{values} } } @made[ 1 .. 10 ] ],
	[ (30) x 10 ], '... of thirty');

# Four batches stall after the first one.
tell($sim, 'fault', { endpoint => $search, skip => 2, times => 4,
		stall => { seconds => 300 } });
my $session = HibobSession->new($node);
$session->send("$all;");
wait_for_stalled($sim, 4);
is(stats($sim)->{under_way}, 4, 'four batches at the same time');
tell($sim, 'resume');
is(scalar(split /\n/, ($session->receive)[0]), $PEOPLE, '... all employees');
$session->finish;
@made = requests($sim);
my %connections = counts(map { $_->{connection} } @made[ 1 .. 10 ]);
is(scalar keys %connections, 4, '... over four connections');

# Fewer employees than a batch.
batch_size(200);
start(11 .. $PEOPLE);
is(scalar numbers($all), 10, 'fewer employees than a batch');
is(scalar requests($sim), 2, '... two requests');
start(1 .. $PEOPLE);
is(scalar numbers($all), 0, 'no employees');
is(scalar requests($sim), 1, '... no batch');
batch_size(30);

# LIMIT starts no batches after those that are active.
start();
is(scalar numbers("$all LIMIT 5"), 5, 'LIMIT');
cmp_ok(scalar requests($sim), '<', 8, '... does not request all batches');

# A rescan makes no requests, nor does a second scan of the statement.
is(query($node, q{SET enable_material = off; SET enable_hashjoin = off;
	SET enable_mergejoin = off; SELECT count(*) FROM batches a JOIN batches b
	ON lower(a.id) = lower(b.id)}), $PEOPLE, 'a self-join');
is(scalar requests($sim), 11, '... makes the same requests');

# ----------------------------------------------------------------------------
# Employees who join or leave during the scan
# ----------------------------------------------------------------------------

my @joining = (10, 20, 150);
my @leaving = (40, 41, 299);
my @late = (60, 298);

foreach my $size (30, 1, 200)
{
	batch_size($size);
	start(@joining);
	change(1, @leaving);
	change($size == 200 ? 1 : 3, @leaving, @late);
	my %found = counts(numbers($all));
	my %gone = map { $_ => 1 } @joining, @leaving, @late;

	is_deeply([ grep { ($found{$_} // 0) != 1 } grep { !$gone{$_} } 1 .. $PEOPLE ],
		[], "batches of $size: all employees who stay, once");
	is_deeply([ grep { $found{$_} } @joining, @leaving ], [],
		'... no employee who joins, or leaves before the batches');
	is_deeply([ grep { ($found{$_} // 0) > 1 } @late ], [],
		'... at most once an employee who leaves during the batches');
	my @requests = requests($sim);
	is(scalar @requests, 1 + int(($PEOPLE - @joining + $size - 1) / $size),
		'... with the expected number of requests');
}

# An employee who becomes inactive during the scan is not in the result.
batch_size(30);
start();
my @active = numbers("$all WHERE status = 'Active'");
start();
tell($sim, 'fault', { endpoint => $search, skip => 1, config => { overrides =>
			{ $active[5] => { 'internal.status' => 'Inactive' } } } });
is_deeply([ numbers("$all WHERE status = 'Active' ORDER BY id") ],
	[ sort { $a <=> $b } @active[ 0 .. 4, 6 .. $#active ] ],
	'a status that changes during the scan');

# ----------------------------------------------------------------------------
# The rate limit, errors, cancel
# ----------------------------------------------------------------------------

start();
tell($sim, 'config', { rate_limits => { $search => 4 }, rate_window => 1 });
is(scalar numbers($all), $PEOPLE, 'a rate limit of four requests a second');
my %status = counts(map { $_->{status} } requests($sim));
is_deeply(\%status, { 200 => 11 }, '... no request is refused');

# An error in the middle of a response also ends the request: it no longer counts
# as active for the rate limit.
start();
tell($sim, 'config', { rate_limits => { $search => 50 } });
query($node, q{ALTER SERVER bob OPTIONS (ADD max_rate_limit_wait '0');
	CREATE FOREIGN TABLE misfit (id text, email int) SERVER bob
		OPTIONS (resource 'people')});
my ($out, $err) = session($node, "SELECT max(email) FROM misfit;\n" x 30
	  . 'SELECT count(*) FROM misfit;');
is_deeply({ counts(states($err)) }, { '22P02' => 30 }, 'thirty errors');
is($out, $PEOPLE, '... and no wait for the rate limit');
query($node, 'ALTER SERVER bob OPTIONS (DROP max_rate_limit_wait)');

foreach my $fault ([ '08006', reset => 1000 ], [ 'HV000', status => 400 ],
	[ '08006', body => '{"employees":[{"id":"1"}' ],
	[ 'HV000', body => '[]' ], [ '42501', status => 403 ])
{
	my ($state, @keys) = @$fault;
	start();
	tell($sim, 'fault', { endpoint => $search, skip => 6, @keys });
	is((query_error($node, "SELECT count(*) FROM batches"))[0], $state,
		"an error of a batch: $state");
}

start();
tell($sim, 'fault', { endpoint => $search, skip => 4, times => undef,
		stall => { seconds => 300 } });
my $begin = time;
is((query_error($node, q{SET statement_timeout = '500ms';
	SELECT count(*) FROM batches}))[0], '57014', 'a timeout during the batches');
cmp_ok(time - $begin, '<', 60 * $SLOWNESS, '... takes effect in time');
start();
is(scalar numbers($all), $PEOPLE, '... the next query returns all employees');

done_testing();
