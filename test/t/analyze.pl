# ANALYZE: the role that samples a foreign table, how it is sampled, and the
# columns that are requested.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session states reload_settings);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $sim = start_simulator();
my $node = new_cluster('analyze', q{
autovacuum_naptime = 1s
log_autovacuum_min_duration = 0
});
add_server($node, 'bob', $sim);
query($node, q{
	CREATE ROLE parent; CREATE ROLE owner_a; CREATE ROLE owner_b;
	GRANT USAGE ON FOREIGN SERVER bob TO owner_a, owner_b, parent;
	CREATE USER MAPPING FOR owner_a SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
	CREATE USER MAPPING FOR owner_b SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token');
	CREATE SCHEMA hr; GRANT ALL ON SCHEMA hr TO parent, owner_a, owner_b;
	SET ROLE parent;
	CREATE TABLE hr.everybody (id text, department text, account text)
		PARTITION BY LIST (account);
	GRANT ALL ON hr.everybody TO owner_a, owner_b;
	RESET ROLE;
});
foreach my $part ('a', 'b')
{
	query($node, qq{
		CREATE FOREIGN TABLE hr.part_$part (gone int,
			id text, department text, account text OPTIONS (field 'root.surname'))
			SERVER bob OPTIONS (resource 'people');
		ALTER FOREIGN TABLE hr.part_$part DROP COLUMN gone;
		ALTER TABLE hr.everybody ATTACH PARTITION hr.part_$part FOR VALUES IN ('$part');
		ALTER FOREIGN TABLE hr.part_$part OWNER TO owner_$part});
}

# The columns with statistics, and the requested fields.
sub statistics
{
	my ($table) = @_;

	return query($node, qq{SELECT string_agg(attname, ',' ORDER BY attname)
		FROM pg_stats WHERE schemaname = 'hr' AND tablename = '$table'});
}

sub requested
{
	return join ' ', map { join ',', sort @{ $_->{body}{fields} } }
	  grep { $_->{path} =~ m{/people/search$} } requests($sim);
}

# --- the role ------------------------------------------------------------------

# The parent's owner has no user mapping, and needs none.
is((query_error($node, 'ANALYZE hr.everybody'))[0], '', 'partitions of several owners');
is(statistics('everybody'), 'account,department,id', '... have statistics together');
is(statistics('part_a'), 'account,department,id', '... and each');
is(query($node, q{SELECT reltuples FROM pg_class WHERE relname = 'part_b'}), '500',
	'... of all rows');
query($node, 'DROP USER MAPPING FOR owner_b SERVER bob');
my ($state, $message) = query_error($node, 'ANALYZE hr.everybody');
is($state, '42704', 'an owner without a user mapping');
like($message, qr/user mapping not found for.*"owner_b"/,
	'... the message names the owner');
