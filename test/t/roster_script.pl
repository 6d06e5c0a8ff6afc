# hibob_roster's script follows "Security Considerations for Extensions" in
# PostgreSQL's documentation.  ALTER EXTENSION … UPDATE of each older version
# results in the same objects as CREATE EXTENSION, and keeps the users' data.

use strict;
use warnings;
use File::Basename;
use File::Copy;
use File::Path 'make_path';
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT bare_cluster);
use RosterTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# --- contents of the script --------------------------------------------------

my @scripts = glob 'hibob_roster--*.sql';
cmp_ok(scalar @scripts, '>', 0, 'there is a script');
foreach my $file (@scripts)
{
	my $script = slurp_file($file);

	like($script, qr/^\\echo Use "CREATE EXTENSION hibob_roster.*\\quit$/m, "$file cannot be run by psql");
	unlike($script =~ s/--[^\n]*//gr =~ s/\$(\w*)\$.*?\$\1\$//gsr,
		qr/OR\s+REPLACE|IF\s+NOT\s+EXISTS|IF\s+EXISTS/i, '... and does not replace existing objects');
	unlike($script, qr/[^\x00-\x7f]/, '... is in ASCII, for databases of any encoding');
	is(scalar(grep { length > 80 } split /\n/, $script =~ s/^CREATE (?:INDEX|UNIQUE).*$//gmr), 0,
		'... and has lines of at most 80 characters');
}
my $control = slurp_file('hibob_roster.control');
like($control, qr/^\Q$_\E$/m, $_) foreach "requires = 'hibob_fdw'", "schema = 'pg_catalog'",
	'relocatable = false', 'superuser = false', 'trusted = false';

# --- objects that exist before -----------------------------------------------

my $node = bare_cluster('roster_script');
query($node, q{CREATE ROLE mallory; GRANT CREATE ON DATABASE postgres TO mallory;
	CREATE EXTENSION hibob_fdw});
query($node, q{SET ROLE mallory; CREATE SCHEMA hibob_roster});
is((query_error($node, 'CREATE EXTENSION hibob_roster'))[0], '42P06', 'a schema of another role is not used');
query($node, 'DROP SCHEMA hibob_roster');
is((query_error($node, 'CREATE EXTENSION hibob_roster SCHEMA public'))[0], '0A000', 'the extension cannot be created in another schema');
is((query_error($node, 'CREATE EXTENSION hibob_roster'))[0], '', '... it creates its own');
is((query_error($node, 'ALTER EXTENSION hibob_roster SET SCHEMA public'))[0], '0A000', 'its schema cannot be changed');
query($node, 'DROP EXTENSION hibob_roster');
is(query($node, q{SELECT to_regnamespace('hibob_roster') IS NULL}), 't', 'DROP EXTENSION leaves nothing');
query($node, 'CREATE EXTENSION hibob_roster; DROP EXTENSION hibob_fdw CASCADE');
is(query($node, q{SELECT count(*) FROM pg_extension WHERE extname = 'hibob_roster'}), 0,
	'DROP EXTENSION hibob_fdw CASCADE drops it, too');

# A role that may create objects in the schema of hibob_fdw has operators there
# for arguments to which pg_catalog's operators fit only after a conversion.
query($node, q{
	CREATE SCHEMA shared;
	GRANT USAGE, CREATE ON SCHEMA shared TO mallory;
	SET ROLE mallory;
	DO $$
	DECLARE
		types CONSTANT regtype[] := '{text,name,"char",integer,bigint,numeric,oid,
			regclass,interval,timestamptz,text[],name[],boolean}';
		pair record;
		operator text;
	BEGIN
		FOR pair IN SELECT l, r, format('f%s', row_number() OVER ()) AS f
				FROM unnest(types) l, unnest(types) r LOOP
			EXECUTE format('CREATE FUNCTION shared.%I(%s, %s) RETURNS boolean
				LANGUAGE sql AS $f$SELECT true$f$', pair.f, pair.l, pair.r);
			FOR operator IN SELECT unnest('{=,<>,<,>,<=,>=,+,-,*,||,~,~~,@>}'::text[])
					EXCEPT SELECT oprname FROM pg_operator
					 WHERE oprleft = pair.l AND oprright = pair.r LOOP
				EXECUTE format('CREATE OPERATOR shared.%s (LEFTARG = %s, RIGHTARG = %s,
					FUNCTION = shared.%I)', operator, pair.l, pair.r, pair.f);
			END LOOP;
		END LOOP;
	END $$;
	RESET ROLE;
	SET search_path = public;
	CREATE EXTENSION hibob_fdw SCHEMA shared;
	CREATE EXTENSION hibob_roster});
my $FOREIGN = q{SELECT count(*), string_agg(DISTINCT pg_describe_object(d.classid, d.objid, 0), ', ')
	FROM pg_depend d JOIN pg_operator o ON o.oid = d.refobjid AND d.refclassid = 'pg_operator'::regclass
	WHERE o.oprowner = 'mallory'::regrole};
is(query($node, $FOREIGN), '0|', 'no object of the extensions uses an operator of another role');
query($node, 'SET search_path = pg_catalog, shared;
	CREATE VIEW public.careless AS SELECT FROM pg_class WHERE oid = 1::regclass');
is(query($node, $FOREIGN), '1|rule _RETURN on view careless', '... which the check finds');
$node->stop;

# --- an installation of our own ----------------------------------------------

# A copy of the server would run without the prefix command.
if ($ENV{HIBOB_SERVER_PREFIX})
{
	done_testing();
	exit;
}

my %installation = map { my $path = `pg_config --$_`; chomp $path; ($_ => $path) }
  qw(bindir sharedir pkglibdir);
my $prefix = PostgreSQL::Test::Utils::tempdir;
my $extensions = "$prefix$installation{sharedir}/extension";
make_path("$prefix$installation{bindir}", dirname("$prefix$installation{pkglibdir}"),
	$extensions);
foreach my $file (glob("$installation{bindir}/*"))
{
	my $copy = "$prefix$installation{bindir}/" . $file =~ s{.*/}{}r;

	copy($file, $copy) && chmod 0755, $copy or die "$file: $!";
}
symlink $installation{pkglibdir}, "$prefix$installation{pkglibdir}" or die $!;
foreach my $file (glob("$installation{sharedir}/*"), glob("$installation{sharedir}/extension/*"))
{
	symlink $file, "$prefix$file" unless $file eq "$installation{sharedir}/extension";
}
is(slurp_file("$extensions/$_"), slurp_file($_), "$_ is installed")
  foreach @scripts, 'hibob_roster.control';
$node = PostgreSQL::Test::Cluster->new('roster_versions',
	install_path => "$prefix$installation{bindir}" =~ s{/bin$}{}r);
$node->init;
$node->start;
my $sim = start_simulator(employees => 40);

# The definitions of all objects of the extension.
my $CATALOG = q{
	SELECT concat_ws(E'\n', pg_describe_object(classid, objid, 0),
		CASE classid WHEN 'pg_proc'::regclass THEN (SELECT CASE WHEN prokind IN ('f', 'p')
			THEN pg_get_functiondef(objid) END FROM pg_proc WHERE oid = objid) END,
		(SELECT proacl::text FROM pg_proc WHERE oid = objid AND classid = 'pg_proc'::regclass),
		(SELECT concat_ws(' ', relacl, reloptions, relrowsecurity, CASE relkind WHEN 'v'
				THEN pg_get_viewdef(oid) END,
			(SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull,
				pg_get_expr(adbin, adrelid)), ',' ORDER BY attnum) FROM pg_attribute
				LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
				WHERE attrelid = objid AND attnum > 0 AND NOT attisdropped),
			(SELECT string_agg(pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint
				WHERE conrelid = objid),
			(SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid::regclass::text)
				FROM pg_index WHERE indrelid = objid),
			(SELECT string_agg(concat_ws(' ', polname, polcmd, polroles, pg_get_expr(polqual, polrelid)),
				',' ORDER BY polname) FROM pg_policy WHERE polrelid = objid),
			(SELECT extcondition[array_position(extconfig, objid)] FROM pg_extension WHERE extname = 'hibob_roster'))
		   FROM pg_class WHERE oid = objid AND classid = 'pg_class'::regclass),
		obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)))
	FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hibob_roster')
	ORDER BY 1};
