# libcurl runs out of memory at each allocation of a query: the query fails or
# returns all rows, and the session continues.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT certificate authority states);
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $library = "$dir/memory.so";

# The N-th allocation fails; N is the number in a file, which becomes 0 then.
append_to_file("$dir/memory.c", <<'C');
#include <curl/curl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static long *left = NULL;

static int
fails(void)
{
	if (left == NULL)
	{
		int			fd = open(DIRECTORY "/left", O_RDWR);

		left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED,
					fd, 0);
		close(fd);
	}
	return *left > 0 && __atomic_sub_fetch(left, 1, __ATOMIC_SEQ_CST) == 0;
}

static void *
my_malloc(size_t size)
{
	return fails() ? NULL : malloc(size);
}

static void *
my_realloc(void *memory, size_t size)
{
	return fails() ? NULL : realloc(memory, size);
}

static char *
my_strdup(const char *text)
{
	return fails() ? NULL : strdup(text);
}

static void *
my_calloc(size_t count, size_t size)
{
	return fails() ? NULL : calloc(count, size);
}

CURLcode
curl_global_init(long flags)
{
	return curl_global_init_mem(flags, my_malloc, free, my_realloc, my_strdup,
								my_calloc);
}
C
system_or_bail('gcc', '-shared', '-fPIC', "-DDIRECTORY=\"$dir\"", '-o', $library,
	"$dir/memory.c", '-lcurl');

sub set_left
{
	my ($n) = @_;

	open my $file, '+<:raw', "$dir/left" or die "left: $!";
	print $file pack 'q', $n;
	close $file;
	return;
}

sub get_left
{
	return unpack 'q', slurp_file("$dir/left");
}

append_to_file("$dir/left", pack 'q', 0);
chmod 0666, "$dir/left";
my %url = (plain => start_simulator(),
	secure => start_simulator(certificate('IP:127.0.0.1')));
my $node;
{
	local $ENV{LD_PRELOAD} = join ' ', grep { defined } $ENV{LD_PRELOAD}, $library;
	$node = new_cluster('libcurl_memory');
}
add_server($node, $_, $url{$_}, "max_retries '0', ca_file '" . authority() . "'")
  foreach sort keys %url;

foreach my $server ('plain', 'secure')
{
	foreach my $connection ('new', 'reused')
	{
		my $count = "SELECT count(*) FROM $server.people;";
		my $session = HibobSession->new($node);
		my (%states, @wrong);
		my $n = 0;

		for (;;)
		{
			$session->run('SELECT hibob_fdw_disconnect_all();')
			  if $connection eq 'new';
			set_left(++$n);
			my ($out, $err, $trouble) = $session->run($count);
			last if get_left() > 0;
			my ($state) = states($err);

			$states{ $state // 'all rows' }++;
			push @wrong, "$n: $out $err" . ($trouble // '')
			  if defined $trouble
			  || ($err eq '' ? $out ne '500'
				: ($state // '') !~ /^(53200|HV00N|08006)$/);
			($out, $err, $trouble) = $session->run($count);
			push @wrong, "after $n: $out $err" . ($trouble // '')
			  if $out ne '500';
			last if defined $trouble;
		}
		set_left(0);
		note("$server, $connection: " . ($n - 1) . ' allocations; '
			  . join ', ', map { "$_: $states{$_}" } sort keys %states);
		is(join("\n", @wrong), '', "$server server, $connection connection");
		cmp_ok($n, '>', 10, '... with failures');
	}
}

$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'no process crashed');
done_testing();
