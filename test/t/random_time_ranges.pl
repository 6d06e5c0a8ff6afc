# Random queries that take the range of time of an absence from other tables:
# joins, outer joins, subqueries, grouping sets, nulls.  Each returns the same rows
# as with a local copy, or the error that there is no range.
#
# HIBOB_TEST_SEED and HIBOB_TEST_QUERIES set the seed and the number of queries.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $QUERIES = $ENV{HIBOB_TEST_QUERIES} // 250;
my $SEED = $ENV{HIBOB_TEST_SEED} // 20261130;

my $sim = start_simulator(employees => 200);
my $node = new_cluster('random_ranges', 'jit = off');

add_server($node, 'bob', $sim);
query($node, q{
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (time_off) FROM SERVER bob INTO bob;
	CREATE SCHEMA copy;
	CREATE TABLE copy.time_off AS SELECT * FROM bob.time_off
		WHERE last_day >= '2020-01-01' AND first_day <= '2030-12-31';
	CREATE TABLE calendar AS SELECT day::date
	  FROM generate_series('2026-10-01', '2026-12-30', interval '1 day') day;
	CREATE TABLE nothing (day date);
	CREATE TABLE odd (day date, last date, kind text);
	INSERT INTO odd VALUES ('2026-10-05', '2026-10-09', 'a'), ('2026-11-09', NULL, 'b'),
		(NULL, '2026-12-01', 'a'), ('2026-09-14', '2026-09-10', 'c'),
		('2026-12-24', '2026-12-24', 'b');
	ANALYZE calendar, nothing, odd;

	-- The rows of a query as text, or its error.
	CREATE FUNCTION result(query text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
	BEGIN
		EXECUTE format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C")'
			' FROM (%s) x', query) INTO result;
		RETURN coalesce(result, '');
	EXCEPTION WHEN OTHERS THEN
		RETURN 'error ' || SQLSTATE;
	END $$;
});

sub pick { return $_[ int rand @_ ] }

# A table with a column "day".
sub table
{
	my ($name) = @_;

	return pick("odd $name", "calendar $name", ("nothing $name") x 2,
		("(SELECT day FROM calendar WHERE day > '2026-12-20') $name") x 2,
		"(SELECT day FROM calendar WHERE day < '2026-10-20' UNION ALL SELECT day FROM odd) $name",
		"(SELECT max(day) AS day, kind FROM odd GROUP BY kind) $name",
		"(SELECT day FROM calendar ORDER BY day LIMIT 5) $name",
		"(SELECT last AS day, kind FROM odd OFFSET 0) $name",
		"(VALUES (date '2026-10-07'), (NULL), ('2026-10-14')) $name (day)");
}

# A value of one or two of some tables.
sub value
{
	my ($x, $y) = (pick(@_), pick(@_));

	return pick(("$x.day") x 3, "$x.day + 3", "$x.day - 1", "$x.day::timestamptz",
		"$x.day::timestamp + interval '12 hours'", ("coalesce($x.day, date '2026-10-14')") x 5,
		"greatest($x.day, date '2026-10-01')", "least($x.day, $y.day)",
		"coalesce($x.day, $y.day)", "date '2026-10-14'", "nullif($x.day, date '2026-10-07')",
		"CASE WHEN $x.day > '2026-10-10' THEN $x.day ELSE date '2026-10-08' END");
}

# A condition on the absences "t".
sub range
{
	my ($v, $w) = (value(@_), value(@_));

	return pick("t.start_date = $v", "t.start_date <= $v AND t.end_date >= $w",
		"t.start_date <= $v AND t.end_date >= $v", "t.start_date BETWEEN $v AND $w",
		"t.start_date >= $v AND t.start_date < $v + interval '5 days'",
		"(t.start_date = $v OR t.start_date = $w)", "$v = t.end_date",
		"t.start_date IN ($v, $w)", "t.start_date > $v AND t.end_date < $w",
		"t.start_date::timestamp = $v");
}

