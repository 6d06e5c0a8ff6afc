# The benchmark runs, all readers of a body get the same result, and the report
# is complete.  The measured times do not matter here.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs curl and psycopg2'
  if system('curl --version >/dev/null 2>&1') != 0
  || system("/usr/bin/env python3 -c 'import psycopg2' >/dev/null 2>&1") != 0;

my $node = new_cluster('bench');
my $simulator = start_simulator(employees => 60);
my $bench = "$FindBin::Bin/../bench";
my $bodies = PostgreSQL::Test::Utils::tempdir;
my $output = PostgreSQL::Test::Utils::tempdir;

local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port,
	PGDATABASE => 'postgres', HIBOB_SIM_URL => $simulator,
	BENCH_DIRECTORY => $bodies, BENCH_OUTPUT => $output,
	PYTHONDONTWRITEBYTECODE => 1);
is(system("make -s -C '$bench'"), 0, 'the programs are built');
is(system("cd '$bench' && timeout 120 /usr/bin/env python3 bench.py"
		  . ' --sizes 20,1500 --runs 1 --minutes 1 --lookups 10 >&2'),
	0, 'the benchmark runs, and all results agree');

my $report = decode_json(slurp_file("$output/report.json"));
my %bodies = map { $_->{body} => $_ } @{ $report->{bodies} };

is_deeply([ sort keys %bodies ],
	[ sort map { ("$_-20", "$_-20-gzip", "$_-1500", "$_-1500-gzip") }
		  qw(narrow wide) ],
	'narrow and wide bodies, plain and gzip');
foreach my $contestant (qw(curl csv scan count python jsonb_text jsonb_stored
	json_text tree elements reader sum))
{
	cmp_ok($bodies{'wide-1500'}{contestants}{$contestant}{median_seconds},
		'>', 0, "$contestant is measured");
}
is(scalar @{ $report->{questions}{answers} }, 10, 'ten questions');
cmp_ok($_->{requests}, '<=', $_->{naive_requests}, $_->{question})
  foreach @{ $report->{questions}{answers} };
like(slurp_file("$output/report.md"),
	qr/## Machine.*## Targets.*## One row.*## Against the rate limit.*## Bodies/s,
	'the report has all sections');
is_deeply([ glob "$bodies/*0.json*" ], [], 'no body is left');

done_testing();
