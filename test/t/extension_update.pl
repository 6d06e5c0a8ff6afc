# Versions of the SQL objects: older ones work with this library, and ALTER
# EXTENSION ... UPDATE creates the same objects as CREATE EXTENSION.
#
# All update scripts are tested.  As long as there is only one version, made-up
# versions show that the comparison notices what an update script forgets.  They
# are in a copy of the installation, since scripts have to be in the directory of
# the server, which tests must not change.

use strict;
use warnings;
use Cwd;
use File::Basename;
use File::Copy;
use File::Path 'make_path';
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %installation = map { my $path = `pg_config --$_`; chomp $path; ($_ => $path) }
  qw(bindir sharedir pkglibdir);
my $library = "$installation{pkglibdir}/hibob_fdw.so";
my @scripts = map { s{.*/}{}r } glob('hibob_fdw--*.sql');
my @versions = map { /^hibob_fdw--([^-]+)\.sql$/ ? $1 : () } @scripts;
my ($version) = slurp_file('hibob_fdw.control') =~ /^default_version = '(.*)'$/m;

isnt(scalar @versions, 0, 'there is a version');
ok((grep { $_ eq $version } @versions),
	'... the default version of the control file');
is(slurp_file("$installation{sharedir}/extension/$_"), slurp_file($_),
	"$_ is installed") foreach @scripts, 'hibob_fdw.control';

# --- the library has the C functions of all scripts -------------------------

my %symbols = map { /\bT (\w+)$/ ? ($1 => 1) : () }
  split /\n/, `nm -D --defined-only '$library'`;

# The C functions in a script: AS 'MODULE_PATHNAME', 'name', or the SQL name.
sub c_functions
{
	my ($text) = @_;
	my %named;

	while ($text =~ /FUNCTION\s+(\w+)\s*\([^;]*?AS\s+'MODULE_PATHNAME'(?:\s*,\s*'(\w+)')?/gs)
	{
		$named{ $2 // $1 } = 1;
	}
	return sort keys %named;
}

foreach my $script (@scripts)
{
	my $text = slurp_file($script);
	my @functions = c_functions($text);

	is(scalar(() = $text =~ /MODULE_PATHNAME/g), scalar @functions,
		"$script: the C functions are found");
	is(join(' ', grep { !$symbols{$_} || !$symbols{"pg_finfo_$_"} } @functions),
		'', '... the library has them');
}
is(join(' ', c_functions(q{CREATE FUNCTION a(x text) RETURNS int AS 'MODULE_PATHNAME'
	LANGUAGE C; CREATE FUNCTION b() RETURNS int AS 'MODULE_PATHNAME', 'c' LANGUAGE C;})),
	'a c', 'C functions with another name are found, too');

# --- a copy of the installation ---------------------------------------------

# A copy of the server would run without HIBOB_SERVER_PREFIX.
if ($ENV{HIBOB_SERVER_PREFIX})
{
	done_testing();
	exit;
}

# The server finds its files relative to its executable.  So copies of the
# executables and links to all other files are an installation.
my $prefix = PostgreSQL::Test::Utils::tempdir;
my $extensions = "$prefix$installation{sharedir}/extension";
make_path("$prefix$installation{bindir}",
	dirname("$prefix$installation{pkglibdir}"), $extensions);
foreach my $file (glob("$installation{bindir}/*"))
{
	my $copy = "$prefix$installation{bindir}/" . $file =~ s{.*/}{}r;

	copy($file, $copy) && chmod 0755, $copy or die "$file: $!";
}
symlink $installation{pkglibdir}, "$prefix$installation{pkglibdir}" or die $!;
foreach my $file (glob("$installation{sharedir}/*"),
	glob("$installation{sharedir}/extension/*"))
{
	symlink $file, "$prefix$file" unless $file eq "$installation{sharedir}/extension";
}
my $install_path = "$prefix$installation{bindir}" =~ s{/bin$}{}r;
my $node = PostgreSQL::Test::Cluster->new('versions',
	install_path => $install_path);
$node->init;
$node->start;

is($node->safe_psql('postgres', q{SELECT setting FROM pg_config
	WHERE name = 'SHAREDIR'}), "$prefix$installation{sharedir}",
	'the server uses the scripts of the copy');

# The definitions of all objects of the extension.
my $DEFINITIONS = q{
	SELECT concat_ws(E'\n', pg_describe_object(classid, objid, 0),
		CASE classid WHEN 'pg_proc'::regclass THEN pg_get_functiondef(objid) END,
		(SELECT concat_ws(' ', proacl::text, proargdefaults::text IS NULL)
		   FROM pg_proc WHERE oid = objid AND classid = 'pg_proc'::regclass),
		(SELECT concat_ws(' ', fdwhandler::regproc, fdwvalidator::regproc,
				fdwacl::text, fdwoptions::text)
		   FROM pg_foreign_data_wrapper
		  WHERE oid = objid AND classid = 'pg_foreign_data_wrapper'::regclass),
		obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)))
	FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hibob_fdw')
	ORDER BY 1};

# The definitions after these statements, in a new database.
my $databases = 0;
sub definitions
{
	my ($statements) = @_;
	my $database = 'versions_' . ++$databases;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, $statements);
	return $node->safe_psql($database, $DEFINITIONS);
}

