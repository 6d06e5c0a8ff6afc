# Functions that the TAP tests share: they start simulators of HiBob and clusters
# with the extension, run queries and return their errors.  All processes end
# with the test.
package HibobTest;

use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Run;
use JSON::PP;
use MIME::Base64;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_simulator new_cluster tell requests add_server
  query query_error $TOKEN $SLOWNESS);
our @EXPORT_OK = qw(bare_cluster certificate authority contains_token session
  outcome states reset_simulator canonical_body stats open_connections
  wait_until wait_for_stalled reload_settings far_from_midnight hibob
  read_pages load_pages differences employee_id quoted_ids preload_resolver closed_port
  deaf_port silent_port one_shot_port serve report $PATIENCE);

our $TOKEN = 's3cret-canary-token';

# A factor for limits of time and memory: under a sanitizer, servers are slow and
# large.
our $SLOWNESS = $ENV{HIBOB_TEST_SLOWNESS} // 1;

# Seconds after which something that has to happen counts as not happening, also on
# a busy machine.
our $PATIENCE = 120 * $SLOWNESS;

# PostgreSQL::Test::Cluster copies the cluster INITDB_TEMPLATE since PostgreSQL
# 17, which is faster than initdb.  With earlier versions this does it.
{
	my $system_or_bail = \&PostgreSQL::Test::Utils::system_or_bail;

	no warnings 'redefine';
	*PostgreSQL::Test::Utils::system_or_bail = sub {
		my @command = @_;

		@command = ('cp', '-RPp', $ENV{INITDB_TEMPLATE}, $command[2])
		  if defined $ENV{INITDB_TEMPLATE}
		  && "@command" =~ /^initdb -D \S+ -A trust -N$/;
		return $system_or_bail->(@command);
	};
}

my @simulators;
my @servers;
my @NEW_KEY = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
	'-nodes');

# Starts a simulator and returns its URL.
sub start_simulator
{
	my (%options) = @_;
	my $ready = PostgreSQL::Test::Utils::tempdir . '/ready';
	my @command = ('python3', 'test/simulator', '--port', 0,
		'--ready-file', $ready, '--parent-pid', $$,
		'--today', '2026-11-24');
	my $scheme = exists $options{'tls-cert'} ? 'https' : 'http';

	$options{'rate-limit'} //= 100000;
	push @command, map { ("--$_", $options{$_}) } sort keys %options;
	push @simulators,
	  IPC::Run::start(\@command, '<', \undef, '>', \my $out, '2>', \my $err);
	wait_until('simulator', sub {
		die "no simulator: $err" unless $simulators[-1]->pumpable;
		return -s $ready;
	});
	my $port = slurp_file($ready);
	chomp $port;
	return "$scheme://127.0.0.1:$port";
}

# Waits until a condition is true.
sub wait_until
{
	my ($what, $condition) = @_;
	my $end = time + $PATIENCE;

	until ($condition->())
	{
		die "no $what" if time > $end;
		sleep 0.02;
	}
	return;
}

# The file with the certificate of the tests' own certificate authority.
my $authority;

sub authority
{
	return "$authority.crt" if defined $authority;
	$authority = PostgreSQL::Test::Utils::tempdir . '/authority';
	openssl('req', '-x509', @NEW_KEY, '-keyout', "$authority.key", '-out',
		"$authority.crt", '-days', 2, '-subj', '/CN=test authority');
	return "$authority.crt";
}

# A certificate for some names, as options of start_simulator().  By default it
# is signed by the tests' authority and valid for two days.
sub certificate
{
	my ($names, %options) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/certificate';
	my $by = $options{signed_by} // authority() =~ s/\.crt$//r;
	my $days = $options{days} // 2;
	my @valid = ('-days', $days);
	my @sign = $by eq 'itself' ? ('-signkey', "$file.key")
	  : ('-CA', "$by.crt", '-CAkey', "$by.key", '-CAcreateserial');

	# Versions of openssl that accept dates reject a negative number of days.
	@valid = ('-not_before', '20240101000000Z', '-not_after', '20240102000000Z')
	  if $days < 0 && `openssl x509 -help 2>&1` =~ /-not_after/;
	append_to_file("$file.ext", "subjectAltName=$names\n");
	openssl('req', @NEW_KEY, '-keyout', "$file.key", '-out', "$file.csr",
		'-subj', '/CN=simulator');
	openssl('x509', '-req', '-in', "$file.csr", '-out', "$file.crt",
		@valid, '-extfile', "$file.ext", @sign);
	return ('tls-cert' => "$file.crt", 'tls-key' => "$file.key");
}