query($node, q{CREATE USER MAPPING FOR owner_b SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token')});
is((query_error($node, 'ANALYZE'))[0], '', 'a whole database');

# A type's function runs as the owner of the table, not as the caller.
query($node, q{
	CREATE FUNCTION hr.note(text) RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN
			IF current_user <> 'owner_a' THEN
				RAISE EXCEPTION 'called by %', current_user;
			END IF;
			RETURN true;
		END $$;
	CREATE DOMAIN hr.noted AS text CHECK (hr.note(VALUE));
	CREATE TABLE hr.base (id text);
	CREATE FOREIGN TABLE hr.child (id text, email hr.noted) INHERITS (hr.base)
		SERVER bob OPTIONS (resource 'people');
	ALTER FOREIGN TABLE hr.child OWNER TO owner_a;
	INSERT INTO hr.base SELECT 'x' || n FROM generate_series(1, 10) n});
is((query_error($node, 'ANALYZE hr.base; ANALYZE hr.child'))[1], '',
	'functions of types');
is(query($node, q{SELECT n_distinct FROM pg_stats
	WHERE tablename = 'base' AND inherited AND attname = 'id'}), '-1',
	'... and the parent has statistics');
is(query($node, q{SELECT reltuples FROM pg_class WHERE relname = 'child'}), '500',
	'... and the child');

# An error does not change the state of the session.
tell($sim, 'fault', { endpoint => '/people/search', reset => 5000, times => undef });
my ($out, $err) = session($node, q{
	SET ROLE parent;
	ANALYZE hr.everybody;
	SELECT current_user;
	BEGIN; SAVEPOINT s; ANALYZE hr.everybody; ROLLBACK TO s; SELECT current_user; ROLLBACK});
is($out, "parent\nparent", 'an error of the sample') or diag($err);
is(join(' ', states($err)), '08006 08006', '... has the SQLSTATE of a query');
tell($sim, 'reset');

# --- the columns ---------------------------------------------------------------

query($node, q{
	CREATE FOREIGN TABLE hr.alone (id text, department text, email text, surname text,
		site text) SERVER bob OPTIONS (resource 'people');
	ALTER FOREIGN TABLE hr.alone ALTER email SET STATISTICS 0,
		ALTER surname SET STATISTICS 0, ALTER site SET STATISTICS 10});
requests($sim);
query($node, 'ANALYZE hr.alone');
is(requested(), 'root.id,work.department,work.site',
	'columns without a statistics target are not requested');
is(statistics('alone'), 'department,id,site', '... and the others have statistics');
query($node, 'ALTER FOREIGN TABLE hr.alone ALTER id SET STATISTICS 0,
	ALTER department SET STATISTICS 0, ALTER site SET STATISTICS 0; ANALYZE hr.alone');
is(requested(), 'root.id', 'without any target the rows are counted');
query($node, 'ALTER FOREIGN TABLE hr.alone ALTER id SET STATISTICS -1;
	CREATE STATISTICS hr.both ON (upper(surname)), (lower(email)) FROM hr.alone;
	ANALYZE hr.alone');
is(query($node, q{SELECT string_agg(expr, ' ' ORDER BY expr) FROM pg_stats_ext_exprs
	WHERE null_frac < 0.5}), 'lower(email) upper(surname)',
	'extended statistics have all columns');
requests($sim);
query($node, 'DROP STATISTICS hr.both;
	ALTER FOREIGN TABLE hr.alone ALTER email SET STATISTICS -1,
		ALTER site SET STATISTICS -1; ANALYZE hr.alone (email)');
my $named = int(query($node, 'SHOW server_version_num')) >= 190000;
is(requested(), 'root.email,root.id' . ($named ? '' : ',work.site'),
	$named ? 'only the columns that ANALYZE names' : 'the server does not pass the named columns');
query($node, 'ANALYZE hr.alone');
is(requested(), 'root.email,root.id,work.site', '... and all of them afterwards');

# --- other extensions ------------------------------------------------------------

# A planner hook that refuses every query.
my $directory = PostgreSQL::Test::Utils::tempdir;
open my $file, '>', "$directory/hook.c" or die $!;
print $file q{
#include "postgres.h"
#include "fmgr.h"
#include "optimizer/planner.h"
PG_MODULE_MAGIC;
extern PGDLLEXPORT void _PG_init(void);
static PlannedStmt *
refuse(Query *parse, const char *string, int options, ParamListInfo params
#if PG_VERSION_NUM >= 190000
	, ExplainState *es
#endif
	)
{
	elog(ERROR, "planner called");
	return NULL;
}
void _PG_init(void) { planner_hook = refuse; }
};
close $file;
my ($headers) = run_command([ 'pg_config', '--includedir-server' ]);
(undef, $err) = run_command([ 'gcc', '-shared', '-fPIC', '-w', "-I$headers",
	'-o', "$directory/hook.so", "$directory/hook.c" ]);
ok(-e "$directory/hook.so", 'a planner hook is built') or diag($err);
like((query_error($node, "LOAD '$directory/hook.so'; SELECT count(*) FROM hr.alone"))[1],
	qr/planner called/, '... and used by queries');
is((query_error($node, "LOAD '$directory/hook.so'; ANALYZE hr.alone"))[1], '',
	'... but ANALYZE plans no query');

# --- autovacuum ------------------------------------------------------------------

query($node, q{
	CREATE TABLE hr.sibling () INHERITS (hr.base);
	ALTER TABLE hr.base SET (autovacuum_analyze_threshold = 10,
		autovacuum_analyze_scale_factor = 0);
	ALTER SYSTEM SET autovacuum = on});
reload_settings($node);
requests($sim);
my $before = query($node, q{SELECT autoanalyze_count FROM pg_stat_user_tables WHERE relname = 'base'});
query($node, q{INSERT INTO hr.base SELECT 'y' || n FROM generate_series(1, 1000) n});
my $deadline = time + 120 * ($ENV{HIBOB_TEST_SLOWNESS} // 1);
sleep 0.2 while time < $deadline && query($node, q{SELECT autoanalyze_count
	FROM pg_stat_user_tables WHERE relname = 'base'}) <= $before;
cmp_ok(query($node, q{SELECT autoanalyze_count FROM pg_stat_user_tables WHERE relname = 'base'}),
	'>', $before, 'autovacuum analyzes a parent of a foreign table');
is(scalar(requests($sim)), 0, '... and makes no request');
unlike(slurp_file($node->logfile), qr/automatic analyze[^\n]*\n[^\n]*ERROR|CONTEXT:  automatic analyze/,
	'... nor an error');

done_testing();
