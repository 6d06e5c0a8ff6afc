# Symbols: the library exports only the symbols that PostgreSQL looks up.  No other
# extension can replace one of its functions.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($libdir) = run_command([ 'pg_config', '--pkglibdir' ]);
my $library = "$libdir/hibob_fdw.so";

# The functions that the extension's script names, and their records.
my @sql = slurp_file('hibob_fdw--1.0.sql') =~
  /FUNCTION (\w+)\([^;]*?AS 'MODULE_PATHNAME'/g;
my %allowed = map { $_ => 1 } qw(Pg_magic_func _PG_init), @sql,
  map { "pg_finfo_$_" } @sql;

my @exported = symbols('-D', '--defined-only', $library);
is(join(' ', grep { !$allowed{$_} } @exported), '',
	'the library exports only what PostgreSQL looks up');
is(join(' ', grep { my $name = $_; !grep { $_ eq $name } @exported }
		sort keys %allowed),
	'', '... and everything that PostgreSQL looks up');

# A module that defines all other functions of hibob_fdw, each of which ends the
# backend.  It is loaded first, so that its symbols precede ours.
my @hidden = grep { !$allowed{$_} && /^[a-z]\w*_\w+$/ }
  map { /^[0-9a-f]+ [tT] (\w+)$/ ? $1 : () }
  split /\n/, (run_command([ 'nm', object_files() ]))[0];
cmp_ok(scalar @hidden, '>', 100, 'there are functions to replace');

my $directory = PostgreSQL::Test::Utils::tempdir;
my %seen;
open my $out, '>', "$directory/rival.c" or die $!;
print $out qq{#include "postgres.h"\n#include "fmgr.h"\nPG_MODULE_MAGIC;\n};
print $out "void $_(void);\nvoid $_(void) { abort(); }\n"
  foreach grep { !$seen{$_}++ && !is_servers($_) } @hidden;
close $out;
my ($headers) = run_command([ 'pg_config', '--includedir-server' ]);
my ($stdout, $stderr) = run_command([ 'gcc', '-shared', '-fPIC', '-w', "-I$headers",
	'-o', "$directory/rival.so", "$directory/rival.c" ]);
ok(-e "$directory/rival.so", 'the module is built') or diag($stderr);

my $sim = start_simulator();
my $node = new_cluster('symbols');
add_server($node, 'bob', $sim);
is(query($node, "LOAD '$directory/rival.so'; SELECT count(*) FROM bob.people"),
	'500', 'a module with the same symbols does not replace our functions');
like(query($node, "LOAD '$directory/rival.so'; EXPLAIN SELECT * FROM bob.people"),
	qr{HiBob Endpoint: POST /people/search}, '... also in EXPLAIN');

# hibob_fdw_libraries(), with the list of another build of libcurl.
append_to_file("$directory/list.c", qq{#include "postgres.h"\n#include "fmgr.h"
PG_MODULE_MAGIC;
char *curl_version(void) { return "libcurl/8.9.1 (OpenSSL/3.2.2) GnuTLS/3.8.6 BoringSSL "
	"libpsl/0.21.5 (+libidn2/2.3.7) libidn2/2.3.7 libssh/0.10.6/openssl/zlib librtmp/2.3"; }
});
(undef, $stderr) = run_command([ 'gcc', '-shared', '-fPIC', '-w', "-I$headers",
	'-o', "$directory/list.so", "$directory/list.c" ]);
is(query($node, "LOAD '$directory/list.so'; SELECT string_agg(concat_ws(' ', library, version), ', ')
	FROM hibob_fdw_libraries() WHERE library NOT IN ('PostgreSQL', 'glibc')"),
	'libcurl 8.9.1, OpenSSL 3.2.2, GnuTLS 3.8.6, BoringSSL, libpsl 0.21.5, libidn2 2.3.7, '
	  . 'libssh 0.10.6, librtmp 2.3', 'the libraries of another libcurl') or diag($stderr);

done_testing();

# The symbols that nm lists.
sub symbols
{
	my ($text) = run_command([ 'nm', @_ ]);
	return sort grep { !/^_?(?:edata|end|_bss_start|init|fini)$/ }
	  map { /\s(\S+)$/ ? $1 =~ s/@.*//r : () } split /\n/, $text;
}

sub object_files
{
	return glob 'src/*.o src/*/*.o';
}

# Functions that the server has, too, are not replaced, since that would break it.
my %servers;
sub is_servers
{
	my ($name) = @_;
	my ($bindir) = run_command([ 'pg_config', '--bindir' ]);

	%servers = map { $_ => 1 } symbols('-D', '--defined-only', "$bindir/postgres")
	  if !%servers;
	return $servers{$name};
}
