# make builds and installs as PGXS does, and reports missing requirements.  "clean"
# and "uninstall" leave nothing.

use strict;
use warnings;
use Cwd;
use File::Find;
use File::Path 'make_path';
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = getcwd;
my $temporary = PostgreSQL::Test::Utils::tempdir;
my $tree = "$temporary/a tree with spaces";
my @quick = ('-s', '-j2', 'CFLAGS=-O0 -fPIC');

# The environment of this test must not have an effect.
delete @ENV{qw(HIBOB_SIM_URL HIBOB_SIM_BASE HIBOB_TELL PG_CONFIG PKG_CONFIG
	DESTDIR MAKEFLAGS MAKELEVEL)};

# Runs make in a directory.  Returns whether it succeeded, and its output.
sub make
{
	my ($directory, @arguments) = @_;
	my $output;

	my $works = IPC::Run::run([ 'make', '-C', $directory, @arguments ],
		'<', \undef, '>&', \$output, IPC::Run::timeout(240));
	return ($works ? 1 : 0, $output);
}

sub files
{
	my ($directory) = @_;
	my @found;

	find({ no_chdir => 1, wanted => sub {
		push @found, substr($_, length $directory) if -f $_ } }, $directory);
	return sort @found;
}

sub shell_script
{
	my ($name, $text) = @_;

	open my $file, '>', "$temporary/$name" or die "$name: $!";
	print $file "#!/bin/sh\n$text\n";
	close $file;
	chmod 0755, "$temporary/$name";
	return "$temporary/$name";
}

# The directory of the makefiles of PGXS.
sub pgxs_directory
{
	my $pgxs = `pg_config --pgxs`;

	$pgxs =~ s{/[^/]+$}{}s;
	return $pgxs;
}

# The sources without built files.
make_path("$tree");
system('cp', '-R', (grep { -e } qw(Makefile META.json packaging src sql expected test),
		glob('hibob_*.control hibob_*--*.sql')), $tree) == 0
  or die 'cp';
find({ no_chdir => 1,
		wanted => sub { unlink if /\.(?:o|bc|so|dylib)$|_test$/ } }, $tree);
my @before = files($tree);

# --- missing prerequisites -----------------------------------------------------

my ($works, $output) = make($tree, 'PKG_CONFIG=false');
ok(!$works, 'without the libraries the build fails');
like($output, qr/needs libcurl 7\.88 or newer.*libcurl4-openssl-dev/s,
	'... with the packages to install');
my $old = shell_script('pkg-config', 'exec pkg-config "$@" "libcurl >= 99"');
($works, $output) = make($tree, "PKG_CONFIG=$old");
ok(!$works, 'with too old libraries the build fails');
like($output, qr/needs libcurl 7\.88.*(?:has version|version of libcurl is)/s,
	'... with the version that was found');
($works, $output) = make($tree, 'PG_CONFIG=/nowhere/pg_config');
ok(!$works, 'without a server the build fails');
like($output, qr{no server to build for: PG_CONFIG=/nowhere/pg_config},
	'... with a message');
is_deeply([ files($tree) ], \@before, 'nothing was compiled');
($works, $output) = make($tree, '-n', 'MAJORVERSION=20');
like($output, qr/hibob_fdw supports PostgreSQL 15 to 19; it may not .* with 20/,
	'a newer PostgreSQL');
ok($works, '... is tried');
($works, $output) = make($tree, '-n', 'MAJORVERSION=14');
ok(!$works, 'an older PostgreSQL');
like($output, qr/hibob_fdw needs PostgreSQL 15 or newer/, '... with a message');
($works, $output) = make($tree, 'installcheck');
ok(!$works, 'without HIBOB_SIM_URL installcheck fails');
like($output, qr/make installcheck needs a simulator.*HIBOB_SIM_URL/,
	'... with a message');
($works, $output) = make($tree, 'installcheck', 'HIBOB_SIM_URL=http://127.0.0.1:1');
ok(!$works, 'without a running simulator installcheck fails');
like($output, qr/no simulator at.*make installcheck needs/s, '... with a message');

# --- another pg_config, bitcode, spaces ------------------------------------

my $real = `pg_config --bindir`;
chomp $real;
my $config = shell_script('pg_config',
	qq{echo called >>'$temporary/called'\nexec '$real/pg_config' "\$@"});
