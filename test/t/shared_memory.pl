# The shared memory of the rate limits and of the cluster's statistics is
# bounded: no role can use it up, and entries in use stay.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT employee_id);
use Test::More;

my $ENTRIES = 1000;		# of the limits, as the reference says
my $COUNT = 'SELECT count(*) FROM bob.people';
my $sim = start_simulator(employees => 20);
my $node = new_cluster('shared', q{
shared_preload_libraries = 'hibob_fdw'
log_min_messages = debug1
log_min_error_statement = panic
});

add_server($node, 'bob', $sim, q{max_retries '0', max_rate_limit_wait '0'});
query($node, q{
	CREATE ROLE maker LOGIN;
	GRANT USAGE ON FOREIGN DATA WRAPPER hibob_fdw TO maker;
	CREATE SCHEMA AUTHORIZATION maker;
	-- Runs a query repeatedly, each time with another token.
	CREATE FUNCTION rotate(server text, rounds int, sql text) RETURNS text
	LANGUAGE plpgsql AS $$
	DECLARE
		states text[];
	BEGIN
		FOR i IN 1 .. rounds LOOP
			BEGIN
				EXECUTE format('ALTER USER MAPPING FOR CURRENT_USER SERVER %I
					OPTIONS (SET token %L)', server, 'token-' || i || random());
				EXECUTE sql;
				states := states || '00000'::text;
			EXCEPTION WHEN OTHERS THEN
				states := states || SQLSTATE::text;
			END;
		END LOOP;
		RETURN (SELECT string_agg(DISTINCT s, ',') FROM unnest(states) s);
	END $$});

# The shared memory that is not allocated yet.
sub free_memory
{
	return query($node, 'SELECT allocated_size FROM pg_shmem_allocations
		WHERE name IS NULL');
}

# Another session, which exists before and knows its rate limit.
my $other = $node->background_psql('postgres');
is($other->query($COUNT), 20, 'another session');
my $free = free_memory();
cmp_ok($free, '>', 0, 'there is free shared memory');

# --- a role that can create servers, and an address that is not allowed --------

is(query($node, q{
	SET SESSION AUTHORIZATION maker;
	CREATE SERVER elsewhere FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url 'https://elsewhere.example/v1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere
		OPTIONS (service_user_id 'SERVICE-5772', token 'x');
	CREATE FOREIGN TABLE maker.people (id text) SERVER elsewhere
		OPTIONS (resource 'people');
	SELECT rotate('elsewhere', 3000, 'SELECT count(*) FROM maker.people')}),
	'42501', 'three thousand tokens for an address that is not allowed');
is(free_memory(), $free, '... take no shared memory');
is($other->query($COUNT), 20, '... another session continues');

# --- tokens that are sent -------------------------------------------------------

add_server($node, 'rotated', $sim, q{max_retries '0'});
add_server($node, 'limited', $sim, q{max_retries '0', max_rate_limit_wait '0'});
query($node, q{ALTER USER MAPPING FOR CURRENT_USER SERVER limited
	OPTIONS (SET token 'limited')});
tell($sim, 'config', { token => 'limited', rate_limit => 1, rate_window => 600 });
is(query($node, 'SELECT count(*) FROM limited.people'), 20, 'a limit of one');
requests($sim);
is((query_error($node, 'SELECT count(*) FROM limited.people'))[0], '53400',
	'... is used up');
is(scalar requests($sim), 0, '... which the session knows without a request');
tell($sim, 'config', { token => $TOKEN, rate_limit => 0 });

# A cursor that is open meanwhile: its request is active.
$other->query("BEGIN; DECLARE c CURSOR FOR $COUNT; DECLARE d CURSOR FOR
	SELECT id FROM bob.people; FETCH 1 FROM d");

# Each token takes an entry, and one for its endpoint.
for (1 .. 4)
{
	tell($sim, 'fault', { endpoint => '*', times => undef, status => 403 });
	is(query($node, sprintf q{SELECT rotate('rotated', %d,
			'SELECT count(*) FROM rotated.people')}, $ENTRIES / 5),
		'42501', 'hundreds of tokens');
	tell($sim, 'reset');
	tell($sim, 'config', { token => 'limited' });
	is((query_error($node, 'SELECT count(*) FROM limited.people'))[0], '53400',
		'... entries in use stay');
	is(scalar requests($sim), 0, '... without a request');
	tell($sim, 'reset');
}

# Tokens that are not sent take no entry: twenty were rejected within ten seconds.
# (Each query is cancelled while it waits.)
tell($sim, 'config', { token => 'limited' });
query($node, q{SELECT rotate('rotated', 20, 'SELECT count(*) FROM rotated.people')});
is((query_error($node, 'SELECT count(*) FROM limited.people'))[0], '53400',
	'a limit that is used up');
requests($sim);
$node->psql('postgres', join("\n", map { "ALTER USER MAPPING FOR CURRENT_USER SERVER rotated
	OPTIONS (SET token 'unsent-$_'); SET statement_timeout = 3;
	SELECT count(*) FROM rotated.people; SET statement_timeout = 0;" } 1 .. 1100),
	on_error_stop => 0);
is((query_error($node, 'SELECT count(*) FROM limited.people'))[0], '53400',
	'... stays so after a thousand tokens that were not sent');
is(scalar(grep { $_->{status} != 401 } requests($sim)), 0, '... without a request');
tell($sim, 'reset');
is(free_memory(), $free, 'none of this takes shared memory');
is($other->query('FETCH 1 FROM c; COMMIT'), 20, 'the open cursor continues');
is($other->query($COUNT), 20, '... its session continues');
is(query($node, $COUNT), 20, 'a new session works');
is(query($node, q{SELECT requests >= 800 FROM hibob_fdw_cluster_statistics
	WHERE server = 'rotated'}), 't', 'all requests are counted');

# --- statistics, of the session and of the cluster ------------------------------

query($node, q{SELECT hibob_fdw_cluster_statistics_reset()});
my $id = employee_id(1);
is(query($node, qq{
	DO \$\$ BEGIN
	FOR i IN 1 .. 1100 LOOP
		EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url %L, max_retries %L)', 'brief' || i,
			'http://127.0.0.1:1', 0);
		EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I
			OPTIONS (service_user_id %L, token %L)', 'brief' || i, 'x', 'x');
		EXECUTE format('CREATE FOREIGN TABLE brief (id text) SERVER %I
			OPTIONS (resource %L)', 'brief' || i, 'people');
		BEGIN
			PERFORM FROM brief;
		EXCEPTION WHEN fdw_unable_to_establish_connection THEN NULL;
		END;
		EXECUTE format('DROP SERVER %I CASCADE', 'brief' || i);
		COMMIT;
	END LOOP; END \$\$;
	SELECT count(*), sum(requests), bool_or(endpoint = 'other endpoints')
	  FROM hibob_fdw_statistics}), '1000|1100|t',
	'a session counts a thousand endpoints, and the others together');
is(query($node, 'SELECT count(*) <= 1000 FROM hibob_fdw_cluster_statistics'),
	't', '... the cluster counts a thousand');
is(free_memory(), $free, '... without more shared memory');

$other->quit;
done_testing();
