# The guards of hibob_roster: which refreshes they refuse, and which they accept.
# Each case starts from a good refresh, changes HiBob's response, and refreshes.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use HibobTest qw(report);
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $sim) = roster_cluster('roster_guards', employees => 100);

query($node, q{CREATE SCHEMA hr;
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (people) FROM SERVER bob INTO hr;
	SELECT hibob_roster.create_mirror('hr.people', 'roster',
		columns => ARRAY['email', 'full_name', 'job_title', 'department',
			'site', 'manager_id', 'status', 'start_date', 'termination_date',
			'employee_number', 't_shirt_size'])});

# Everything that a refused refresh must not change, with the rows' xmin.
my $CONTENT = q{SELECT md5(string_agg(r::text || xmin, ',' ORDER BY id)) FROM hr.roster r;
	SELECT count(*), md5(string_agg(h::text || xmin, ',' ORDER BY id, valid_from))
	  FROM hr.roster_history h};
my @table;

sub first { return map { $_ + 1 } 0 .. $_[0] - 1 }
sub overrides
{
	my ($field, $value, @numbers) = @_;
	return { overrides => { map { $_ => { $field => $value } } @numbers } };
}

# HiBob's response, the outcome, and a pattern for the message.
my @cases = (
	[ 'nothing has changed', {}, 'success' ],
	[ '19 percent of the rows are gone', { hidden_employees => [ first(19) ] },
		'success' ],
	[ '20 percent', { hidden_employees => [ first(20) ] }, 'success' ],
	[ '21 percent', { hidden_employees => [ first(21) ] }, 'refused',
		qr/\b21 of 100 rows \(21 %\) would be removed, such as \(id\) = \(\d+\), \(\d+\), \(\d+\), and the limit is 20 %/ ],
	[ 'all rows are gone', { hidden_employees => [ first(100) ] }, 'refused',
		qr/\b100 of 100 rows \(100 %\)/ ],
	[ '19 percent of a column become null',
		overrides('work.site', undef, first(19)), 'success' ],
	[ '20 percent', overrides('work.site', undef, first(20)), 'success' ],
	[ '21 percent', overrides('work.site', undef, first(21)), 'refused',
		qr/\b21 of 100 values \(21 %\) of column "site" would become null, and the limit is 20 %/ ],
	[ 'a field is null for everybody',
		overrides('work.site', undef, first(100)), 'refused',
		qr/100 of 100 values \(100 %\) of column "site"/ ],
	[ 'a field is not shown', { hidden_fields => ['work.title'] }, 'refused',
		qr/of column "job_title" would become null/ ],
	[ 'a category is hidden', { hidden_categories => ['lifecycle'] }, 'refused',
		qr/of column "status" would become null.*of column "termination_date"/ ],
	[ 'the category of almost everything is hidden',
		{ hidden_categories => ['work'] }, 'refused',
		qr/of column "\w+" would become null/ ],
	[ '15 rows are gone, and 10 of 85 values',
		{ hidden_employees => [ first(15) ],
			%{ overrides('work.site', undef, 16 .. 25) } }, 'success' ],
	[ '15 rows are gone, and 18 of 85 values: 21 percent of the rows that stay',
		{ hidden_employees => [ first(15) ],
			%{ overrides('work.site', undef, 16 .. 33) } }, 'refused',
		qr/\b18 of 85 values \(21.18 %\) of column "site"/ ],
	[ 'both at once', { hidden_employees => [ first(30) ],
			%{ overrides('work.site', undef, 31 .. 80) } }, 'refused',
		qr/30 of 100 rows .*; 50 of 70 values .*"site"/ ],
	[ 'everybody has another value', overrides('work.site', 'Mars', first(100)),
		'success' ],
);

sub start_anew
{
	tell($sim, 'reset');
	is((refresh($node, 'hr.roster', 1))[0], '', 'a good refresh');
	return;
}