my ($clang) = map { /^CLANG\s*=\s*(\S+)/ ? $1 : () }
  split /\n/, slurp_file(pgxs_directory() . '/../Makefile.global');
my $llvm = defined $clang && -x $clang ? 'yes' : 'no';

($works, $output) = make($tree, @quick, "PG_CONFIG=$config", "with_llvm=$llvm");
ok($works, "builds in a path with spaces, with_llvm=$llvm") or diag($output);
ok(-s "$temporary/called", '... with the given PG_CONFIG');
unlike($output, qr/warning|error/i, '... without warnings');

my ($libdir, $sharedir) = map { my $path = `pg_config $_`; chomp $path; $path }
  qw(--pkglibdir --sharedir);
my @objects = ((map { "$sharedir/extension/" . s{.*/}{}r }
		  glob("$source/hibob_*--*.sql $source/hibob_*.control")),
	"$sharedir/extension/hibob_fdw.cdx.json", "$libdir/hibob_fdw.so");

($works, $output) = make($tree, '-s', "PG_CONFIG=$config", 'with_llvm=no',
	"DESTDIR=$temporary/a root", 'install');
ok($works, 'installs into a DESTDIR with spaces') or diag($output);
is_deeply([ files("$temporary/a root") ], [ sort @objects ],
	'... the library, the control files, the scripts, the bill of materials');
SKIP:
{
	skip 'no clang of this PostgreSQL', 4 if $llvm eq 'no';
	($works, $output) = make($tree, '-s', "PG_CONFIG=$config", 'with_llvm=yes',
		"DESTDIR=$temporary/root", 'install');
	ok($works, 'installs bitcode') or diag($output);
	my @modules = map { s{^\Q$source/src/\E}{}r =~ s/c$/bc/r }
	  glob("$source/src/*.c $source/src/*/*.c");
	is_deeply([ files("$temporary/root") ], [ sort @objects,			"$libdir/bitcode/hibob_fdw.index.bc",
			map { "$libdir/bitcode/hibob_fdw/src/$_" } @modules ],
		'... of each module, and its index');
	($works, $output) = make($tree, '-s', 'with_llvm=yes',
		"DESTDIR=$temporary/a root", 'install');
	ok(!$works, 'bitcode and a DESTDIR with spaces');
	like($output, qr/DESTDIR with spaces: say with_llvm=no/,
		'... fails with a message');
}
($works, $output) = make($tree, '-s', "with_llvm=$llvm",
	"DESTDIR=$temporary/root", 'uninstall');
ok($works, 'make uninstall') or diag($output);
is_deeply([ files("$temporary/root") ], [], '... removes all files')
  if -d "$temporary/root";
# The regression tests in a running server; two of them are enough.
my $node = new_cluster('install');
$node->safe_psql('postgres', 'DROP EXTENSION hibob_fdw');
{
	local @ENV{qw(PGHOST PGPORT)} = ($node->host, $node->port);
	($works, $output) = make($tree, 'PKG_CONFIG=false', 'REGRESS=options cache',
		'installcheck');
	ok(!$works, 'installcheck without a simulator fails');
	my $with = "$tree/test/with_simulator.sh";
	$works = IPC::Run::run([ $with, 'make', '-C', $tree, 'PKG_CONFIG=false',
		'REGRESS=options cache', 'installcheck' ], '<', \undef, '>&', \$output);
	ok($works, 'installcheck with a simulator') or diag($output);
	like($output, qr/All 2 tests passed/, '... passes');
}
$node->stop;

($works, $output) = make($tree, '-s', "with_llvm=$llvm", 'clean');
ok($works, 'make clean') or diag($output);
is_deeply([ files($tree) ], \@before, '... leaves the sources');

# --- another build directory -------------------------------------------------

rename $tree, "$temporary/tree" or die;
make_path("$temporary/build");
my @elsewhere = ('-f', "$temporary/tree/Makefile", "VPATH=$temporary/tree");
($works, $output) = make("$temporary/build", @elsewhere, @quick, 'with_llvm=no');
ok($works, 'builds in another directory') or diag($output);
($works, $output) = make("$temporary/build", @elsewhere, '-s', 'with_llvm=no',
	"DESTDIR=$temporary/root2", 'install');
ok($works, '... and installs from there') or diag($output);
is_deeply([ files("$temporary/root2") ], [ sort @objects ], '... the same');
is_deeply([ files("$temporary/tree") ], \@before, '... with the sources untouched');

done_testing();
