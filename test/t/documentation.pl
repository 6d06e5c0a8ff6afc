# Every ```sql block of doc/recipes/*.md, run in order within its page against
# the simulator, in a database of the page's own that is set up as README's
# quick start says; and of doc/manual.md, in a database that has nothing.  Each
# block has a psql of its own.
#
# HTML comments directly before a block say what has to come of it:
#
#   <!-- rows: 3 -->            it prints 3 rows
#   <!-- rows: 3 (leavers) -->  ... and lib/RecipeCounts.pm, which reads HiBob's
#                               JSON itself, counts as many leavers
#   <!-- result: a | b | * -->  the first row begins so; * is any value
#   <!-- output: /regex/ -->    somewhere in what psql prints or complains of
#   <!-- not output: /regex/ -->
#   <!-- fails: 42501 -->       its last statement fails so; the rest must not
#   <!-- requests: 1 -->        HiBob has seen so many requests meanwhile
#   <!-- requests: 1 /people/search -->          ... all of them of this endpoint
#
# or what has to happen before it:
#
#   <!-- simulator: config {"audience": "employed"} -->    config, fault, reset
#   <!-- servers: a b c -->     afterwards, each of these servers gets a
#                               simulator of its own as its base_url; "bob" the
#                               one that all pages have
#   <!-- cron: job -->          pg_cron runs the job once
#   <!-- needs: pg_cron -->     the block is skipped where that is not installed
#
# "requests" and "simulator" take the name of a server: <!-- requests a: 1 -->
#
# Several comments of a kind count one after the other.
#
# What a page says must not depend on the day.  Today is the server's, and the
# page with the reports is run as of a week ago and in a week, too.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RecipeCounts;
use Test::More;
use Time::HiRes qw(sleep);

my $CRON = 'recipes_materialized_views';
# Numbers of the companies with accounts of their own, and of their employees.
my %ACCOUNTS = (acme_uk => [ 1001, 60 ], acme_fr => [ 1002, 40 ],
	acme_us => [ 1003, 25 ]);

my ($node, $database, $today);
my (%simulator, %settings);    # by server

my $has_cron = -e slurp_command('pg_config', '--pkglibdir') . '/pg_cron.so';

sub slurp_command
{
	my ($out) = run_command([@_]);
	chomp $out;
	return $out;
}

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql($database, $sql);
}

# --- pages --------------------------------------------------------------------

