# Monitoring as in doc/recipes/monitoring.md: prometheus-postgres-exporter with the
# queries of that page, scraped over HTTP, and check_postgres.  Both connect as a
# role that is only a member of pg_monitor.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT bare_cluster);
use HTTP::Tiny;
use IPC::Run;
use List::Util qw(sum0);
use RosterTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $EXPORTER = '/usr/bin/prometheus-postgres-exporter';
my $CHECK = '/usr/bin/check_postgres';

plan skip_all => 'needs prometheus-postgres-exporter or check-postgres'
  unless -x $EXPORTER || -x $CHECK;

my $sim = start_simulator(employees => 60);
my $node = bare_cluster('monitoring', "shared_preload_libraries = 'hibob_fdw'\n");

query($node, 'CREATE EXTENSION hibob_roster CASCADE;
	CREATE ROLE hr_monitor LOGIN IN ROLE pg_monitor');
add_bob($node, $sim);

# --- the states of a mirror ---------------------------------------------------------

# Names, and what brings a mirror into that state.
my @states = (
	[ 'no mirror', sub { } ],
	[ 'healthy', sub { query($node, q{SELECT hibob_roster.create_roster('bob')}) } ],
	[ 'refused', sub { hide($sim, 1 .. 30); refresh($node, 'hr.roster') } ],
	[ 'failing', sub {
			tell($sim, 'config', { modules_off => ['/people/search'] });
			refresh($node, 'hr.roster');
		} ],
	[ 'healthy', sub { tell($sim, 'reset'); refresh($node, 'hr.roster') } ],
	[ 'late', sub { query($node, q{UPDATE hibob_roster.mirrors SET max_age = '1us'}) } ]);

# --- programs -------------------------------------------------------------------------

my ($exporter, $port, $output);

sub start_exporter
{
	my @source = ('user=hr_monitor', 'host=' . $node->host, 'port=' . $node->port,
		'dbname=postgres', 'sslmode=disable');

	# Another process may have taken the port meanwhile.
	for (1 .. 5)
	{
		$port = PostgreSQL::Test::Cluster::get_free_port();
		local $ENV{DATA_SOURCE_NAME} = "@source";
		$exporter = IPC::Run::start([ $EXPORTER, '--log.level=warn',
				"--web.listen-address=127.0.0.1:$port",
				'--extend.query-path=doc/recipes/prometheus-queries.yaml' ],
			'<', \undef, '>', \$output, '2>', \$output);
		for (1 .. 2400)
		{
			last unless $exporter->pumpable;
			return if HTTP::Tiny->new->get("http://127.0.0.1:$port/")->{success};
			sleep 0.05;
		}
		$exporter->kill_kill;
	}
	die "no exporter: $output";
}

END
{
	local $?;
	$exporter->kill_kill if defined $exporter;
}

# The metrics of the page, without the exporter's own label "server".
sub scrape
{
	my $response = HTTP::Tiny->new->get("http://127.0.0.1:$port/metrics");

	ok($response->{success}, 'a scrape');
	return map { s/,server="[^"]*"(?=[,}])//r =~ /^(hibob_\S*?(?:\{.*\})?) (\S+)$/ ? ($1 => $2) : () }
	  split /\n/, $response->{content};
}

# The line of the page that begins with this word.
sub line_of_page
{
	my ($word) = @_;
	my ($line) = slurp_file('doc/recipes/monitoring.md') =~ /^(\Q$word\E .*)$/m
	  or die "the page has no line of $word";
	return $line;
}

# The exit status and the first line of the page's command.
sub check_postgres
{
	my $command = line_of_page('check_postgres') =~ s/--dbname=hr /--dbname=postgres /r;
	local @ENV{ 'PGHOST', 'PGPORT' } = ($node->host, $node->port);
	my $out = `$command`;

	return ($? >> 8, $out);
}

# --- what they say ----------------------------------------------------------------------

start_exporter() if -x $EXPORTER;
my %seen;
foreach my $state (@states)
{
	my ($name, $change) = @$state;

	$change->();
	requests($sim);
  SKIP:
	{
		skip 'no exporter', 4 unless -x $EXPORTER;
		my %metrics = scrape();

		$seen{ s/\{.*//r } = 1 foreach keys %metrics;
		is($metrics{'hibob_roster_healthy{mirror="hr.roster"}'},
			$name eq 'no mirror' ? undef : $name eq 'healthy' ? 1 : 0,
			"exporter: $name");
		is(join(' ', map { /^hibob_roster_state_info\{.*status="(.*?)"/ ? $1 : () } keys %metrics),
			$name eq 'no mirror' ? '' : $name, '... is the status');
		is($metrics{'hibob_roster_rows{mirror="hr.roster"}'},
			$name eq 'no mirror' ? undef : 60, '... with the rows of the last good refresh');
		like($metrics{'hibob_roster_age_seconds{mirror="hr.roster"}'} // '',
			$name eq 'no mirror' ? qr/^$/ : qr/^[\d.e-]+$/, '... and its age');
	}
  SKIP:
	{
		skip 'no check_postgres', 2 unless -x $CHECK;
		my ($status, $out) = check_postgres();

		is($status, $name eq 'healthy' ? 0 : 2, "check_postgres: $name");
		like($out, $name eq 'healthy' ? qr/ OK: / : qr/ CRITICAL: /, '... and says so in its output');
	}
	is(scalar requests($sim), 0, '... without a request to HiBob');
}

SKIP:
{
	skip 'no exporter', 5 unless -x $EXPORTER;
	my %metrics = scrape();
	my $requests = query($node, 'SELECT sum(requests) FROM hibob_fdw_cluster_statistics');
	my @counters = map { $metrics{$_} }
	  grep { /^hibob_fdw_requests\{.*foreign_server="bob"/ } keys %metrics;

	is(sum0(@counters), $requests, 'exporter: counts the requests of all sessions');
	note "exporter: @counters requests; ", join ' ', sort keys %seen;
	my @names = slurp_file('doc/recipes/prometheus-alerts.yaml')
	  =~ /\b(hibob_\w+)\b(?!\.)/g;
	cmp_ok(scalar @names, '>=', 3, 'the alert rules use metrics');
	is(join(' ', grep { !$seen{$_} } @names), '', '... that the exporter has');
	$exporter->pump_nb;
	# Versions since 0.12 prefer a configuration file.
	is(join("\n", grep { !/postgres_exporter\.yml|queries\.yaml config is DEPRECATED/ }
			split /\n/, $output // ''), '', '... and it logs no warning');
}
done_testing();
