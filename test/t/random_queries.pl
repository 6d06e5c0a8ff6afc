# Thousands of random queries of foreign tables and of local copies: the rows have
# to be the same, with remote conditions, parameterized scans, shared and cached
# results, and batches.
#
# One run has a fixed seed, the other one a random seed, which is printed.
# HIBOB_TEST_SEED and HIBOB_TEST_QUERIES set the random seed and its number of
# queries:
#   HIBOB_TEST_SEED=7 HIBOB_TEST_QUERIES=50000

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use RandomQueries qw(random_queries);
use Test::More;

my $FIXED = 20261124;
my $QUERIES = 1500;
my $BATCH = 250;
my $PEOPLE = 150;

# Employees with unusual values.
my %odd = (40 => undef, 41 => '', 42 => 'BIG.Letters42@EXAMPLE.com',
	43 => 'q\'uote"43@example.com', 44 => 'back\\slash44@example.com',
	45 => 'per%2Fcent45@example.com', 46 => 'blank 46@example.com',
	47 => "\x{fc}ml\x{e4}ut47\@example.com", 48 => 'nobody48', 49 => ' lead49@example.com',
	50 => 'trail50@example.com ', 51 => '../51', 52 => 'a/b52@example.com');
my %overrides = map { ($_ => { 'root.email' => $odd{$_} }) } keys %odd;
$overrides{60} = { 'work.department' => undef, 'work.isManager' => undef,
	'root.fullName' => '', 'work.startDate' => undef };

my $sim = start_simulator(employees => $PEOPLE);
my $node = new_cluster('random_queries', "jit = off\nwork_mem = '256kB'");
tell($sim, 'config', { overrides => \%overrides });

# ----------------------------------------------------------------------------
# The tables and their copies
# ----------------------------------------------------------------------------

query($node, q{CREATE COLLATION loose
	(provider = icu, locale = 'und-u-ks-level2', deterministic = false)});
add_server($node, 'bob', $sim);
add_server($node, 'cheap', $sim, q{fdw_startup_cost '1', fdw_tuple_cost '50'});
add_server($node, 'other', $sim);

my $columns = q{(id text NOT NULL, email text, full_name text, department text,
	site text, manager_id text, status text,
	email_c text OPTIONS (field 'root.email') COLLATE "C",
	email_v varchar(200) OPTIONS (field 'root.email'),
	email_loose text OPTIONS (field 'root.email') COLLATE loose,
	id_n bigint OPTIONS (field 'root.id'), employee_number bigint,
	direct_reports int, weekly_hours numeric, fte numeric, is_manager boolean,
	start_date date, termination_date date, created_at timestamp)};
my %tables = (plain => [ 'bob', '' ], parameterized => [ 'cheap', '' ],
	batches => [ 'bob', q{, batch_size '40'} ],
	cached => [ 'bob', q{, cache_ttl '1min'} ],
	active => [ 'bob', q{, show_inactive 'false'} ], another => [ 'other', '' ]);

foreach my $name (sort keys %tables)
{
	my ($server, $options) = @{ $tables{$name} };
	query($node, qq{CREATE FOREIGN TABLE $name $columns SERVER $server
		OPTIONS (resource 'people', on_missing_field 'ignore'$options)});
}
query($node, q{
	CREATE FOREIGN TABLE history (employee_id text, id bigint, effective_date date,
		is_current boolean, job_title_id text) SERVER bob
		OPTIONS (resource 'work_history', on_missing_field 'ignore');
	CREATE TABLE copy AS SELECT * FROM plain;
	ALTER TABLE copy ADD PRIMARY KEY (id);
	CREATE TABLE history_copy AS SELECT * FROM history;
	CREATE VIEW active_copy AS SELECT * FROM copy WHERE status = 'Active';
	CREATE VIEW accounts AS SELECT * FROM plain UNION ALL SELECT * FROM another;
	CREATE VIEW accounts_copy AS SELECT * FROM copy UNION ALL SELECT * FROM copy;
	CREATE VIEW guarded WITH (security_barrier) AS
		SELECT * FROM parameterized WHERE status = 'Active';
	CREATE TABLE licence AS SELECT 'app ' || n % 20 AS app,
		CASE WHEN n % 11 <> 0 THEN c.id END AS person,
		CASE n % 4 WHEN 0 THEN upper(c.email) WHEN 1 THEN lower(c.email)
			ELSE c.email END AS email,
		ARRAY[c.id, NULL, c.manager_id] AS persons, n::bigint AS number
	  FROM generate_series(1, 90) n
	  LEFT JOIN copy c ON c.employee_number = n * 7 % 170;
	ANALYZE copy, history_copy, licence;
});

