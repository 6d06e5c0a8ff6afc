# The extension script follows PostgreSQL's "Security Considerations for
# Extensions": CREATE EXTENSION takes over no existing object, and nothing calls
# objects that other roles have created.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT bare_cluster);
use PostgreSQL::Test::Utils;
use Test::More;

# ------------------------------------------------------------------------
# The statements of the script
# ------------------------------------------------------------------------

my @scripts = glob 'hibob_fdw--*.sql';
cmp_ok(scalar @scripts, '>', 0, 'there is a script');
foreach my $file (@scripts)
{
	my $script = slurp_file($file) =~ s{/\*.*?\*/}{}sgr =~ s/--[^\n]*//gr
	  =~ s/^\\echo.*$//mr =~ s/\b(AS|DO) \$\$.*?^\$\$/$1 BODY/smgr;
	my @statements = grep { /\S/ } split /;\s*$/m, $script;
	my %kinds;

	like(slurp_file($file), qr/^\\echo Use "CREATE EXTENSION .*\\quit$/m,
		"$file: psql refuses to run it");
	foreach my $statement (@statements)
	{
		my ($kind) = $statement =~ /^\s*(CREATE\ FUNCTION
			|DO\ BODY|CREATE\ FOREIGN\ DATA\ WRAPPER|CREATE\ VIEW|COMMENT\ ON
			|REVOKE\ EXECUTE\ ON\ FUNCTION|GRANT)(?:\s|$)/x;
		push @{ $kinds{ $kind // $statement } }, $statement;
	}
	is(join(', ', sort keys %kinds),
		'COMMENT ON, CREATE FOREIGN DATA WRAPPER, CREATE FUNCTION, '
		  . 'CREATE VIEW, DO BODY, GRANT, REVOKE EXECUTE ON FUNCTION',
		'... only statements that cannot take over an object');
	unlike($script, qr/OR\s+REPLACE|IF\s+NOT\s+EXISTS|IF\s+EXISTS/i,
		'... nothing that accepts an existing object');
	my $path = qr/^SET search_path = pg_catalog, pg_temp$/m;
	unlike($script =~ s/$path//gr, qr/SECURITY\s+DEFINER|\bSET\b/i,
		'... no rights but those of the caller');
	is(scalar(grep { !/^\s*CREATE VIEW (\w+) AS\s+SELECT [\w:,\s]+ FROM \1\(\)\s*$/ }
			  @{ $kinds{'CREATE VIEW'} }), 0,
		'... views only of its own functions without arguments');
	is(scalar(grep { !/AS 'MODULE_PATHNAME'\s+LANGUAGE C\b/
			  && !/LANGUAGE plpgsql\b.*$path\s*AS BODY/s }
			  @{ $kinds{'CREATE FUNCTION'} }), 0,
		'... functions in C, or with a search_path of their own');
}
my $control = slurp_file('hibob_fdw.control');
like($control, qr/^trusted = false$/m, 'the extension is not trusted');
like($control, qr/^relocatable = true$/m, 'the extension is relocatable');
unlike($control, qr/^superuser = /m, 'only superusers can install it');

# ------------------------------------------------------------------------
# CREATE EXTENSION in a schema with hostile objects
# ------------------------------------------------------------------------

my $sim = start_simulator();
my $node = bare_cluster('script');

# Types, functions and operators that the script or the code might use instead
# of the server's; each fails when it is called.
query($node, q{
	CREATE ROLE mallory LOGIN;
	CREATE SCHEMA evil AUTHORIZATION mallory;
	SET ROLE mallory;
	SET search_path = evil, pg_catalog;
	CREATE FUNCTION evil.trap() RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.trap());
	CREATE DOMAIN evil.name AS pg_catalog.name CHECK (evil.trap());
	CREATE DOMAIN evil.date AS pg_catalog.date CHECK (evil.trap());
	CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (evil.trap());
	CREATE DOMAIN evil.timestamptz AS pg_catalog.timestamptz CHECK (evil.trap());
	CREATE DOMAIN evil.timestamp AS pg_catalog.timestamp CHECK (evil.trap());
	CREATE DOMAIN evil."numeric" AS pg_catalog.numeric CHECK (evil.trap());
	CREATE DOMAIN evil.int8 AS pg_catalog.int8 CHECK (evil.trap());
	CREATE DOMAIN evil.bool AS pg_catalog.bool CHECK (evil.trap());
	CREATE FUNCTION evil.compare(pg_catalog.text, pg_catalog.text)
		RETURNS pg_catalog.bool LANGUAGE sql AS 'SELECT evil.trap()';
	CREATE OPERATOR evil.= (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text,
		FUNCTION = evil.compare);
	CREATE FUNCTION evil.compare(pg_catalog._int4, pg_catalog._int4)
		RETURNS pg_catalog.bool LANGUAGE sql AS 'SELECT evil.trap()';
	CREATE OPERATOR evil.< (LEFTARG = pg_catalog._int4, RIGHTARG = pg_catalog._int4,
		FUNCTION = evil.compare);
	CREATE FUNCTION evil.format(pg_catalog.text, pg_catalog.text, pg_catalog.text)
		RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT evil.trap()::pg_catalog.text';
	CREATE FUNCTION evil.hibob_fdw_status(pg_catalog.text) RETURNS pg_catalog.bool
		LANGUAGE sql AS 'SELECT evil.trap()';
	CREATE FUNCTION evil.hibob_fdw_validator(pg_catalog.text, pg_catalog.oid)
		RETURNS void LANGUAGE sql AS 'SELECT evil.trap()';
	CREATE FUNCTION evil.lower(pg_catalog.text) RETURNS pg_catalog.text
		LANGUAGE sql AS 'SELECT evil.trap()::pg_catalog.text';
});

# An existing object with the same name and arguments makes CREATE EXTENSION
# fail, and never becomes a member of the extension.
my %in_the_way = (
	'FUNCTION evil.hibob_fdw_handler()' => [
		'CREATE FUNCTION evil.hibob_fdw_handler() RETURNS pg_catalog.bool
		LANGUAGE sql AS $$SELECT evil.trap()$$', '42723' ],
	'FUNCTION evil.hibob_fdw_status(pg_catalog.name)' => [
		'CREATE FUNCTION evil.hibob_fdw_status(pg_catalog.name)
		RETURNS pg_catalog.bool LANGUAGE sql AS $$SELECT evil.trap()$$', '42723' ],
	'FUNCTION evil.hibob_fdw_statistics(pg_catalog.int4)' => [
		'CREATE FUNCTION evil.hibob_fdw_statistics(pg_catalog.int4 DEFAULT 1)
		RETURNS pg_catalog.bool LANGUAGE sql AS $$SELECT evil.trap()$$', '42725' ],
	'FOREIGN DATA WRAPPER hibob_fdw' => [
		'RESET ROLE; CREATE FOREIGN DATA WRAPPER hibob_fdw', '42710' ],
);
foreach my $object (sort keys %in_the_way)
{
	my ($sql, $state) = @{ $in_the_way{$object} };

	query($node, "SET ROLE mallory; $sql");
	is((query_error($node, 'CREATE EXTENSION hibob_fdw SCHEMA evil'))[0], $state,
		"$object exists: an error");
	is(query($node, q{SELECT count(*) FROM pg_extension WHERE extname = 'hibob_fdw'}),
		'0', '... and the extension is not installed');
	query($node, "DROP $object");
}
is((query_error($node, 'GRANT CREATE ON DATABASE postgres TO mallory;
	SET ROLE mallory; CREATE EXTENSION hibob_fdw SCHEMA evil'))[0], '42501',
	'CREATE on the database is not enough to install it');

# Without such an object, the extension is the same as elsewhere.
foreach my $path ('public', 'evil, pg_catalog', 'evil, public, pg_catalog')
{
	# Views by the functions that they depend on; a name would not be enough.
	my $what = q{
		SELECT c.relname, c.relacl, d.refclassid::regclass, p.prosrc
		  FROM pg_class AS c JOIN pg_rewrite AS r ON r.ev_class OPERATOR(pg_catalog.=) c.oid
		  JOIN pg_depend AS d ON d.objid OPERATOR(pg_catalog.=) r.oid
		  JOIN pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) d.refobjid
		 WHERE c.relname OPERATOR(pg_catalog.~~) 'hibob%'
		   AND d.refclassid OPERATOR(pg_catalog.=) 'pg_proc'::regclass
		 ORDER BY 1;
		SELECT p.proname, p.proargtypes, p.prorettype, p.proallargtypes, p.proacl,
			p.prosecdef, p.proconfig, p.prosrc, p.probin, p.provolatile, p.proparallel
		  FROM pg_proc AS p JOIN pg_depend AS d ON d.objid OPERATOR(pg_catalog.=) p.oid
		 WHERE d.deptype OPERATOR(pg_catalog.=) 'e'
		   AND d.classid OPERATOR(pg_catalog.=) 'pg_proc'::regclass
		   AND d.refobjid OPERATOR(pg_catalog.=) (SELECT e.oid FROM pg_extension AS e
				 WHERE e.extname OPERATOR(pg_catalog.=) 'hibob_fdw')
		 ORDER BY 1};

	my $there = query($node, "SET search_path = $path;
		CREATE EXTENSION hibob_fdw SCHEMA evil; $what;
		DROP EXTENSION hibob_fdw");
	my $elsewhere = query($node,
		"CREATE EXTENSION hibob_fdw; $what; DROP EXTENSION hibob_fdw");
	is($there, $elsewhere,
		"installed into the schema of another role, search_path $path");
	cmp_ok(scalar(split /\n/, $there), '>=', 14, '... with all objects');
}

# ------------------------------------------------------------------------
# Use with a search_path where the hostile objects come first
# ------------------------------------------------------------------------

query($node, 'CREATE EXTENSION hibob_fdw SCHEMA evil');
add_server($node, 'bob', $sim);
query($node, 'CREATE SCHEMA hr; CREATE SCHEMA moved');
my $out = query($node, q{
	SET search_path = evil, pg_catalog;
	IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
		OPTIONS (fields 'all', custom_tables 'true', reports 'true');
	SELECT DISTINCT n.nspname
	  FROM pg_attribute AS a JOIN pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
	  JOIN pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
	  JOIN pg_class AS c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
	 WHERE c.relnamespace OPERATOR(pg_catalog.=) 'hr'::regnamespace
	   AND c.relkind OPERATOR(pg_catalog.=) 'f'});
is($out, 'pg_catalog', 'IMPORT FOREIGN SCHEMA uses the types of pg_catalog');
$out = query($node, q{
	SET search_path = evil, pg_catalog;
	SELECT pg_catalog.count(*) FROM hr.people;
	SELECT pg_catalog.count(p) FROM hr.people AS p;
	SELECT pg_catalog.count(*) FROM hr.work_history WHERE employee_id
		OPERATOR(pg_catalog.=) ANY (ARRAY['3332883884017713275']::pg_catalog._text);
	ANALYZE hr.people;
	SELECT status OPERATOR(pg_catalog.=) 'healthy' FROM evil.hibob_fdw_status('bob'::pg_catalog.name);
	SELECT evil.hibob_fdw_comment_columns('hr') OPERATOR(pg_catalog.>) 100;
	SELECT pg_catalog.count(*) FROM evil.hibob_fdw_get_connections();
	SELECT evil.hibob_fdw_disconnect('bob')});
is($out, "500\n500\n4\nt\nt\n1\nt", 'queries and functions work as elsewhere');
query($node, 'ALTER EXTENSION hibob_fdw SET SCHEMA moved');
$out = query($node, q{
	SELECT count(*) FROM hr.people;
	SELECT status = 'healthy' FROM moved.hibob_fdw_status();
	SELECT moved.hibob_fdw_comment_columns('hr') > 100});
is($out, "500\nt\nt", '... also after ALTER EXTENSION SET SCHEMA');

# Only superusers can change settings.
is(query($node, q{SELECT extension FROM moved.hibob_fdw_version();
	SELECT string_agg(name || ' ' || context, ',') FROM pg_settings
	 WHERE name LIKE 'hibob\_fdw.%'}),
	"1.0\nhibob_fdw.allowed_hosts superuser",
	'only superusers can change settings');

done_testing();
