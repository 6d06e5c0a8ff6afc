# Memory is constant for any size of the company, and no error leaks memory or
# file descriptors.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT reset_simulator session employee_id);
use JSON::PP;
use Test::More;

plan skip_all => 'needs /proc' unless -e '/proc/self/status';

# JIT compilation allocates memory, too.
my $node = new_cluster('memory', "jit = off\n");
my $faulty = start_simulator();
my $plain = start_simulator();
my $parts = start_simulator(employees => 120);
my %peak;

# Figures of the backend: memory in kB, open descriptors.
query($node, q{
	CREATE FUNCTION of_status(field text) RETURNS int LANGUAGE sql AS $$
		SELECT (regexp_match(pg_read_file('/proc/self/status'),
							 field || ':\s+(\d+) kB'))[1]::int $$;
	CREATE FUNCTION descriptors() RETURNS bigint LANGUAGE sql AS $$
		SELECT count(*) FROM pg_ls_dir('/proc/self/fd') $$;
});

# ------------------------------------------------------------------------
# Constant memory
# ------------------------------------------------------------------------

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
	cmp_ok($more - $less, '<', 8 * 1024 * $SLOWNESS, "$what: constant memory");
}

foreach my $size (400, 40000)
{
	my $url = start_simulator(employees => $size);

	add_server($node, "paged_$size", $url);
	query($node, "CREATE FOREIGN TABLE paged_$size.history (employee_id text,
		id bigint, effective_date date, job_title_id text, whole jsonb
		OPTIONS (field '*')) SERVER paged_$size
		OPTIONS (resource 'work_history')");
	my $result = query($node, "SET timezone = 'UTC';
		SELECT count(*), count(job_title_id), count(whole) FROM paged_$size.history;
		SELECT of_status('VmHWM')");
	my ($rows, $kilobytes) = $result =~ /^(\d+).*\n(\d+)$/s;

	cmp_ok($rows, '>=', $size > 1000 ? 90000 : 800, "$rows rows in pages");
	$peak{pages}{$size} = $kilobytes;
}
note "pages: peak of $peak{pages}{400} kB and of $peak{pages}{40000} kB";
cmp_ok($peak{pages}{40000} - $peak{pages}{400}, '<', 4 * 1024 * $SLOWNESS,
	'pages: constant memory');

# ------------------------------------------------------------------------
# Errors that are caught
# ------------------------------------------------------------------------

# A thousand queries that fail in all ways.
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
cmp_ok($after - $before, '<', 2 * 1024 * $SLOWNESS, 'errors leak no memory');
cmp_ok($descriptors_after, '<=', $descriptors, '... and no descriptor');

# The same within pages and parallel requests.
add_server($node, 'parts', $parts, q{max_retries '0', read_timeout '20s'});
query($node, q{
	CREATE TABLE ids AS SELECT n, (3332883884017713238 + 37 * n)::text AS id
	  FROM generate_series(1, 2500) AS n;
	ANALYZE ids;
});
query($node, "CREATE FOREIGN TABLE parts.$_ (employee_id text, id bigint)
	SERVER parts OPTIONS (resource '$_')")
  foreach qw(work_history deductions entitlements salaries training);
query($node, q{
	CREATE PROCEDURE fail_in_parts(times int) LANGUAGE plpgsql AS $$
	DECLARE
		failures int := 0;
		wrong text := ids.id FROM ids WHERE n = 1;
	BEGIN
		FOR i IN 1 .. times LOOP
			BEGIN
				CASE i % 8
				WHEN 0 THEN PERFORM 1 / (w.id - w.id) FROM parts.work_history w;
				WHEN 1 THEN PERFORM count(*) FROM parts.deductions;
				WHEN 2 THEN PERFORM count(*) FROM parts.entitlements;
				WHEN 3 THEN PERFORM count(*) FROM parts.salaries;
				WHEN 4 THEN PERFORM 1 / (t.id - t.id) FROM parts.training t;
				ELSE PERFORM count(*) FROM parts.training
					WHERE employee_id IN (SELECT id FROM ids WHERE n <= 0)
					OR employee_id = ANY ((SELECT array_agg(id) FROM ids
						WHERE n BETWEEN 21 AND 22 + i % 8)::text[]);
					PERFORM count(*) FROM parts.training
					WHERE employee_id = ANY ((SELECT array_agg(id) FROM ids
						WHERE n BETWEEN 21 AND 22 + i % 8)::text[]);
				END CASE;
			EXCEPTION WHEN OTHERS THEN
				failures := failures + 1;
			END;
			COMMIT;
		END LOOP;
		IF failures < times THEN
			RAISE 'only % failures', failures;
		END IF;
	END $$;
});
my @id = map { employee_id($_) } 0 .. 40;
reset_simulator($parts, page_entries => 40);
tell($parts, 'fault', [ map { { times => undef, %$_ } }
		{ endpoint => '/bulk/people/deduction', skip => 1, status => 500,
			body => '' },
		{ endpoint => '/bulk/people/entitlement', body => '{"results":[1]}' },
		{ endpoint => '/bulk/people/salaries', reset => 9000 },
		{ endpoint => "/people/$id[27]/training", reset => 10 },
		{ endpoint => "/people/$id[28]/training", status => 403, body => '' },
		{ endpoint => "/people/$id[29]/training", html => JSON::PP::true } ]);
($before, $descriptors, $after, $descriptors_after) =
  split /\n/, query($node, q{
	CALL fail_in_parts(40);
	SELECT of_status('VmRSS');
	SELECT descriptors();
	CALL fail_in_parts(304);
	SELECT of_status('VmRSS');
	SELECT descriptors();
});
note "300 errors in pages and parallel requests: $before kB before, "
  . "$after kB after; $descriptors and $descriptors_after descriptors";
cmp_ok($after - $before, '<', 2 * 1024 * $SLOWNESS,
	'errors in pages and parallel requests leak no memory');
# Each of the parallel connections may or may not be open at the end.
cmp_ok($descriptors_after, '<=', $descriptors + 4,
	'... and no descriptor');

# ------------------------------------------------------------------------
# Errors that are not caught
# ------------------------------------------------------------------------

add_server($node, 'plain', $plain, q{max_retries '0', read_timeout '1s'});
query($node, q{
	CREATE FOREIGN TABLE plain.misfit (id text,
		name int OPTIONS (field 'root.fullName'))
		SERVER plain OPTIONS (resource 'people')});
my @uncaught = map { { contains => '"root.email"', %$_ } } (
	{ status => 500, body => '' }, { reset => 20000 }, { html => \1 },
	{ truncate => { after => 9000, framing => 'chunked' } },
	{ body => '{"employees":[{"id":1}' }, { gzip => 'corrupt' },
	{ status => 403, body => '{"error":"no"}' },
	{ reset => 'before_headers' });
my $figures = q{
	SELECT 'figures', (regexp_match(pg_read_file('/proc/self/status'),
		'VmRSS:\s+(\d+)'))[1], (SELECT count(*)
		FROM pg_ls_dir('/proc/self/fd'));
};
my @failing = ((q{SELECT count(email) FROM plain.people;}) x 8,
	'SELECT count(name) FROM plain.misfit;',
	'SELECT 1 / (row_number() OVER () - 9) FROM plain.people;');

tell($plain, 'reset');
# More faults than queries, since libcurl repeats some requests itself.
tell($plain, 'fault', [ (@uncaught) x 300 ]);
my ($out, $err) = session($node, join("\n", @failing, '') x 10 . $figures
	  . join("\n", @failing, '') x 100 . $figures);
my $failures = () = $err =~ /ERROR:  /g;
my ($first, $last) = map { [ split /\|/ ] } $out =~ /figures\|(.*)/g;
is($failures, 1100, 'all queries without an exception handler fail');
note "1,000 errors: $first->[0] kB, then $last->[0] kB; "
  . "$first->[1] and $last->[1] descriptors";
cmp_ok($last->[0] - $first->[0], '<', 4096 * $SLOWNESS, '... they leak no memory');
cmp_ok($last->[1], '<=', $first->[1], '... and no descriptor');

done_testing();