sub random_query
{
	my ($one, $other) = (table('a'), table('b'));
	my $two = "$one " . pick('JOIN', ('LEFT JOIN') x 2, 'RIGHT JOIN', 'FULL JOIN')
	  . " $other ON " . pick('a.day = b.day', 'a.day = b.day + 1');
	my $join = pick('JOIN', 'LEFT JOIN') . ' {t} t ON ';
	my $where = pick('true', "a.day > '2026-10-03'", 'a.day IS NOT NULL',
		"(a.day < '2026-11-15' OR a.day IS NULL)");
	my $t = 't.request_id, t.start_date';
	my $count = 'SELECT count(*) FROM {t} t WHERE';

	return pick(
		"SELECT a.day, $t FROM $one $join " . range('a') . " WHERE $where",
		"SELECT a.day, b.day AS d, $t FROM $two $join " . range('a', 'b') . " WHERE $where",
		("SELECT a.day, b.day AS d, $t FROM $two $join " . range('b') . " WHERE $where") x 3,
		"SELECT b.day, $t FROM $one $join " . range('a') . " RIGHT JOIN $other ON b.day = t.start_date",
		"SELECT a.day, b.day AS d, $t FROM $one $join " . range('a')
		  . " LEFT JOIN $other ON b.day = t.end_date WHERE $where",
		"SELECT a.day, t.request_id, u.request_id AS u FROM $one $join " . range('a')
		  . " LEFT JOIN {t} u ON u.start_date = t.start_date WHERE $where",
		"SELECT a.day, ($count " . range('a') . ") FROM $one WHERE $where",
		"SELECT a.day, b.day AS d, ($count " . range('a', 'b') . ") FROM $two WHERE $where",
		"SELECT a.day, ($count " . range('a') . ") FROM $one WHERE $where GROUP BY "
		  . pick('ROLLUP (a.day)', 'a.day', 'CUBE (a.day)'),
		"SELECT a.day, (SELECT sum(($count " . range('a', 'b') . ")) FROM $other) FROM $one",
		"SELECT a.day FROM $one WHERE $where AND " . pick('', 'NOT ')
		  . 'EXISTS (SELECT FROM {t} t WHERE ' . range('a') . ')',
		"SELECT a.day FROM $one WHERE a.day " . pick('', 'NOT ')
		  . 'IN (SELECT t.start_date FROM {t} t WHERE ' . range('a') . ')',
		"SELECT a.day, x.* FROM $one LEFT JOIN LATERAL (SELECT $t FROM {t} t WHERE "
		  . range('a') . " ORDER BY 1 LIMIT 2) x ON true WHERE $where");
}

my @settings = ('', '', 'SET enable_nestloop = off;',
	'SET enable_hashjoin = off; SET enable_mergejoin = off;',
	'SET enable_material = off; SET enable_hashjoin = off;',
	'SET enable_memoize = off; SET enable_hashjoin = off;',
	"SET timezone = 'Pacific/Apia';");
my %outcomes = ('same' => 0, 'no rows' => 0, 'no range' => 0);
my @differ;

srand $SEED;
foreach (1 .. $QUERIES)
{
	my $query = random_query();
	my $set = pick(@settings);
	my ($foreign, $local) = map { $query =~ s/\{t\}/$_.time_off/gr } 'bob', 'copy';
	my $outcome = query($node, qq{$set
		SELECT CASE WHEN a = 'error HV00L' THEN 'no range' WHEN a <> b THEN 'differs'
			WHEN a = '' THEN 'no rows' ELSE 'same' END
		  FROM (SELECT result(\$q\$$foreign\$q\$) AS a, result(\$q\$$local\$q\$) AS b) x});

	$outcomes{$outcome}++;
	push @differ, "$set $query" if $outcome eq 'differs';
}
is(join("\n", @differ), '', "seed $SEED: the same rows");
cmp_ok($outcomes{same}, '>', $QUERIES / 2, '... of which there are some');
cmp_ok($outcomes{'no range'}, '<', $QUERIES / 10, '... and few queries without a range');
note join ', ', map { "$outcomes{$_} $_" } sort keys %outcomes;

done_testing();