# The blocks of a page: their SQL, the line they begin in, and what the comments
# before them say, as [what, server, value].
sub blocks
{
	my ($file) = @_;
	my (@blocks, @said);
	my $line = 0;
	my $block;

	foreach (split /\n/, slurp_file($file))
	{
		$line++;
		if (defined $block)
		{
			if (/^```$/)
			{
				push @blocks, $block;
				undef $block;
			}
			else
			{
				$block->{sql} .= "$_\n";
			}
		}
		elsif (/^```sql$/)
		{
			$block = { line => $line, sql => '', said => [@said] };
			@said = ();
		}
		elsif (/^<!-- (not output|\w+)(?: (\w+))?: (.*) -->$/)
		{
			push @said, [ $1, $2 // 'bob', $3 ];
		}
		else
		{
			die "$file:$line: what is this?" if @said or /^<!--/ or /^```/;
		}
	}
	die "$file: the last block does not end" if defined $block;
	return @blocks;
}

# The values of what a block says under a name.
sub said
{
	my ($block, $what) = @_;
	return map { $_->[2] } grep { $_->[0] eq $what } @{ $block->{said} };
}

sub start_account
{
	my ($server, $employees) = @_;

	$simulator{$server} = start_simulator(today => $today,
		employees => $employees);
	$settings{$server} = {};
	return;
}

sub run_page
{
	my ($page, $as_of) = @_;
	my ($name) = $page =~ m{([^/]*)\.md$};

	($database = "recipes_$name") =~ tr/-/_/;
	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $database")
	  if defined $as_of;
	$node->safe_psql('postgres', "CREATE DATABASE $database")
	  if $database ne $CRON;
	$today = sql('SELECT current_date');
	change('bob', 'reset');
	subtest "$page, today $today" => sub {
		quick_start() if $page =~ m{/recipes/};
		run_block($page, $_) foreach blocks($page);
	};
	return;
}

sub quick_start
{
	sql(qq{
		CREATE EXTENSION hibob_fdw;
		CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$simulator{bob}/v1');
		\\getenv id HIBOB_SERVICE_USER_ID
		\\getenv token HIBOB_TOKEN
		CREATE USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (service_user_id :'id', token :'token');
		CREATE SCHEMA hr;
		IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
	});
	return;
}

# --- blocks -------------------------------------------------------------------

sub run_block
{
	my ($page, $block) = @_;
	my $name = "$page:$block->{line}";

	if (said($block, 'needs') && !$has_cron)
	{
	  SKIP: { skip "$name: no pg_cron", 1; }
		return;
	}
	foreach (@{ $block->{said} })
	{
		my ($what, $server, $value) = @$_;

		change($server, split / /, $value, 2) if $what eq 'simulator';
		run_job($value) if $what eq 'cron';
	}
	requests($_) foreach values %simulator;

	my @marks = ('-F', "\x1f", '-R', "\x1e");
	my ($status, $out, $err) = $node->psql($database,
		"\\set VERBOSITY verbose\n$block->{sql}",
		on_error_stop => 1, extra_params => \@marks);
	my @states = $err =~ /ERROR:  ([0-9A-Z]{5}):/g;
	my @rows = split /\x1e/, $out;

	is("@states", join(' ', said($block, 'fails')), "$name: errors")
	  or diag($err);
	if (said($block, 'fails'))
	{
		# It is the last statement that fails: psql tells the line.
		my ($line) = $err =~ /^psql:<stdin>:(\d+): ERROR/m;
		my $end = ($block->{sql} =~ tr/\n//) + 1;
		is($line, $end, "$name: ... at its end");
	}
	foreach (@{ $block->{said} })
	{
		my ($what, $server, $value) = @$_;

		check_rows($name, $value, scalar @rows) if $what eq 'rows';
		check_result($name, $value, $rows[0]) if $what eq 'result';
		check_requests($name, $server, $value) if $what eq 'requests';
		like("$out\n$err", perl_regex($value), "$name: output")
		  if $what eq 'output';
		unlike("$out\n$err", perl_regex($value), "$name: not in the output")
		  if $what eq 'not output';
		add_accounts(split / /, $value) if $what eq 'servers';
	}
	return;
}

sub perl_regex
{
	my ($regex, $flags) = $_[0] =~ m{^/(.*)/(s?)$} or die "no /regex/: $_[0]";
	return $flags ? qr/$regex/s : qr/$regex/;
}

sub change
{
	my ($server, $command, $what) = @_;

	tell($simulator{$server}, $command,
		defined $what ? decode_json($what) : undef);
	tell($simulator{$server}, 'config',
		{ today => $today, %{ $settings{$server} } })
	  if $command eq 'reset';
	return;
}

# An account of a company of its own.
sub start_company
{
	my ($server) = @_;
	my ($company, $employees) = @{ $ACCOUNTS{$server} };

	start_account($server, $employees);
	$settings{$server} = { overrides => {
		map { $_ => { 'root.companyId' => $company } } 1 .. $employees } };
	$settings{$server}{token} = "token of $server";
	change($server, 'reset');
	return;
}

# What the block's servers are in the world of the tests.
sub add_accounts
{
	foreach my $server (@_)
	{
		start_company($server) if $ACCOUNTS{$server};
		sql("ALTER SERVER $server
			OPTIONS (ADD base_url '$simulator{$server}/v1')");
	}
	return;
}

# pg_cron runs jobs of this schedule once, as soon as the server has started.
# (Intervals of seconds are younger than the version of Debian 12.)
sub run_job
{
	my ($job) = @_;
	my $alter = "SELECT cron.alter_job(jobid, schedule => '%s')
		FROM cron.job WHERE jobname = '$job'";
	my $schedule = sql("SELECT schedule FROM cron.job WHERE jobname = '$job'");
	my $runs = sql('SELECT count(*) FROM cron.job_run_details');

	sql(sprintf $alter, '@reboot');
	without_tokens(sub { $node->restart });
	ok($node->poll_query_until($database, "SELECT count(*) = $runs + 1
		FROM cron.job_run_details WHERE end_time IS NOT NULL"),
		"pg_cron has run $job");
	sql(sprintf $alter, $schedule);
	return;
}

sub check_rows
{
	my ($name, $value, $rows) = @_;
	my ($expected, $by) = $value =~ /^(\d+)(?: \((\w+)\))?$/
	  or die "$name: rows: $value";

	is($rows, $expected, "$name: rows");
	is(counted($by, url => $simulator{bob}, today => $today, sql => \&sql),
		$expected, "$name: ... $by, counted from HiBob's JSON")
	  if defined $by;
	return;
}

sub check_result
{
	my ($name, $value, $row) = @_;
	my @expected = map { s/^\s+|\s+$//gr } split /\|/, $value;
	my @got = split /\x1f/, $row // '', -1;

	$#got = $#expected if @got > @expected;
	foreach (0 .. $#got)
	{
		$got[$_] = '*' if $expected[$_] eq '*';
	}
	is(join(' | ', @got), join(' | ', @expected), "$name: first row");
	return;
}

sub check_requests
{
	my ($name, $server, $value) = @_;
	my ($count, $endpoint) = split / /, $value;
	my @seen = requests($simulator{$server});

	is(scalar @seen, $count, "$name: requests to $server");
	is($_->{endpoint}, $endpoint, "$name: ... and which")
	  foreach defined $endpoint ? @seen : ();
	return;
}

# The tokens are in the environment of psql.  That of the server is in its log.
sub without_tokens
{
	my ($start) = @_;

	delete local @ENV{ grep { /TOKEN/ } keys %ENV };
	return $start->();
}

# --- the test -------------------------------------------------------------------

$ENV{HIBOB_SERVICE_USER_ID} = 'SERVICE-5772';
$ENV{HIBOB_TOKEN} = $TOKEN;
foreach my $server (keys %ACCOUNTS)
{
	my ($country) = uc($server) =~ /_(\w+)/;
	$ENV{"HIBOB_${country}_SERVICE_USER_ID"} = 'SERVICE-5772';
	$ENV{"HIBOB_${country}_TOKEN"} = "token of $server";
}
# The day has to last as long as the test.
my $second = time % 86400;
sleep 86401 - $second if $second > 86400 - 180;
$ENV{PGTZ} = 'UTC';

$node = without_tokens(sub { new_cluster('recipes') });
$node->safe_psql('postgres', "CREATE DATABASE $CRON");
if ($has_cron)
{
	$node->append_conf('postgresql.conf', "
		shared_preload_libraries = 'pg_cron'
		cron.database_name = '$CRON'
		cron.use_background_workers = on");
	without_tokens(sub { $node->restart });
}
$today = $node->safe_psql('postgres', 'SELECT current_date');
start_account('bob', 500);

my @pages = ('doc/manual.md', sort glob 'doc/recipes/*.md');
ok(@pages >= 5, 'there are pages');
run_page($_) foreach @pages;
# Zones in which it is another day: 167 hours is the most that there is.
foreach my $zone ('<+167>-167', '<-167>+167')
{
	local $ENV{PGTZ} = $zone;
	run_page('doc/recipes/licences.md', $zone);
}
# Links between the pages and into the manual lead somewhere.
foreach my $page (@pages)
{
	my $text = slurp_file($page);
	my ($directory) = $page =~ m{^(.*/)};
	foreach my $link ($text =~ /\]\(([^)\s#]*)(?:#[^)\s]*)?\)/g)
	{
		next if $link eq '' or $link =~ /^https?:/;
		ok(-e "$directory$link", "$page: link to $link");
	}
}

done_testing();
