# Constant memory, whatever the size of the company; nothing lost by failing.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' unless -e '/proc/self/status';

my $node = new_cluster('memory');
my $faulty = start_simulator();
my %peak;

# What the backend says of itself after some statements, in kB.
query($node, q{
	CREATE FUNCTION of_status(field text) RETURNS int LANGUAGE sql AS $$
		SELECT (regexp_match(pg_read_file('/proc/self/status'),
							 field || ':\s+(\d+) kB'))[1]::int $$;
	CREATE FUNCTION descriptors() RETURNS bigint LANGUAGE sql AS $$
		SELECT count(*) FROM pg_ls_dir('/proc/self/fd') $$;
});

foreach my $size (1000, 200000)
{
	my $url = start_simulator(employees => $size);

	add_server($node, "of_$size", $url);
	foreach my $what ('count(*), count(full_name)', 'count(p)')
	{
		my $out = query($node,
			"SELECT $what FROM of_$size.people p;
			 SELECT of_status('VmHWM');");
		my ($rows, $kilobytes) = $out =~ /^(\d+).*\n(\d+)$/s;

		is($rows, $size, "$what: all of $size people");
		$peak{$what}{$size} = $kilobytes;
	}
}
foreach my $what (sort keys %peak)
{
	my ($less, $more) = @{ $peak{$what} }{ 1000, 200000 };

	note "$what: peak of $less kB for 1,000, $more kB for 200,000 people";
	cmp_ok($more - $less, '<', 8 * 1024 * $SLOWNESS, "$what: in the same memory");
}

# A thousand failing queries of every kind.
add_server($node, 'faulty', $faulty,
	q{max_retries '0', max_rate_limit_wait '0', read_timeout '20ms'});
query($node, q{
	CREATE FOREIGN TABLE faulty.misfit (id text,
		name int OPTIONS (field 'root.fullName'))
		SERVER faulty OPTIONS (resource 'people');
	CREATE PROCEDURE fail(times int) LANGUAGE plpgsql AS $$
	DECLARE
		failures int := 0;
	BEGIN
		FOR i IN 1 .. times LOOP
			BEGIN
				IF i % 5 = 0 THEN
					PERFORM name FROM faulty.misfit;
				ELSIF i % 7 = 0 THEN
					PERFORM 1 / (employees - 1) FROM (
						SELECT row_number() OVER () AS employees
						  FROM faulty.people) AS p;
				ELSE
					PERFORM count(email) FROM faulty.people;
				END IF;
			EXCEPTION WHEN OTHERS THEN
				failures := failures + 1;
			END;
			COMMIT;
		END LOOP;
		IF failures < times * 0.9 THEN
			RAISE 'only % failures', failures;
		END IF;
	END $$;
});
my @faults = map { { endpoint => '*', times => 1, %$_ } } (
	{ status => 500, body => '' }, { status => 403, body => '{"error":"no"}' },
	{ reset => 20000 }, { reset => 'before_headers' }, { html => \1 },
	{ truncate => { after => 9000, framing => 'length' } },
	{ truncate => { after => 9000, framing => 'chunked' } },
	{ body => '{"employees":[{"id":1}' }, { gzip => 'corrupt' },
	{ stall => { seconds => 5, after => 9000 } },
	{ json => { employees => [ { email => "a\0b" } ] } },
);
tell($faulty, 'fault', [ (@faults) x 100 ]);
my ($before, $descriptors, $after, $descriptors_after) =
  split /\n/, query($node, q{
	CALL fail(100);
	SELECT of_status('VmRSS');
	SELECT descriptors();
	CALL fail(1000);
	SELECT of_status('VmRSS');
	SELECT descriptors();
});
note "1,000 failures: $before kB before, $after kB after; "
  . "$descriptors and $descriptors_after descriptors";
cmp_ok($after - $before, '<', 2 * 1024 * $SLOWNESS, 'no memory lost by failing');
cmp_ok($descriptors_after, '<=', $descriptors, 'no descriptor lost by failing');

done_testing();