my $databases = 0;
my $database;

sub catalog
{
	my ($statements) = @_;

	$database = 'versions_' . ++$databases;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, $statements);
	return $node->safe_psql($database, $CATALOG);
}

my ($version) = $control =~ /^default_version = '(.*)'$/m;
my $fresh = catalog('CREATE EXTENSION hibob_roster CASCADE');
cmp_ok(scalar(() = $fresh =~ /^(?:function|procedure|table|view) /gm), '>', 40, 'objects to compare');
foreach my $older (map { /--([^-]+)\.sql$/ ? $1 : () } @scripts)
{
	is(catalog("CREATE EXTENSION hibob_roster VERSION '$older' CASCADE;
		ALTER EXTENSION hibob_roster UPDATE"), $fresh, "$older, updated to $version");
}

# A made-up next version.  It changes a function, a view and a table.
my $update = q{
	ALTER TABLE hibob_roster.mirrors ADD COLUMN note text;
	SELECT pg_catalog.pg_extension_config_dump('hibob_roster.mirrors', $$WHERE EXISTS
		(SELECT FROM pg_catalog.pg_class c WHERE c.oid = mirror)$$);
	CREATE FUNCTION hibob_roster.mirror_count() RETURNS bigint LANGUAGE sql
	SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM hibob_roster.mirrors';
	COMMENT ON FUNCTION hibob_roster.mirror_count() IS 'made up';
};
append_to_file("$extensions/hibob_roster--998.sql", slurp_file("hibob_roster--$version.sql") . $update);
append_to_file("$extensions/hibob_roster--$version--998.sql", $update);
append_to_file("$extensions/hibob_roster--$version--998x.sql", $update =~ s/COMMENT.*?;//r);
my $next = catalog(q{CREATE EXTENSION hibob_roster VERSION '998' CASCADE});
isnt(catalog("CREATE EXTENSION hibob_roster CASCADE; ALTER EXTENSION hibob_roster UPDATE TO '998x'"), $next,
	'the comparison notices an incomplete update script');
is(catalog(qq{CREATE EXTENSION hibob_roster CASCADE;
	CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	SELECT hibob_roster.create_roster('bob');
	CALL hibob_roster.refresh();
	ALTER EXTENSION hibob_roster UPDATE TO '998'}), $next, 'an update in a database with a roster');
is($node->safe_psql($database, q{CALL hibob_roster.refresh(); SELECT hibob_roster.mirror_count();
	SELECT count(*), min(outcome) FROM hibob_roster.refresh_log; SELECT status, rows FROM hibob_roster.health}),
	"1\n3|success\nhealthy|40", '... keeps its mirrors and log');

# A dump that is restored into the next version.
$node->safe_psql($database, q{UPDATE hibob_roster.mirrors SET max_age = '3 days'});
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('versions_' . ($databases)) ], 'a database is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', q{CREATE EXTENSION hibob_roster VERSION '998' CASCADE});
$node->command_ok([ 'psql', '-Xq', '-o', "$dump.out", '-d', $node->connstr('restored'), '-f', $dump ], '... and restored into the next version');
is($node->safe_psql('restored', q{CALL hibob_roster.refresh(); SELECT status, rows FROM hibob_roster.health;
	SELECT max_age FROM hibob_roster.mirrors}), "healthy|40\n3 days", '... where refreshes continue');
$node->stop;

done_testing();