sub check
{
	my ($name, $mirror, $expected, $pattern) = @_;
	my $before = query($node, $CONTENT);
	my ($state, $message) = refresh($node, $mirror);
	my $outcome = last_entry($node, $mirror, 'outcome');

	is($outcome, $expected, "$name: $expected");
	push @table, { 'what HiBob returns' => $name, outcome => $outcome,
		message => last_entry($node, $mirror, 'message') };
	return if $expected eq 'success';
	is($state, '55000', '... with an error');
	like($message, $pattern, '... that has the numbers');
	my ($context) = $message =~ /CONTEXT:  (.*)\nLOCATION/s;
	is(scalar(split /\n/, $context), 2, '... with two lines of context');
	like($message, qr/HINT: .*CALL hibob_roster\.refresh\('\Q$mirror\E', force => true\)/,
		'... and a hint how to accept it');
	like(last_entry($node, $mirror, 'message'), $pattern, '... which the log has, too');
	is(query($node, $CONTENT), $before, '... nothing was written');
	is(query($node, "SELECT status, last_success < last_attempt,
		message ~ 'refused', hint ~ 'force' FROM hibob_roster.health
		WHERE mirror = '$mirror'::regclass"), 'refused|t|t|t', '... and health shows it');
	return;
}

foreach my $case (@cases)
{
	my ($name, $config, $expected, $pattern) = @$case;

	start_anew();
	tell($sim, 'config', $config);
	check($name, 'hr.roster', $expected, $pattern);
}

# A manager leaves with all direct and indirect reports.
start_anew();
my ($manager, $reports) = split /\|/, query($node, q{
	WITH RECURSIVE below AS (
		SELECT id AS top, id FROM hr.roster WHERE manager_id IS NOT NULL
		UNION ALL
		SELECT b.top, r.id FROM below b JOIN hr.roster r ON r.manager_id = b.id)
	SELECT top, string_agg(r.employee_number::text, ',')
	  FROM below JOIN hr.roster r USING (id)
	 GROUP BY top ORDER BY count(*) DESC LIMIT 1});
cmp_ok(scalar(split /,/, $reports), '>', 20, 'a manager has more than 20 reports');
hide($sim, split /,/, $reports);
check('a manager and everybody below are gone', 'hr.roster', 'refused',
	qr/rows .* would be removed/);

# The service user has access only to current employees.  One in six people of
# this company has left or not started, which is more than this limit.
query($node, 'UPDATE hibob_roster.mirrors SET max_removed_percent = 10');
start_anew();
tell($sim, 'config', { audience => 'employed' });
check('only current employees are accessible, with a limit of 10 percent',
	'hr.roster', 'refused', qr/\b\d\d of 100 rows .*limit is 10 %/);
query($node, 'UPDATE hibob_roster.mirrors SET max_removed_percent = 20');

# A response without employees.
start_anew();
tell($sim, 'fault', { endpoint => '/people/search', json => { employees => [] } });
check('an empty response', 'hr.roster', 'refused', qr/\b100 of 100 rows/);

# --- accepted once -----------------------------------------------------------

start_anew();
hide($sim, first(30));
check('30 percent are gone', 'hr.roster', 'refused', qr/30 of 100 rows/);
is(outcome($node, 'hr.roster', 1),
	'success 0 added 0 changed 30 removed 0 returned', 'force accepts that');
is(query($node, 'SELECT count(*) FROM hr.roster'), '70', '... 70 rows are left');
is(query($node, q{SELECT status FROM hibob_roster.health}), 'healthy',
	'... and health shows it');
# The guards compare the next refresh with this one.
is(outcome($node, 'hr.roster'), 'success 0 added 0 changed 0 removed 0 returned',
	'the next refresh needs no force');
hide($sim, first(45));
check('15 of the 70 that are left', 'hr.roster', 'refused',
	qr/15 of 70 rows \(21.43 %\)/);
hide($sim, first(44));
check('14 of 70', 'hr.roster', 'success');

# --- other limits ------------------------------------------------------------

start_anew();
query($node, q{UPDATE hibob_roster.mirrors SET max_removed_percent = 0,
	max_emptied_percent = 3.5});
hide($sim, first(5));
check('5 rows, with a limit of 0 percent', 'hr.roster', 'success');
start_anew();
hide($sim, first(6));
check('6 rows, with a limit of 0 percent', 'hr.roster', 'refused',
	qr/6 of 100 rows \(6 %\).*limit is 0 %/);
tell($sim, 'config', { hidden_employees => [], %{ overrides('work.site', undef, first(5)) } });
check('5 values, with a limit of 3.5 percent', 'hr.roster', 'success');
start_anew();
tell($sim, 'config', overrides('work.site', undef, first(6)));
check('6 values', 'hr.roster', 'refused', qr/6 of 100 values.*limit is 3.5 %/);
query($node, q{UPDATE hibob_roster.mirrors SET max_removed_percent = NULL,
	max_emptied_percent = NULL});
start_anew();
tell($sim, 'config', overrides('work.site', undef, first(100)));
check('without limits, a column of nulls', 'hr.roster', 'success');
hide($sim, first(100));
check('without limits, no rows', 'hr.roster', 'success');
is((query_error($node, q{UPDATE hibob_roster.mirrors
	SET max_removed_percent = 101}))[0], '23514', 'a limit above 100 percent');

# --- a small company ---------------------------------------------------------

tell($sim, 'reset');
tell($sim, 'config', { employees => 6 });
query($node, q{SELECT hibob_roster.create_mirror('hr.people', 'small',
	columns => ARRAY['site', 'employee_number'])});
tell($sim, 'config', { hidden_employees => [ first(5) ] });
check('5 of 6 people leave', 'hr.small', 'success');
tell($sim, 'config', { hidden_employees => [] });
check('they come back', 'hr.small', 'success');
tell($sim, 'config', overrides('work.site', undef, first(5)));
check('5 of 6 sites become null', 'hr.small', 'success');
tell($sim, 'config', { overrides => {}, hidden_employees => [] });
check('they have sites again', 'hr.small', 'success');
tell($sim, 'config', { hidden_employees => [ first(6) ] });
check('6 of 6 people leave', 'hr.small', 'refused', qr/6 of 6 rows/);

# --- manual changes of the mirror --------------------------------------------

tell($sim, 'reset');
query($node, q{UPDATE hibob_roster.mirrors SET max_removed_percent = 20,
	max_emptied_percent = 20});
start_anew();
my $history = query($node, 'SELECT count(*), max(valid_from) FROM hr.roster_history');
query($node, q{DELETE FROM hr.roster WHERE employee_number <= 50});
check('half of the rows were deleted by hand', 'hr.roster', 'success');
is(query($node, q{SELECT count(*) FROM hr.roster}), 100, '... they are back');
is(query($node, 'SELECT count(*), max(valid_from) FROM hr.roster_history'),
	$history, '... and the history has no new versions');
query($node, 'TRUNCATE hr.roster');
check('TRUNCATE of the mirror', 'hr.roster', 'success');
is(query($node, q{SELECT count(*) FROM hr.roster}), 100, '... all rows are back');
hide($sim, first(21));
query($node, 'TRUNCATE hr.roster');
check('21 percent of the rows do not come back', 'hr.roster', 'refused',
	qr/\b21 of 100 rows \(21 %\) would be removed, and the limit is 20 %/);
hide($sim, first(100));
check('no row comes back', 'hr.roster', 'refused', qr/\b100 of 100 rows \(100 %\)/);
is(query($node, q{SELECT count(*) FROM hr.roster_history WHERE valid_to IS NULL}), 100, '... and the history keeps them');
hide($sim, first(19));
check('19 percent do not come back', 'hr.roster', 'success');
hide($sim);
check('they do', 'hr.roster', 'success');
query($node, q{UPDATE hr.roster SET site = NULL});
check('a column was set to null by hand', 'hr.roster', 'success');

report('roster_guards', [ 'what HiBob returns', 'outcome', 'message' ], @table);
$node->stop;
done_testing();
