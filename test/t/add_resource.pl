# A resource is added by one entry in one file: this test builds the extension
# with the example of doc/adding-a-resource.md.

use strict;
use warnings;
use Cwd qw(getcwd);
use File::Copy qw(copy);
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT bare_cluster);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tree = getcwd();
my $copy = PostgreSQL::Test::Utils::tempdir . '/tree';
my $file = 'src/resources/resource_objects.c';
my $name = 'onboarding_wizards';

# A copy of the sources of the extension and of its manual.
foreach my $pattern ('Makefile', '*.control', '*.sql', 'src/*.[ch]', 'src/*/*.[ch]',
	'doc/*.md', 'doc/*.sh', 'test/resources/*.c')
{
	foreach my $path (glob $pattern)
	{
		my ($dir) = "$copy/$path" =~ m{(.*)/};

		make_path($dir);
		copy($path, "$copy/$path") or die "$path: $!";
		chmod((stat $path)[2] & 07777, "$copy/$path");
	}
}

# The page has one block: what is added before the array, and the new element.
my @blocks =
  slurp_file('doc/adding-a-resource.md') =~ /^```c\n(.*?)^```$/msg;
is(scalar @blocks, 1, 'the page has one block of C');
my ($before, $entry) = $blocks[0] =~ /\A(.*?)^(\t\{\n.*^\t\},\n)\z/ms;
ok(defined $entry, '... with an entry at its end');

my $source = slurp_file($file);
my $count = $source =~
  s{^(static const Resource resources\[\] = .*?)^(\};\n)}{$before$1$entry$2}ms;
is($count, 1, 'the array of resources is found');
open my $out, '>', "$copy/$file" or die $!;
print $out $source;
close $out;

# One file differs, by the lines of the block.
my ($stdout, $stderr) = run_command(
	['diff', '-rq', '-x', '*.o', '-x', '*.bc', "$tree/src", "$copy/src"]);
is($stdout, "Files $tree/$file and $copy/$file differ",
	'one source file differs');
($stdout, $stderr) = run_command(['diff', "$tree/$file", "$copy/$file"]);
my @added = $stdout =~ /^> (.*)$/mg;
my @removed = $stdout =~ /^< /mg;
is_deeply([sort map { s/^> ?//r } @added], [sort split /\n/, $blocks[0]],
	sprintf '... by the %d lines of the page', scalar @added);
is(scalar @removed, 0, '... and no line is removed');

# The manual is outdated until the generator runs.
command_fails(["$copy/doc/generate.sh", '--check'],
	'generate.sh --check fails before the manual is generated');
($stdout, $stderr) = run_command(["$copy/doc/generate.sh", '--check']);
like($stdout, qr/^\+### $name$/m, '... and shows what is missing');
command_ok(["$copy/doc/generate.sh"], 'generate.sh');
command_ok(["$copy/doc/generate.sh", '--check'],
	'generate.sh --check succeeds then');
my $manual = slurp_file("$copy/doc/reference.md");
like($manual, qr{^\Q| [`$name`](#$name) | \E.*\Q | `GET /onboarding/wizards` |\E$}m,
	'the resource is in the table of contents');
like($manual, qr{^### $name\n(?:(?!^###).)*^\Q| `name` | text | `name` | machine |\E$}ms,
	'... and has a section with its columns');

# The library of the copy, by its path, in a cluster without the extension.
command_ok(['make', '-s', '-j4', '-C', $copy, 'with_llvm=no',
	'PG_CONFIG=pg_config', 'hibob_fdw.so'], 'the copy is built');

my $sim = start_simulator();
my $node = bare_cluster('add_resource');
my $script = slurp_file('hibob_fdw--1.0.sql');
$script =~ s/^\\echo.*$//m;
$script =~ s{MODULE_PATHNAME}{$copy/hibob_fdw}g;
query($node, $script);
add_server($node, 'bob', $sim);
is(query($node, "SELECT count(*) FROM pg_proc
	 WHERE probin = '$copy/hibob_fdw' AND proname = 'hibob_fdw_handler'"), '1',
	'the server loads the library of the copy');

query($node, 'CREATE SCHEMA hr;
	IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr');
is(query($node, "SELECT attname, atttypid::regtype, attnotnull
	  FROM pg_attribute
	 WHERE attrelid = 'hr.$name'::regclass AND attnum > 0 ORDER BY attnum"),
	"id|bigint|t\nname|text|f", 'IMPORT FOREIGN SCHEMA creates the table');
requests($sim);
is(query($node, "SELECT * FROM hr.$name ORDER BY id"),
	"81001|Standard onboarding\n81002|F\xc3\xbchrungskr\xc3\xa4fte\n"
	. "81003|Remote \xe2\x80\x93 EU", 'the rows');
is(join(' ', map { "$_->{method} $_->{path}" } requests($sim)),
	'GET /v1/onboarding/wizards', '... with one request');
like(query($node, "EXPLAIN SELECT * FROM hr.$name"),
	qr{HiBob Endpoint: GET /onboarding/wizards}, 'EXPLAIN shows the endpoint');
query($node, "CREATE MATERIALIZED VIEW wizards AS
	SELECT w.name, count(p.id) FROM hr.$name w
	  LEFT JOIN bob.people p ON p.department = w.name GROUP BY 1");
is(query($node, 'SELECT count(*) FROM wizards'), '3',
	'a materialized view, and a join with people');

my ($state, $message) = query_error($node, "CREATE FOREIGN TABLE t (id int)
	SERVER bob OPTIONS (resource 'onboarding_wizard')");
is($state, 'HV024', 'a resource that does not exist');
like($message, qr/Perhaps you meant the value "$name"/,
	'... the hint suggests the similar name');
like($message, qr/\bpeople, profiles, .*\b$name\b/,
	'... and the message lists all resources');
($state, $message) = query_error($node, "CREATE FOREIGN TABLE t (id int)
	SERVER bob OPTIONS (resource '$name', show_inactive 'false')");
is($state, 'HV00D', 'an option that the resource does not have');
($state, $message) = query_error($node, "CREATE FOREIGN TABLE t (nam text)
	SERVER bob OPTIONS (resource '$name'); SELECT * FROM t");
is($state, 'HV005', 'a column that the resource does not have');
like($message, qr/Perhaps you meant the column "name"/,
	'... the hint suggests the similar column');

done_testing();
