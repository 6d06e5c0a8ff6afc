# The examples of the documentation: each ```sql block of doc/recipes/*.md, in
# the order of its page, in a database for the page that is set up as in the quick
# start of README; and of doc/manual.md, in an empty database.  Each block runs in
# its own psql.
#
# HTML comments directly before a block contain the expected result:
#
#   <!-- rows: 3 -->            it prints 3 rows
#   <!-- rows: 3 (leavers) -->  ... and lib/RecipeCounts.pm, which reads HiBob's
#                               JSON itself, counts as many leavers
#   <!-- result: a | b | * -->  the first row begins like this; * is any value
#   <!-- output: /regex/ -->    the output or the errors of psql match this
#   <!-- not output: /regex/ -->
#   <!-- fails: 42501 -->       only the last statement fails, with this SQLSTATE
#   <!-- requests: 1 -->        the block makes so many requests
#   <!-- requests: 1 /people/search -->          ... all of them of this endpoint
#
# or what the test does before or after it:
#
#   <!-- simulator: config {"audience": "employed"} -->    config, fault, reset
#   <!-- servers: a b c -->     afterwards, the base_url of each of these servers
#                               is set to its own simulator; that of "bob" to the
#                               simulator of all pages
#   <!-- cron: job -->          pg_cron runs the job once
#   <!-- needs: pg_cron -->     the block is skipped if pg_cron is not installed
#
# "requests" and "simulator" accept the name of a server: <!-- requests a: 1 -->
#
# Several comments of one kind apply one after another.
#
# The results must not depend on the date.  Today is the date of the server, and
# the page with the reports also runs as of a week ago and of a week from now.

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
# The companies with separate accounts: their ids and numbers of employees.
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

# The blocks of a page: their SQL, the line where they begin, and the comments
# before them, as [what, server, value].
sub blocks
{
	my ($file) = @_;
	my (@blocks, @comments);
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
			$block = { line => $line, sql => '', comments => [@comments] };
			@comments = ();
		}
		elsif (/^<!-- (not output|\w+)(?: (\w+))?: (.*) -->$/)
		{
			push @comments, [ $1, $2 // 'bob', $3 ];
		}
		else
		{
			die "$file:$line: what is this?" if @comments or /^<!--/ or /^```/;
		}
	}
	die "$file: the last block does not end" if defined $block;
	return @blocks;
}

# The values of a block's comments of one kind.
sub comments_of
{
	my ($block, $what) = @_;
	return map { $_->[2] } grep { $_->[0] eq $what } @{ $block->{comments} };
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

	if (comments_of($block, 'needs') && !$has_cron)
	{
	  SKIP: { skip "$name: no pg_cron", 1; }
		return;
	}
	foreach (@{ $block->{comments} })
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

	is("@states", join(' ', comments_of($block, 'fails')), "$name: errors")
	  or diag($err);
	if (comments_of($block, 'fails'))
	{
		# The last statement fails: psql prints the line.
		my ($line) = $err =~ /^psql:<stdin>:(\d+): ERROR/m;
		my $end = ($block->{sql} =~ tr/\n//) + 1;
		is($line, $end, "$name: ... in the last statement");
	}
	foreach (@{ $block->{comments} })
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

# An account of another company.
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

# Sets the base_url of servers that a block created.
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

# pg_cron runs jobs with the schedule "@reboot" once, when the server starts.
# (The version in Debian 12 does not support intervals of seconds.)
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
	is($_->{endpoint}, $endpoint, "$name: ... of the endpoint")
	  foreach defined $endpoint ? @seen : ();
	return;
}

# The tokens are in the environment of psql, but must not be in that of the
# server, which it logs.
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
# The date must not change during the test.
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
# Time zones with another date: 167 hours is the largest offset.
foreach my $zone ('<+167>-167', '<-167>+167')
{
	local $ENV{PGTZ} = $zone;
	run_page('doc/recipes/licences.md', $zone);
}
# Links between the pages and to the manual have targets.
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
