# A reader who follows pages of the documentation: a cluster, a simulator of HiBob,
# and one psql for each role of a page, into which the page's blocks are typed.
#
# A block must not fail, and the output of psql must be the output that the page
# shows below the block.  Blocks without an output print command tags only.  An error that a
# page shows in an output is expected.
#
# The shell commands that do not change the machine run: test/simulator/tell,
# psql -c, and echo into the file with the token.  The results of the others exist:
# the database, the simulator, and the configuration of the page.  The command of
# a unit of systemd runs, too.
#
# HTML comments directly before a block:
#
#   <!-- varies: dates times -->   these parts of the output differ each time
#   <!-- fails: 42501 -->          the last error has this SQLSTATE
#   <!-- requests: 1 -->           the block makes this number of requests
#   <!-- requests acme_uk: 1 -->   ... to this server
#   <!-- counted: leavers = SQL -->   lib/RecipeCounts.pm, which reads HiBob's JSON
#                                  itself, counts what this query finds
#   <!-- cron: job -->             before the block, pg_cron runs the job once
#   <!-- needs: pg_cron -->        the block is skipped if pg_cron is not installed
#   <!-- servers: a b -->          afterwards, the base_url of each of these servers
#                                  is set to a simulator of its own
#   <!-- simulator a: JSON -->     before the block, settings of a's simulator
#
# With the environment variable HIBOB_DOC_OUTPUT, a directory, the pages are
# written there with the outputs that differ.
package DocStory;

use strict;
use warnings;
use DocPage;
use HibobTest qw(:DEFAULT bare_cluster);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RecipeCounts;
use Test::More;
use TypedSession;

# The companies with separate accounts: their ids and numbers of employees.
my %ACCOUNTS = (acme_uk => [ 1001, 60 ], acme_fr => [ 1002, 40 ],
	acme_us => [ 1003, 25 ]);

# What the pages write for the simulator and the file with the token.
my $URL = 'http://127.0.0.1:8080';
my $TOKEN_FILE = '/etc/hibob/token';

sub has_cron
{
	my ($libraries) = run_command([ 'pg_config', '--pkglibdir' ]);
	return -e "$libraries/pg_cron.so";
}

# A cluster as the pages configure it.
sub new
{
	my ($class, $name) = @_;
	my $self = bless { database => 'hr', sessions => {} }, $class;
	my $node = $self->{node} = without_tokens(sub { bare_cluster($name) });
	my $file = PostgreSQL::Test::Utils::tempdir . '/token';

	append_to_file($file, "$TOKEN\n");
	chmod 0600, $file;
	$self->{token_file} = $file;
	$node->safe_psql('postgres', q{CREATE DATABASE hr});
	$node->safe_psql('postgres', q{
		SELECT 'CREATE ROLE postgres SUPERUSER LOGIN'
		 WHERE to_regrole('postgres') IS NULL \gexec});
	$node->append_conf('postgresql.conf', $class->has_cron ? q{
		shared_preload_libraries = 'pg_cron,hibob_fdw'
		cron.database_name = 'hr'
		cron.use_background_workers = on} : q{
		shared_preload_libraries = 'hibob_fdw'});
	without_tokens(sub { $node->restart });
	$self->{today} = $node->safe_psql('hr', 'SELECT current_date');
	$self->{url} = { bob => start_simulator(today => $self->{today},
			employees => 500) };
	return $self;
}

# The tokens are in the environment of psql, but must not be in that of the
# server, which it logs.
sub without_tokens
{
	my ($start) = @_;

	delete local @ENV{ grep { /TOKEN/ } keys %ENV };
	return $start->();
}