# --- all versions -----------------------------------------------------------

my $sim = start_simulator();
my $fresh = definitions('CREATE EXTENSION hibob_fdw');

like($fresh, qr/function hibob_fdw_handler\(\)\nCREATE OR REPLACE FUNCTION/,
	'there are definitions to compare');
my $functions = () =
  slurp_file("hibob_fdw--$version.sql") =~ /^CREATE FUNCTION /gm;
is(scalar(() = $fresh =~ /^(?:function|foreign-data wrapper) /gm), 1 + $functions,
	'... of all objects');
foreach my $older (@versions)
{
	my $updated = definitions("CREATE EXTENSION hibob_fdw VERSION '$older';
		ALTER EXTENSION hibob_fdw UPDATE");

	is($updated, $fresh, "$older, updated to $version");
	my $database = "old_$databases";
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	is($node->safe_psql($database, qq{
		CREATE EXTENSION hibob_fdw VERSION '$older';
		CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$sim/v1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE FOREIGN TABLE people (id text, email text) SERVER bob
			OPTIONS (resource 'people');
		SELECT count(id) > 0 FROM people}), 't',
		"... the old objects work with this library");
}

# --- made-up versions -------------------------------------------------------

my $base = slurp_file("hibob_fdw--$version.sql");
my $more = q{
	CREATE FUNCTION hibob_fdw_made_up(OUT a text, OUT b text, OUT c text)
	RETURNS record AS 'MODULE_PATHNAME', 'hibob_fdw_version' LANGUAGE C STRICT;
	REVOKE EXECUTE ON FUNCTION hibob_fdw_made_up() FROM PUBLIC;
	COMMENT ON FUNCTION hibob_fdw_made_up() IS 'made up';
};
my %made_up = ("998" => $more,
	"998x1" => $more =~ s/REVOKE.*?;//r,
	"998x2" => $more =~ s/COMMENT.*?;//r,
	"998x3" => $more =~ s/STRICT/VOLATILE/r,
	"998x4" => "$more CREATE FUNCTION hibob_fdw_other() RETURNS fdw_handler AS
		'MODULE_PATHNAME', 'hibob_fdw_handler' LANGUAGE C;",
	"998x5" => '');

append_to_file("$extensions/hibob_fdw--998.sql", $base . $more);
append_to_file("$extensions/hibob_fdw--$version--$_.sql", $made_up{$_})
  foreach keys %made_up;
my $next = definitions(q{CREATE EXTENSION hibob_fdw VERSION '998'});
foreach my $made_up (sort keys %made_up)
{
	my $updated = definitions("CREATE EXTENSION hibob_fdw VERSION '$version';
		ALTER EXTENSION hibob_fdw UPDATE TO '$made_up'");

	is($updated eq $next ? 'the same' : 'not the same',
		$made_up eq '998' ? 'the same' : 'not the same',
		"made-up version $made_up");
}

# --- a library that is older than the script ---------------------------------

# Each script checks that the loaded library has its functions.
my ($check) = $base =~ /^(DO \$\$\nDECLARE\n    needed .*?^\$\$;)$/ms;
ok($check, 'the current script has a check of the library');
foreach my $script (grep { /\.sql$/ } @scripts)
{
	my ($of) = $script =~ /([^-]+)\.sql$/;

	like(slurp_file($script), qr/^\Q@{[ $check =~ s{'1\.0'}{'$of'}r ]}\E$/m,
		"$script checks the library");
}

# A script of a future version, for which the current library is too old.
append_to_file("$extensions/hibob_fdw--$version--999.sql",
	$check =~ s/'1\.0'/'999'/r . q{
	CREATE FUNCTION hibob_fdw_of_999() RETURNS text
	AS 'MODULE_PATHNAME' LANGUAGE C;});
$node->append_conf('postgresql.conf', q{shared_preload_libraries = 'hibob_fdw'});
$node->restart;
$node->safe_psql('postgres', 'CREATE DATABASE preloaded');
my (undef, undef, $error) = $node->psql('preloaded', q{
	\set VERBOSITY verbose
	CREATE EXTENSION hibob_fdw;
	CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE sql
		AS $$SELECT 'called a function of another role'$$;
	ALTER EXTENSION hibob_fdw UPDATE TO '999'});
like($error, qr/55000: the server has loaded version \Q$version\E of the library of hibob_fdw, but version 999 is needed/,
	'a preloaded library that is older than the script');
like($error, qr/HINT:  Restart the server if hibob_fdw is in shared_preload_libraries/,
	'... with a hint');
is($node->safe_psql('preloaded', q{SELECT extversion FROM pg_extension
	WHERE extname = 'hibob_fdw'}), $version, '... the extension is unchanged');

# PostgreSQL 18 shows the version of a library: that of the newest SQL objects.
SKIP:
{
	skip 'no pg_get_loaded_modules() before PostgreSQL 18', 1
	  if $node->pg_version < 18;
	is($node->safe_psql('postgres', q{LOAD 'hibob_fdw';
		SELECT version FROM pg_get_loaded_modules()
		 WHERE module_name = 'hibob_fdw'}), $version,
		'the version of the library');
}
$node->stop;

done_testing();