sub openssl
{
	my @command = @_;
	my ($out, $err);

	IPC::Run::run([ 'openssl', @command ], '>', \$out, '2>', \$err)
	  or die "openssl @command: $err";
	return;
}

# Sends a command to the simulator's control plane: "reset", "fault", "config".
sub tell
{
	my ($url, $command, $what) = @_;
	my $response = HTTP::Tiny->new(verify_SSL => 0)->post("$url/_sim/$command",
		{ content => defined $what ? encode_json($what) : '' });

	die "$command: $response->{status} $response->{content}"
	  unless $response->{success};
	return;
}

# For a fault: a JSON body with sorted keys.
sub canonical_body
{
	my ($data) = @_;
	return (status => 200, body => JSON::PP->new->canonical->encode($data));
}

# The requests since the previous call, as a list of hashes.
sub requests
{
	my ($url) = @_;
	my $response =
	  HTTP::Tiny->new(verify_SSL => 0)->request('DELETE', "$url/_sim/requests");

	die "requests: $response->{status}" unless $response->{success};
	return @{ decode_json($response->{content}) };
}

# The counts of a simulator: requests, under_way, open_connections, and others.
sub stats
{
	my ($url) = @_;
	my $response = HTTP::Tiny->new(verify_SSL => 0)->get("$url/_sim/stats");

	die "stats: $response->{status}" unless $response->{success};
	return decode_json($response->{content});
}

# Waits until a simulator has the expected number of open connections, and returns
# the number.
sub open_connections
{
	my ($url, $expected) = @_;
	my $open;

	for (1 .. 1000)
	{
		$open = stats($url)->{open_connections};
		last if $open == $expected;
		sleep 0.05;
	}
	return $open;
}