# Types all of a page, with this role where it has no prompts.
sub follow
{
	my ($self, $page, $role) = @_;
	my @blocks = read_page($page);

	@$self{ 'page', 'role' } = ($page, $role);
	subtest "$page, today $self->{today}" => sub {
		foreach my $block (@blocks)
		{
			$self->{name} = "$page:$block->{line}";
			if (comments_of($block, 'needs') && !$self->has_cron)
			{
			  SKIP: { skip "$self->{name}: no pg_cron", 1; }
				next;
			}
			$self->shell($block) if $block->{type} eq 'sh';
			$self->units($block) if $block->{type} eq 'text';
			$self->statements($block) if $block->{type} eq 'sql';
		}
		ok(1, "$page ends");
	};
	$self->{sessions} = {};
	write_outputs($page, @blocks);
	return;
}

# --- a block --------------------------------------------------------------------

sub statements
{
	my ($self, $block) = @_;
	my ($output, $state) = ('', '00000');

	$self->before($block);
	foreach (typed($block, $self->{role}))
	{
		my ($who, $text) = @$_;

		like($text, qr/;\s*$|^\\\w[^\n]*\s*\z|\\g\w+\s*$/m,
			"$self->{name}: the statements end");
		($text, $state) = $self->session($who)->type($self->to_server($text));
		$output .= $self->to_page($text);
	}
	$self->pause_jobs if grep { /schedule\(/ } @{ $block->{lines} };
	$self->check_output($block, $output);
	$self->after($block, $state);
	return;
}

# The psql of a role on this page.
sub session
{
	my ($self, $role) = @_;
	return $self->{sessions}{$role} //=
	  TypedSession->new($self->{node}, $self->{database}, $role);
}

# A simulator has another port in a test.
sub to_server
{
	my ($self, $text) = @_;
	return $text =~ s/\Q$URL\E/$self->{url}{bob}/gr
	  =~ s/\Q$TOKEN_FILE\E/$self->{token_file}/gr;
}

sub to_page
{
	my ($self, $text) = @_;
	return $text =~ s/\Q$self->{url}{bob}\E/$URL/gr
	  =~ s/\Q$self->{token_file}\E/$TOKEN_FILE/gr;
}

sub before
{
	my ($self, $block) = @_;

	foreach (@{ $block->{comments} })
	{
		my ($what, $server, $value) = @$_;

		$self->configure($server, decode_json($value)) if $what eq 'simulator';
		$self->run_job($value) if $what eq 'cron';
	}
	requests($_) foreach values %{ $self->{url} };
	return;
}

sub check_output
{
	my ($self, $block, $output) = @_;
	my $expected =
	  defined $block->{output} ? join("\n", @{ $block->{output}{lines} }) : '';
	my @compared = same_output($output, $expected, $block);

	if (is_silent($output) && !defined $block->{output})
	{
		pass("$self->{name}: no output");
	}
	elsif (!is($compared[0], $compared[1], "$self->{name}: output"))
	{
		$block->{new_output} = $output;
	}
	return;
}

sub after
{
	my ($self, $block, $state) = @_;

	foreach (@{ $block->{comments} })
	{
		my ($what, $server, $value) = @$_;

		is($state, $value, "$self->{name}: SQLSTATE") if $what eq 'fails';
		is(scalar requests($self->{url}{$server}), $value,
			"$self->{name}: requests to $server")
		  if $what eq 'requests';
		$self->start_accounts(split / /, $value) if $what eq 'servers';
		$self->check_count(split / = /, $value, 2) if $what eq 'counted';
	}
	return;
}

sub check_count
{
	my ($self, $what, $query) = @_;
	my $sql = sub {
		return $self->{node}->safe_psql($self->{database}, $_[0],
			extra_params => [ '-U', $self->{role} ]);
	};

	is($sql->($query), counted($what, url => $self->{url}{bob},
			today => $self->{today}, sql => $sql),
		"$self->{name}: $what, counted from HiBob's JSON");
	return;
}

# --- the shell ------------------------------------------------------------------

sub shell
{
	my ($self, $block) = @_;

	foreach (typed($block, '$'))
	{
		my $command = $_->[1] =~ s/^sudo -u \w+ //r;

		next unless $command =~ m{^(?:test/simulator/tell|psql .*(?:-c|<)|echo) }s;
		$self->command($self->to_server($command));
	}
	return;
}

sub units
{
	my ($self, $block) = @_;

	$self->command($_)
	  foreach map { /^ExecStart=(.*)/ ? $1 : () } @{ $block->{lines} };
	return;
}

sub command
{
	my ($self, $command) = @_;
	my $node = $self->{node};
	local @ENV{qw(PGHOST PGPORT PGUSER HIBOB_SIM_URL)} =
	  ($node->host, $node->port, 'postgres', $self->{url}{bob});
	my ($out, $err) = ('', '');

	ok(IPC::Run::run([ 'bash', '-c', $command ], '<', \undef, '>', \$out,
			'2>', \$err), "$self->{name}: $command") or diag("$out$err");
	# A reset also forgets which day it is.
	$self->configure('bob', { today => $self->{today} }) if $command =~ / reset$/;
	return;
}

# --- HiBob and pg_cron ----------------------------------------------------------

sub configure
{
	my ($self, $server, $settings) = @_;

	tell($self->{url}{$server}, 'config', $settings);
	return;
}

# Accounts of other companies.
sub start_accounts
{
	my ($self, @servers) = @_;

	foreach my $server (@servers)
	{
		my ($company, $employees) = @{ $ACCOUNTS{$server} };

		$self->{url}{$server} = start_simulator(today => $self->{today},
			employees => $employees, token => "token of $server");
		$self->configure($server, { overrides => {
			map { $_ => { 'root.companyId' => $company } } 1 .. $employees } });
		$self->{node}->safe_psql($self->{database}, "ALTER SERVER $server
			OPTIONS (ADD base_url '$self->{url}{$server}/v1')");
	}
	return;
}

# At its own time, no job runs: a test may run at any time.
sub pause_jobs
{
	my ($self) = @_;

	$self->{node}->safe_psql($self->{database},
		'SELECT cron.alter_job(jobid, active => false) FROM cron.job');
	return;
}

# pg_cron runs jobs with the schedule "@reboot" once, when the server starts.
# (The version in Debian 12 does not support intervals of seconds.)
sub run_job
{
	my ($self, $job) = @_;
	my $node = $self->{node};
	my $sql = sub { $node->safe_psql($self->{database}, $_[0]) };
	my $alter = "SELECT cron.alter_job(jobid, schedule => '%s', active => %s)
		FROM cron.job WHERE jobname = '$job'";
	my $schedule = $sql->("SELECT schedule FROM cron.job WHERE jobname = '$job'");
	my $runs = $sql->('SELECT count(*) FROM cron.job_run_details');

	$sql->(sprintf $alter, '@reboot', 'true');
	$self->{sessions} = {};
	without_tokens(sub { $node->restart });
	ok($node->poll_query_until($self->{database}, "SELECT count(*) = $runs + 1
		FROM cron.job_run_details WHERE end_time IS NOT NULL"),
		"pg_cron has run $job");
	$sql->(sprintf $alter, $schedule, 'false');
	return;
}

# --- the outputs of pages ---------------------------------------------------------

# Writes a page with the outputs that differ.
sub write_outputs
{
	my ($page, @blocks) = @_;
	my $directory = $ENV{HIBOB_DOC_OUTPUT} // return;
	my @lines = split /\n/, slurp_file($page), -1;

	foreach my $block (reverse grep { defined $_->{new_output} } @blocks)
	{
		my @new = map { s/\s+$//r } split /\n/, $block->{new_output};
		pop @new while @new && $new[-1] eq '';
		if (my $old = $block->{output})
		{
			splice @lines, $old->{line}, $old->{end} - $old->{line} - 1, @new;
		}
		else
		{
			splice @lines, $block->{end}, 0, '', '```', @new, '```';
		}
	}
	my $name = $page =~ tr{/}{+}r;
	unlink "$directory/$name";
	append_to_file("$directory/$name", join("\n", @lines));
	return;
}

1;
