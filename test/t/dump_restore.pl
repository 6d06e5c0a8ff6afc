# pg_dump and restore: servers, user mappings, tables, views, and materialized
# views, which are refreshed by the restore.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator(employees => 60);
my $node = new_cluster('dump');
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump';

$node->safe_psql('postgres', qq{
	CREATE ROLE analyst;
	CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1', cache_ttl '5min', read_timeout '30s');
	CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE USER MAPPING FOR analyst SERVER bob
		OPTIONS (service_user_id 'SERVICE-1', token 'quo''te"d\\ ünd');
	GRANT USAGE ON FOREIGN SERVER bob TO analyst;
	CREATE SCHEMA hr;
	IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr
		OPTIONS (custom_tables 'true', reports 'true', fields 'all');
	ALTER FOREIGN TABLE hr.people OPTIONS (ADD min_rows '10');
	GRANT SELECT ON hr.people TO analyst;
	GRANT EXECUTE ON FUNCTION hibob_fdw_status TO analyst;
	CREATE VIEW hr.former AS SELECT id, email FROM hr.people
		WHERE status = 'Inactive';
	CREATE MATERIALIZED VIEW hr.kept AS SELECT id, email, people FROM hr.people
		WITH NO DATA;
	REFRESH MATERIALIZED VIEW hr.kept;
	SELECT hibob_fdw_comment_columns('hr');
});

# The dump of a database, without the random key of \restrict.
sub dump_of
{
	my ($database) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '-d', $node->connstr($database) ]);

	is($err, '', "pg_dump of $database");
	return $out =~ s/^\\(?:un)?restrict .*$//mgr;
}

# Options are sorted, because pg_dump sorts them.
my $facts = q{
	SELECT srvname, ARRAY(SELECT unnest(srvoptions) ORDER BY 1) FROM pg_foreign_server;
	SELECT srvname, usename, ARRAY(SELECT unnest(umoptions) ORDER BY 1) FROM pg_user_mappings ORDER BY 2;
	SELECT c.oid::regclass, ARRAY(SELECT unnest(ftoptions) ORDER BY 1) FROM pg_foreign_table
	  JOIN pg_class c ON c.oid = ftrelid ORDER BY relname;
	SELECT attrelid::regclass, attname, atttypid::regtype, attnotnull, ARRAY(SELECT unnest(attfdwoptions) ORDER BY 1),
		col_description(attrelid, attnum)
	  FROM pg_attribute JOIN pg_foreign_table ON ftrelid = attrelid
	 WHERE attnum > 0 ORDER BY attrelid::regclass::text, attnum;
	SELECT proacl FROM pg_proc WHERE proname = 'hibob_fdw_status';
	SELECT * FROM hr.kept ORDER BY id;
	SELECT * FROM hr.former ORDER BY id;
	SELECT count(*), has_table_privilege('analyst', 'hr.people', 'SELECT')
	  FROM hr.work_history};
my $before = $node->safe_psql('postgres', $facts);
my $statements = dump_of('postgres');

is(scalar(() = $before =~ /^hr\.[^|]+\|\{[^|]*resource=[^|]*$/gm), $node->safe_psql('postgres',
		'SELECT count(*) FROM pg_foreign_table'), 'tables to compare');
like($before, qr/quo'te/, 'a token to compare');
like($statements, qr/^CREATE EXTENSION IF NOT EXISTS hibob_fdw WITH SCHEMA public;$/m,
	'the dump creates the extension');
unlike($statements, qr/^CREATE FUNCTION/m, '... and not its functions');
unlike($statements, qr/^COPY hr\.(?!kept)/m,
	'the dump has no rows of foreign tables');

foreach my $format ('plain', 'custom')
{
	my $database = "restored_$format";

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok([ 'pg_dump', '-F', $format, '-f', "$dump.$format",
		'-d', $node->connstr('postgres') ], "$format: dumped");
	requests($sim);
	$node->command_ok($format eq 'plain'
		? [ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-o', "$dump.out",
			'-d', $node->connstr($database), '-f', "$dump.$format" ]
		: [ 'pg_restore', '-e', '-d', $node->connstr($database), "$dump.$format" ],
		"$format: restored");
	is(scalar requests($sim), 1, '... and the materialized view refreshed');
	is_deeply([ split /\n/, $node->safe_psql($database, $facts) ],
		[ split /\n/, $before ], '... with the same contents');
	is(dump_of($database), $statements, '... and the same dump');
}

# pg_dump includes rows of foreign tables on request.
my ($rows) = run_command([ 'pg_dump', '-a', '--include-foreign-data=bob',
	'-t', 'hr.job_roles', '-d', $node->connstr('postgres') ]);
my ($data) = $rows =~ /^COPY hr\.job_roles .*? FROM stdin;\n(.*?)^\\\.$/ms;
is(scalar(() = ($data // '') =~ /\n/g),
	$node->safe_psql('postgres', 'SELECT count(*) FROM hr.job_roles'),
	'--include-foreign-data');
$node->stop;

done_testing();