# Waits until this number of requests stall, one by default.
sub wait_for_stalled
{
	my ($url, $number) = @_;

	wait_until('stalled request',
		sub { return stats($url)->{under_way} >= ($number // 1) });
	return;
}

# Resets a simulator, changes these settings, and forgets the requests.
sub reset_simulator
{
	my ($url, %settings) = @_;

	HibobTest::tell($url, 'reset');
	HibobTest::tell($url, 'config', \%settings) if %settings;
	requests($url);
	return;
}

# A running cluster.  It logs everything except successful statements, because
# one of them contains the token.  Plans, statistics and open files do not change
# at random times, as autovacuum would change them.
my @nodes;

sub bare_cluster
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	push @nodes, $node;
	$node->init;
	$node->append_conf('postgresql.conf', q{
log_min_messages = debug5
log_statement = none
autovacuum = off
});
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->start;
	return $node;
}

# A running cluster with the extension.
sub new_cluster
{
	my $node = bare_cluster(@_);

	$node->safe_psql('postgres', 'CREATE EXTENSION hibob_fdw');
	return $node;
}

# Makes the server read its configuration.  New sessions have it then.
sub reload_settings
{
	my ($node) = @_;
	my $before = query($node, 'SELECT clock_timestamp()');

	query($node, 'SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "SELECT pg_conf_load_time() > '$before'")
	  or die 'no reload';
	return;
}

# A time zone for all sessions where the date does not change for hours.
sub far_from_midnight
{
	my $hours = 12 - (gmtime)[2];

	$ENV{PGTZ} = sprintf '<%+03d>%+d', $hours, -$hours;
	return;
}

# Creates a server, a user mapping for the superuser, and a schema with a table
# of people.
sub add_server
{
	my ($node, $name, $url, $options) = @_;

	$options = defined $options ? ", $options" : '';
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$url/v1'$options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE SCHEMA $name;
		CREATE FOREIGN TABLE $name.people (id text, email text,
			full_name text, department text, status text, start_date date)
			SERVER $name OPTIONS (resource 'people');
	});
	return;
}

sub query
{
	my ($node, $sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# The SQLSTATE and the message of a query that has to fail.  The SQLSTATE is ''
# if the query succeeds.
sub query_error
{
	my ($node, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 1);

	return ('', '') if $status == 0;
	my ($state) = $err =~ /ERROR:  ([0-9A-Z]{5}):/;
	return ($state // '', $err);
}

# The standard output and the verbose errors of psql, which continues after an
# error.
sub session
{
	my ($node, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 0);

	return ($out, $err);
}

# The result of a query, or its error.
sub outcome
{
	my ($node, $sql) = @_;
	my ($out, $err) = session($node, $sql);

	return $err eq '' ? $out : $err;
}

# The SQLSTATEs of the errors in psql's error output.
sub states
{
	return $_[0] =~ /ERROR:  ([0-9A-Z]{5}):/g;
}

# The id of the employee with this number.
sub employee_id
{
	return 3332883884017713238 + 37 * $_[0];
}

# The ids of some employees as SQL literals.
sub quoted_ids
{
	return map { "'" . employee_id($_) . "'" } @_;
}

# The body of a response to a request by the test itself: GET, or POST if there
# is a body.
sub hibob
{
	my ($url, $path, $body) = @_;
	my %options = (headers => {
		Authorization => 'Basic ' . encode_base64("SERVICE-5772:$TOKEN", '') });

	$options{content} = encode_json($body) if defined $body;
	my $response = HTTP::Tiny->new(verify_SSL => 0)->request(
		defined $body ? 'POST' : 'GET', "$url/v1$path", \%options);
	die "$path: $response->{status} $response->{content}"
	  unless $response->{success};
	return $response->{content};
}

# The bodies of all pages, following the cursors.
sub read_pages
{
	my ($url, $path, $body) = @_;
	my $join = $path =~ /\?/ ? '&' : '?';
	my $at = $path;
	my @pages;

	for (;;)
	{
		my $page = hibob($url, $at, $body);
		my ($cursor) = $page =~ /"(?:next_)?cursor":"([^"]+)"/;

		push @pages, $page;
		last unless defined $cursor;
		if (defined $body)
		{
			$body->{pagination}{cursor} = $cursor;
		}
		else
		{
			$at = "$path${join}cursor="
			  . $cursor =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
		}
	}
	return @pages;
}

# Creates a table (tag text, page jsonb) of bodies; each is a text, or
# [tag, text].
sub load_pages
{
	my ($node, $table, @pages) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/pages';

	open my $out, '>:raw', $file or die "$file: $!";
	foreach my $page (@pages)
	{
		print $out ref $page ? "$page->[0]\x02$page->[1]\n" : "\x02$page\n";
	}
	close $out;
	query($node, "CREATE TABLE $table (tag text, page jsonb);
		COPY $table FROM '$file' (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01')");
	return;
}

# Some of the rows that only one of two queries returns; '' if there are none.
sub differences
{
	my ($node, $got, $expected) = @_;
	return query($node, "WITH got AS MATERIALIZED ($got),
		expected AS MATERIALIZED ($expected),
		more AS (TABLE got EXCEPT ALL TABLE expected),
		less AS (TABLE expected EXCEPT ALL TABLE got)
		(SELECT 'unexpected', left(more::text, 300) FROM more LIMIT 3) UNION ALL
		(SELECT 'missing', left(less::text, 300) FROM less LIMIT 3) UNION ALL
		SELECT 'nothing expected', '' WHERE NOT EXISTS (SELECT FROM expected)");
}

# Builds a library with a name resolver, for LD_PRELOAD of a server: "slow.test"
# takes six seconds, "nowhere.test" does not exist, "other.test" is 127.0.0.1, and
# "many.test" has the addresses of the file "addresses", one on each line, in that
# order.
sub preload_resolver
{
	my ($dir) = @_;
	my $library = "$dir/resolver.so";

	append_to_file("$dir/resolver.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int (*Resolver) (const char *, const char *, const struct addrinfo *,
						 struct addrinfo **);

static int
resolve_many(Resolver real, const char *service, const struct addrinfo *hints,
			 struct addrinfo **res)
{
	FILE	   *file = fopen(DIRECTORY "/addresses", "r");
	struct addrinfo **end = res;
	char		address[64];

	*res = NULL;
	while (file != NULL && fscanf(file, "%63s", address) == 1)
		if (real(address, service, hints, end) == 0)
			while (*end != NULL)
				end = &(*end)->ai_next;
	if (file != NULL)
		fclose(file);
	return *res == NULL ? EAI_NONAME : 0;
}

int
getaddrinfo(const char *node, const char *service,
			const struct addrinfo *hints, struct addrinfo **res)
{
	Resolver	real = dlsym(RTLD_NEXT, "getaddrinfo");

	if (node == NULL || strstr(node, ".test") == NULL)
		return real(node, service, hints, res);
	if (strcmp(node, "slow.test") == 0)
		sleep(6);
	if (strcmp(node, "other.test") == 0)
		return real("127.0.0.1", service, hints, res);
	if (strcmp(node, "many.test") == 0)
		return resolve_many(real, service, hints, res);
	return EAI_NONAME;
}
C
	system_or_bail('gcc', '-shared', '-fPIC', "-DDIRECTORY=\"$dir\"",
		'-o', $library, "$dir/resolver.c", '-ldl');
	return join ' ', grep { defined } $ENV{LD_PRELOAD}, $library;
}

sub listener
{
	my ($backlog, $address, $port) = @_;
	return IO::Socket::INET->new(LocalAddr => $address // '127.0.0.1',
		LocalPort => $port // 0, Proto => 'tcp', Listen => $backlog)
	  || die "listen: $!";
}

# A port that refuses connections.  A socket stays bound to it, so that no other
# process can listen there.
my @bound;

sub closed_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
		Proto => 'tcp')
	  || die "bind: $!";

	push @bound, $socket;
	return $socket->sockport;
}

# A port where connecting never completes, because its backlog is full.  The
# address and the number are optional.  The sockets that fill the backlog are kept
# in an array.
sub deaf_port
{
	my ($keep, $address, $port) = @_;
	my $listener = listener(1, $address, $port);

	listen($listener, 0);
	push @$keep, $listener;
	for (1 .. 4)
	{
		push @$keep, IO::Socket::INET->new(PeerAddr => $listener->sockhost,
			PeerPort => $listener->sockport, Blocking => 0);
	}
	sleep 0.1;
	return $listener->sockport;
}

# A port that accepts connections and sends nothing.
sub silent_port
{
	my ($keep) = @_;
	my $listener = listener(100);

	push @$keep, $listener;
	return $listener->sockport;
}

# A port that accepts connections, sends a text, and closes them.
sub one_shot_port
{
	my ($keep, $text) = @_;
	my $listener = listener(100);

	serve($listener, sub { print { $_[0] } $text; });
	return $listener->sockport;
}

# Starts a process that serves one connection after another until the test ends.
sub serve
{
	my ($listener, $handler) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		local $SIG{PIPE} = 'IGNORE';
		while (my $client = $listener->accept)
		{
			$handler->($client);
			close $client;
		}
		POSIX::_exit(0);
	}
	push @servers, $pid;
	return;
}

# Prints a table of hashes with these columns, and writes it to a file with this
# name in the directory HIBOB_TEST_REPORTS, if that is set.
sub report
{
	my ($name, $columns, @rows) = @_;
	my $text = join '', map { join(' | ', @$_) . "\n" } $columns,
	  map { my $row = $_; [ map { $row->{$_} // '-' } @$columns ] } @rows;

	Test::More::note($text);
	append_to_file("$ENV{HIBOB_TEST_REPORTS}/$name.txt", $text)
	  if defined $ENV{HIBOB_TEST_REPORTS};
	return;
}

# Whether a text contains a token, plain or as in an Authorization header.
sub contains_token
{
	my ($text, $token) = @_;

	$token //= $TOKEN;
	return index($text, $token) >= 0
	  || index($text, encode_base64("SERVICE-5772:$token", '')) >= 0;
}

# No server log of any test may contain the token or, from a server that is built
# with assertions, a failed one.  This is checked when the test ends, and makes it
# fail as a whole.
sub check_logs
{
	foreach my $node (@nodes)
	{
		next unless -e $node->logfile;	# it was never started

		my $log = slurp_file($node->logfile);
		return 'the log of ' . $node->name . ' contains the token'
		  if contains_token($log);
		return 'the log of ' . $node->name . " contains: $1"
		  if $log =~ /(TRAP: .*)/;
		return 'the log of ' . $node->name . ' is incomplete'
		  if index($log, 'DEBUG:  ') < 0;
	}
	return;
}

END
{
	my $status = $?;
	my $defect;

	$_->kill_kill foreach @simulators;
	kill 'KILL', @servers;
	waitpid $_, 0 foreach @servers;
	$defect = check_logs();
	print STDERR "# $defect\n" if defined $defect;
	$? = $status || (defined $defect ? 1 : 0);
}

1;
