# Cancels of queries, and how long they take.  On a busy machine every cancel is
# late, also that of a query of the server itself, with which a late one is
# compared.
package CancelTest;

use strict;
use warnings;
use Exporter 'import';
use HibobTest qw(:DEFAULT wait_until);
use IPC::Run;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(create_cancel_functions cancel_when reference_cancel
  check_prompt percentile);

# Queries of the server itself: one that waits, and one that does not.
my $WAITS = 'SELECT pg_sleep(3600)';
my $WORKS = 'SELECT count(*) FROM pg_class a, pg_class b, pg_class c, pg_class d';

# Creates the function milliseconds_to_end(): it cancels or terminates a session,
# and returns for how many milliseconds that remains active.
sub create_cancel_functions
{
	my ($node) = @_;

	query($node, q{
		CREATE OR REPLACE FUNCTION milliseconds_to_end(victim int, how text)
		RETURNS float LANGUAGE plpgsql AS $$
		DECLARE
			started timestamptz := clock_timestamp();
			late CONSTANT interval := '2 minutes';
		BEGIN
			IF how = 'cancel' THEN
				PERFORM pg_cancel_backend(victim);
			ELSE
				PERFORM pg_terminate_backend(victim);
			END IF;
			WHILE clock_timestamp() < started + late LOOP
				PERFORM pg_stat_clear_snapshot();
				IF NOT EXISTS (SELECT FROM pg_stat_activity
							   WHERE pid = victim AND state = 'active') THEN
					RETURN extract(epoch FROM clock_timestamp() - started) * 1000;
				END IF;
				PERFORM pg_sleep(0.0005);
			END LOOP;
			RETURN 'infinity';
		END $$;
	});
	return;
}

# Runs some queries, and cancels the first one when a condition is true.  Returns
# for how many milliseconds it continued, and the output and errors of psql.
sub cancel_when
{
	my ($node, $condition, @queries) = @_;
	my ($out, $err) = ('', '');

	create_cancel_functions($node);
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d',
			$node->connstr('postgres') . ' application_name=victim',
			map { ('-c', $_) } @queries ],
		'<', \undef, '>', \$out, '2>', \$err);
	my $pid;
	wait_until('active session', sub {
		$pid = query($node, q{SELECT pid FROM pg_stat_activity
			WHERE application_name = 'victim' AND state = 'active'});
		return $pid ne '';
	});
	wait_until('reason for a cancel', $condition);
	my $took = query($node, "SELECT milliseconds_to_end($pid, 'cancel')");
	$session->finish;
	return ($took, $out, $err);
}

# The same for a query of the server itself, which waits or works.
sub reference_cancel
{
	my ($node, $works) = @_;
	my ($took) = cancel_when($node, sub { return 1 }, $works ? $WORKS : $WAITS);

	return $took;
}

sub percentile
{
	my ($p, @values) = @_;
	my @sorted = sort { $a <=> $b } @values;
	my $index = int($p * @sorted / 100 + 0.999999) - 1;

	return $sorted[ $index < 0 ? 0 : $index ];
}

# Checks that the median and the maximum of some times are within their limits.  If
# they are not, that may be due to the machine: then there are up to three more
# rounds, where a reference of the same machine is measured after each try, and
# added to the limits.  Returns the times of the last round.
sub check_prompt
{
	my ($name, %how) = @_;
	my $tries = $how{tries};
	my @times = map { $how{try}->() } 1 .. $tries;
	my @reference = (0);

	foreach my $round (1 .. 3)
	{
		last if is_prompt(\%how, \@times, \@reference);
		note(sprintf '%s: late in round %d: %s ms, reference %s ms', $name, $round,
			join(' ', map { sprintf '%.0f', $_ } @times),
			join(' ', map { sprintf '%.0f', $_ } @reference));
		(@times, @reference) = ();
		foreach (1 .. max($tries, 5))
		{
			push @times, $how{try}->();
			push @reference, $how{reference}->();
		}
	}
	cmp_ok(percentile(50, @times), '<=', $how{median} + percentile(50, @reference),
		"$name: the median is within the limit");
	cmp_ok(max(@times), '<=', $how{latest} + max(@reference),
		"$name: never later than $how{latest} ms");
	return @times;
}

sub is_prompt
{
	my ($how, $times, $reference) = @_;

	return percentile(50, @$times) <= $how->{median} + percentile(50, @$reference)
	  && max(@$times) <= $how->{latest} + max(@$reference);
}

1;