# The foreign tables and their copies.
my @pairs = map { [ split / / ] } ('plain copy') x 4,
  ('parameterized copy') x 4, ('batches copy') x 2, ('cached copy') x 2, 'active active_copy',
  'accounts accounts_copy', 'guarded active_copy';
my @settings = ('', '', '', 'enable_hashjoin=off', 'enable_nestloop=off',
	'enable_hashjoin=off,enable_mergejoin=off', 'enable_material=off,enable_hashjoin=off',
	'enable_hashjoin=off,enable_mergejoin=off,enable_memoize=off',
	'enable_async_append=off', 'work_mem=64kB', 'plan_cache_mode=force_generic_plan',
	'plan_cache_mode=force_custom_plan', 'enable_hashagg=off,enable_nestloop=off');

my %values;
foreach my $column (qw(id email full_name department site manager_id status start_date))
{
	$values{$column} = [ split /\x1e/, query($node,
		qq{SELECT string_agg(DISTINCT $column\:\:text, E'\\x1e') FROM copy}) ];
}

# ----------------------------------------------------------------------------
# Queries
# ----------------------------------------------------------------------------

query($node, q{
	CREATE TABLE differs (query text, got text, expected text);
	CREATE TABLE tally (queries bigint, rows bigint, errors bigint);
	CREATE TABLE random_query (n int, settings text, kind text, query text,
		foreign_query text, copy_query text, rest text[]);

	-- The rows of a query as text, or the SQLSTATE of its error.
	CREATE FUNCTION result(kind text, query text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
	BEGIN
		EXECUTE format('SELECT string_agg(t::text, E''\n'' %s) FROM (%s) t',
			CASE WHEN kind <> 'ordered' THEN 'ORDER BY t::text COLLATE "C"' END, query)
		   INTO result;
		RETURN coalesce(result, '');
	EXCEPTION WHEN OTHERS THEN
		RETURN 'error ' || SQLSTATE;
	END $$;

	-- The same of a prepared statement, for each list of arguments.
	CREATE FUNCTION results(query text, type text, arguments text[]) RETURNS text
	LANGUAGE plpgsql AS $$
	DECLARE
		result text;
		one text;
		argument text;
	BEGIN
		EXECUTE format('PREPARE p (%s) AS SELECT string_agg(t::text, E''\n'''
			' ORDER BY t::text COLLATE "C") FROM (%s) t', type, query);
		FOREACH argument IN ARRAY arguments LOOP
			BEGIN
				EXECUTE format('EXECUTE p (%s)', argument) INTO one;
			EXCEPTION WHEN OTHERS THEN
				one := 'error ' || SQLSTATE;
			END;
			result := concat(result, E'\n--\n', one);
		END LOOP;
		DEALLOCATE p;
		RETURN result;
	END $$;

	-- The results of the foreign table and of the copy.
	CREATE FUNCTION compare(a random_query, OUT got text, OUT expected text)
	LANGUAGE plpgsql AS $$
	BEGIN
		CASE a.kind
			WHEN 'prepared' THEN
				got := results(a.foreign_query, a.rest[1], a.rest[2:]);
				expected := results(a.copy_query, a.rest[1], a.rest[2:]);
			WHEN 'limited' THEN
				got := result('rows', 'SELECT count(*) FROM (' || a.foreign_query
					|| ' ' || a.rest[1] || ') x');
				expected := result('rows', 'SELECT count(*) FROM (' || a.copy_query
					|| ' ' || a.rest[1] || ') x');
				-- LIMIT may return any rows, but only rows of the query.
				IF got = expected AND got NOT LIKE 'error%' THEN
					got := got || result('rows', format(
						'SELECT * FROM (SELECT x::text FROM (%s %s) x) x EXCEPT ALL '
						'SELECT y::text FROM (%s) y', a.foreign_query, a.rest[1],
						a.copy_query));
				END IF;
			ELSE
				got := result(a.kind, a.foreign_query);
				expected := result(a.kind, a.copy_query);
		END CASE;
	END $$;

	-- Some lines that only one of two texts contains.
	CREATE FUNCTION more_lines(a text, b text) RETURNS text AS $$
		SELECT left(coalesce(string_agg(line, E'\n'), 'the same lines'), 500) FROM (
			SELECT string_to_table(a, E'\n') AS line
			EXCEPT ALL SELECT string_to_table(b, E'\n')) x
	$$ LANGUAGE sql;

	CREATE PROCEDURE run_all() LANGUAGE plpgsql AS $$
	DECLARE
		a random_query;
		got text;
		expected text;
		setting text;
		n bigint := 0;
		rows bigint := 0;
		errors bigint := 0;
	BEGIN
		FOR a IN SELECT * FROM random_query q ORDER BY q.n LOOP
			FOREACH setting IN ARRAY string_to_array(a.settings, ',') LOOP
				PERFORM set_config(split_part(setting, '=', 1),
					split_part(setting, '=', 2), false);
			END LOOP;
			SELECT * INTO got, expected FROM compare(a);
			IF got IS DISTINCT FROM expected THEN
				INSERT INTO differs VALUES (concat_ws(' ', a.foreign_query,
					a.rest::text, '-- ' || a.settings), more_lines(got, expected),
					more_lines(expected, got));
			END IF;
			n := n + 1;
			rows := rows + cardinality(string_to_array(expected, E'\n'));
			errors := errors + (expected LIKE 'error%')::int;
			RESET ALL;
		END LOOP;
		INSERT INTO tally VALUES (n, rows, errors);
	END $$;
});

sub csv
{
	return join(',', map { '"' . s/"/""/gr . '"' } @_) . "\n";
}

sub run
{
	my ($seed, $n) = @_;
	my @queries = random_queries($seed, $n, \%values);
	my $file = PostgreSQL::Test::Utils::tempdir . '/queries';
	my $i = 0;

	query($node, 'TRUNCATE differs, tally');
	while (my @batch = splice @queries, 0, $BATCH)
	{
		open my $out, '>:raw', $file or die "$file: $!";
		foreach (@batch)
		{
			my ($kind, $query, @rest) = @$_;
			my ($table, $copy) = @{ $pairs[ rand @pairs ] };
			my $rest = '{' . join(',', map { '"' . s/([\\"])/\\$1/gr . '"' } @rest) . '}';

			print $out csv($i++, $settings[ rand @settings ], $kind, $query,
				$query =~ s/\{p\}/$table/gr =~ s/\{h\}/history/gr,
				$query =~ s/\{p\}/$copy/gr =~ s/\{h\}/history_copy/gr, $rest);
		}
		close $out;
		# HiBob may return more rows than the request names.
		tell($sim, 'config', { email_filter_ignores_case =>
			  $i / $BATCH % 2 ? JSON::PP::true : JSON::PP::false });
		query($node, qq{TRUNCATE random_query;
			COPY random_query FROM '$file' (FORMAT csv); CALL run_all()});
	}
	return split /\|/, query($node,
		'SELECT sum(queries), sum(rows), sum(errors) FROM tally');
}

sub check
{
	my ($name, $seed, $n) = @_;
	my $start = time;
	my ($queries, $rows, $errors) = run($seed, $n);

	is($queries, $n, "$name seed: all queries ran");
	is(query($node, q{SELECT query || E'\nmore:    ' || got || E'\nmissing: ' || expected
		FROM differs LIMIT 5}), '', '... with the same rows');
	cmp_ok($rows, '>', $n, '... on average more than one row');
	cmp_ok($errors, '<', $n / 20, '... and few errors');
	note "seed $seed: $queries queries, $rows rows, $errors errors, "
	  . query($node, 'SELECT count(*) FROM differs') . ' differ; '
	  . (time - $start) . ' s';
	return;
}

check('the fixed', $FIXED, $QUERIES) unless defined $ENV{HIBOB_TEST_SEED};

my $seed = $ENV{HIBOB_TEST_SEED} // (time ^ $$ << 8) & 0x7fffffff;
diag "random seed: HIBOB_TEST_SEED=$seed";
check('the random', $seed, $ENV{HIBOB_TEST_QUERIES} // $QUERIES);

done_testing();
