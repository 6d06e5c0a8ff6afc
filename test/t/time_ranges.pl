# Ranges of time that a resource needs, in ordinary SQL: lists, OR, casts, joins,
# subqueries.  Each query returns the same rows as with a local copy, and makes
# the expected number of requests.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator(employees => 200);
my $node = new_cluster('ranges', 'jit = off');

add_server($node, 'bob', $sim);
add_server($node, 'bill', $sim);
query($node, q{
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (time_off, time_off_changes, payments)
		FROM SERVER bob INTO bob;
	IMPORT FOREIGN SCHEMA hibob LIMIT TO (time_off) FROM SERVER bill INTO bill;
	CREATE SCHEMA copy;
	CREATE TABLE copy.time_off AS SELECT * FROM bob.time_off
		WHERE last_day >= '2020-01-01' AND first_day <= '2030-12-31';
	CREATE TABLE copy.payments AS SELECT * FROM bob.payments;
	CREATE TABLE copy.people AS SELECT * FROM bob.people;

	CREATE TABLE calendar AS SELECT day::date, day AS midnight,
		day::timestamp + interval '9 hours' AS morning
	  FROM generate_series('2026-10-01', '2026-12-30', interval '1 day') day;
	CREATE TABLE quarter (first date, last date, name text);
	INSERT INTO quarter VALUES ('2026-07-01', '2026-09-30', 'Q3'),
		('2026-10-01', '2026-12-31', 'Q4'), (NULL, NULL, 'none');
	CREATE TABLE nothing (day date);
	CREATE TABLE months (day date) PARTITION BY RANGE (day);
	CREATE TABLE months_1 PARTITION OF months FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
	CREATE TABLE months_2 PARTITION OF months FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
	INSERT INTO months SELECT generate_series('2026-03-01', '2026-12-01', interval '1 month');
	CREATE VIEW weeks WITH (security_barrier) AS
		SELECT day AS monday, day + 6 AS sunday FROM calendar WHERE extract(isodow FROM day) = 1;
	CREATE VIEW accounts AS SELECT 'bob' AS account, * FROM bob.time_off
		UNION ALL SELECT 'bill', * FROM bill.time_off;
	CREATE VIEW copy.accounts AS SELECT 'bob' AS account, * FROM copy.time_off
		UNION ALL SELECT 'bill', * FROM copy.time_off;
	CREATE TABLE guarded AS SELECT day FROM calendar;
	ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
	CREATE POLICY half_month ON guarded USING (day < '2026-10-15');
	CREATE POLICY but_the_last ON guarded AS RESTRICTIVE
		USING (day <> (SELECT max(day) FROM calendar));
	CREATE ROLE reader;
	GRANT USAGE ON SCHEMA bob, copy TO reader;
	GRANT SELECT ON bob.time_off, copy.time_off, calendar TO reader;
	GRANT SELECT (day) ON guarded TO reader;
	GRANT USAGE ON FOREIGN SERVER bob TO reader;
	ANALYZE calendar, quarter, months, guarded;
});
query($node, qq{CREATE USER MAPPING FOR reader SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN')});

# A query with {t} for the schema of the table.
sub compare
{
	my ($sql, $requests, $set) = @_;
	my $name = $sql =~ s/\s+/ /gr;
	my ($foreign, $local) = map { $sql =~ s/\{t\}/$_/gr } 'bob', 'copy';
	my $wrap = 'SELECT string_agg(x::text, E\'\n\' ORDER BY x::text) FROM (%s) x';

	$set //= '';
	requests($sim);
	my ($status, $out, $err) = $node->psql('postgres',
		$set . sprintf($wrap, $foreign));
	my $made = requests($sim);
	my $expected = query($node, $set . sprintf($wrap, $local));
	is($err, '', "$name");
	ok($out eq $expected, '... the rows') or diag("got:\n$out\nexpected:\n$expected");
	is($made, $requests, '... the requests');
	return;
}

my $t = '{t}.time_off t';
my $overlap = 't.start_date <= c.day AND t.end_date >= c.day';

# Lists, OR, casts.
compare("SELECT * FROM $t WHERE start_date IN ('2026-11-02', '2026-11-09')", 1);
compare("SELECT * FROM $t WHERE start_date = ANY (ARRAY[date '2026-11-02', NULL])", 1);
compare("SELECT * FROM $t WHERE start_date = ANY ('{}'::date[])", 0);
compare("SELECT * FROM $t WHERE start_date = ANY (NULL::date[])", 0);
compare("SELECT * FROM $t WHERE start_date = ANY (ARRAY(SELECT day FROM calendar))", 1);
compare("SELECT * FROM $t WHERE start_date = ANY (ARRAY(SELECT midnight FROM calendar))", 1);
compare("SELECT * FROM $t WHERE (start_date, end_date) IN (('2026-11-02', '2026-11-06'),
	('2026-11-09', '2026-11-13'))", 1);
compare("SELECT * FROM $t WHERE (end_date >= '2026-10-01' AND start_date <= '2026-10-07')
	OR (end_date >= '2026-12-01' AND start_date <= '2026-12-07')", 1);
compare("SELECT * FROM $t WHERE start_date = '2026-11-02' OR start_date = '2026-11-09'
	OR start_date BETWEEN '2026-11-20' AND '2026-11-22'", 1);
compare("SELECT * FROM $t WHERE start_date BETWEEN SYMMETRIC '2026-11-30' AND '2026-11-02'", 1);
compare("SELECT * FROM $t WHERE start_date = NULL::date OR start_date = '2026-11-09'", 1);
compare("SELECT * FROM $t WHERE end_date::timestamp >= '2026-11-01 12:00'
	AND start_date::timestamptz < '2026-11-30'", 1);
compare("SELECT * FROM $t WHERE end_date::timestamp > '2026-11-01 12:00'
	AND start_date::timestamptz <= '2026-11-30'", 1, "SET timezone = 'Pacific/Apia';");
compare("SELECT * FROM $t WHERE end_date > date '2026-11-01' AND start_date < timestamp '2026-11-30'", 1,
	"SET timezone = 'America/Los_Angeles';");

# An absence that has no end yet has an infinite last day.
is(query($node, q{SELECT count(*) > 1 FROM copy.time_off
		WHERE last_day = 'infinity' AND first_day BETWEEN '2026-01-01' AND '2026-11-24'}),
	't', 'there are absences without an end');
compare("SELECT * FROM $t WHERE first_day <= '2026-11-24' AND last_day = 'infinity'", 1);
compare("SELECT * FROM $t WHERE first_day BETWEEN '2026-01-01' AND '2026-11-24'
	AND last_day >= timestamptz 'infinity'", 1);
compare("SELECT * FROM $t WHERE first_day < '2026-11-24' AND last_day = ANY ('{infinity,NULL}'::date[])", 1);
compare("SELECT * FROM $t WHERE first_day <= '2026-11-24' AND (last_day = 'infinity'
	OR last_day BETWEEN '2026-11-24' AND '2026-11-25')", 1);
compare("SELECT c.day, t.* FROM calendar c, LATERAL (SELECT * FROM $t WHERE t.first_day <= c.day
	AND t.last_day = date 'infinity' OFFSET 0) t WHERE c.day = '2026-11-24'", 1);
compare("SELECT * FROM $t WHERE first_day <= '2026-11-24' AND last_day > 'infinity'", 0);
compare("SELECT * FROM $t WHERE start_date <= '2026-11-24' AND end_date = 'infinity'", 0);
compare("SELECT * FROM $t WHERE first_day = '-infinity' AND last_day >= '2026-11-24'", 1);
is((query_error($node, q{SELECT * FROM bob.time_off WHERE last_day = 'infinity'}))[0], 'HV00L',
	'an infinite last day alone is no range');

# Joins.
foreach my $set ('', 'SET enable_nestloop = off;', 'SET enable_hashjoin = off; SET enable_mergejoin = off;',
	'SET enable_material = off; SET enable_hashjoin = off;')
{
	compare("SELECT c.day, t.* FROM calendar c JOIN $t ON $overlap", 1, $set);
	compare("SELECT c.day, t.* FROM calendar c JOIN $t ON t.start_date = c.day", 1, $set);
	compare("SELECT c.day, t.* FROM calendar c LEFT JOIN $t ON $overlap", 1, $set);
	compare("SELECT c.day, t.* FROM $t RIGHT JOIN calendar c ON $overlap AND t.type = 'days'", 1, $set);
	compare("SELECT * FROM $t WHERE start_date IN (SELECT day FROM calendar)", 1, $set);
	compare("SELECT day FROM calendar c WHERE EXISTS (SELECT FROM $t WHERE $overlap)", 1, $set);
	compare("SELECT day FROM calendar c WHERE NOT EXISTS (SELECT FROM $t WHERE $overlap)", 1, $set);
}
compare("SELECT q.name, t.* FROM quarter q JOIN $t ON t.end_date >= q.first AND t.start_date <= q.last", 1);
compare("SELECT n.day, t.* FROM nothing n JOIN $t ON t.start_date = n.day", 0);
compare("SELECT n.day, t.* FROM nothing n RIGHT JOIN calendar c USING (day)
	LEFT JOIN $t ON t.start_date <= n.day AND t.end_date >= n.day", 0);
compare("SELECT m.day, t.* FROM months m JOIN $t ON t.start_date >= m.day
	AND t.start_date < m.day + interval '1 month'", 1);
compare("SELECT w.monday, t.* FROM weeks w JOIN $t ON t.start_date <= w.sunday AND t.end_date >= w.monday", 1);
compare("SELECT c.morning, t.* FROM calendar c JOIN $t ON t.start_date <= c.morning
	AND t.end_date >= c.midnight WHERE c.day < '2026-10-10'", 1);
compare("SELECT v.day, t.* FROM (VALUES (date '2026-11-02'), ('2026-11-09'), (NULL)) v (day)
	JOIN $t ON t.start_date <= v.day + 6 AND t.end_date >= v.day", 1);
compare("SELECT g::date, t.* FROM generate_series(date '2026-10-01', '2026-12-01', interval '1 month') g
	LEFT JOIN $t ON t.start_date <= g AND t.end_date >= g", 1);
compare("WITH d AS MATERIALIZED (SELECT day FROM calendar) SELECT a.day, t.* FROM d a JOIN d b
	ON b.day = a.day + 3 JOIN $t ON t.start_date >= a.day AND t.end_date <= b.day", 1);
compare("SELECT c.day, t.* FROM calendar c CROSS JOIN LATERAL (SELECT * FROM $t WHERE $overlap) t", 1);
compare("SELECT c.day, t.* FROM calendar c CROSS JOIN LATERAL (SELECT count(*) FROM $t WHERE $overlap) t", 1);
compare("SELECT c.day, t.* FROM calendar c LEFT JOIN LATERAL (SELECT * FROM $t WHERE $overlap
	ORDER BY request_id LIMIT 1) t ON true", 1);

# Outer queries.
compare("SELECT day, (SELECT count(*) FROM $t WHERE $overlap) FROM calendar c WHERE day < '2026-11-01'", 1);
compare("SELECT day, (SELECT count(*) FROM $t WHERE t.start_date IN (c.day, c.day + 1)) FROM calendar c
	WHERE c.day IN ('2026-11-02', '2026-11-03')", 2);
compare("SELECT name, (SELECT count(*) FROM $t WHERE t.start_date BETWEEN q.first AND q.last) FROM quarter q", 1);
compare("SELECT name, (SELECT sum((SELECT count(*) FROM $t WHERE t.start_date <= c.day
	AND t.end_date >= q.last)) FROM calendar c WHERE c.day BETWEEN q.first AND q.last) FROM quarter q", 1);
compare("SELECT p.id, p.start_date FROM {t}.people p WHERE EXISTS (SELECT FROM $t
	WHERE t.employee_id = p.id AND t.start_date >= p.start_date AND t.start_date < p.start_date + 3000)", 2);

# Two tables in one bound: a request for each of their rows, none for NULL.
compare("SELECT q.name, c.day, t.* FROM quarter q JOIN calendar c ON c.day = q.last - 10
	JOIN $t ON t.start_date >= greatest(q.first, c.day) AND t.start_date <= least(q.last, c.day)", 1);

# Values that no row of the table gives: an outer join and a grouping set add nulls.
compare("SELECT c.day, t.* FROM calendar c LEFT JOIN nothing n ON n.day = c.day
	JOIN $t ON t.start_date = coalesce(n.day, date '2026-10-14') WHERE c.day < '2026-10-10'", 1);
compare("SELECT c.day, t.* FROM calendar c LEFT JOIN nothing n ON n.day = c.day
	LEFT JOIN $t ON t.start_date = coalesce(n.day, c.day) WHERE c.day < '2026-10-10'", 9);
compare("SELECT c.day, t.* FROM calendar c LEFT JOIN nothing n ON n.day = c.day
	LEFT JOIN $t ON t.start_date = n.day + 1", 0);
compare("SELECT c.day, (SELECT count(*) FROM $t WHERE t.start_date =
	coalesce(n.day, date '2026-10-14')) FROM calendar c LEFT JOIN nothing n ON n.day = c.day", 1);
compare("SELECT c.day, (SELECT count(*) FROM $t WHERE t.start_date =
	coalesce(c.day, date '2026-10-14')) FROM calendar c WHERE c.day > '2026-12-28'
	GROUP BY ROLLUP (c.day)", 3);

# Tables that are not read again: they may have other rows then.
compare("SELECT s.day, t.* FROM (SELECT day FROM calendar ORDER BY day LIMIT 3) s
	LEFT JOIN $t ON t.start_date = s.day", 3);
compare("SELECT s.day, t.* FROM (SELECT day, row_number() OVER (ORDER BY day) AS n
	FROM calendar) s LEFT JOIN $t ON t.start_date = s.day WHERE n < 4", 3);
is(query($node, "SELECT s.day FROM (SELECT day FROM calendar TABLESAMPLE bernoulli (5)
		GROUP BY day) s LEFT JOIN bob.time_off t ON t.first_day <= s.day AND t.last_day >= s.day
		WHERE t.request_id IS NULL AND EXISTS (SELECT FROM copy.time_off c
			WHERE c.first_day <= s.day AND c.last_day >= s.day)"), '',
	'a sample: no day loses its absences')
  foreach 1 .. 5;
compare("WITH d AS MATERIALIZED (SELECT day FROM calendar WHERE day < '2026-10-04')
	SELECT s.day, t.* FROM (SELECT day FROM d GROUP BY day) s
	JOIN $t ON t.start_date = s.day", 3);

# A foreign table that has one more day each time it is read, also as a partition
# and in a view: each day has its absences.
my $dir = PostgreSQL::Test::Utils::tempdir;
my $file = "$dir/days";
# Two scans may start the program at the same time.
append_to_file("$dir/grow", <<"END");
exec 9>"$file.lock"
flock 9
date -d "2026-10-01 \$((\$(wc -l <"$file") * 7)) days" +%F >>"$file"
cat "$file"
END
query($node, qq{CREATE EXTENSION file_fdw;
	CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
	CREATE TABLE days (day date) PARTITION BY RANGE (day);
	CREATE FOREIGN TABLE growing PARTITION OF days
		FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') SERVER files
		OPTIONS (program 'sh $dir/grow');
	CREATE VIEW grown AS SELECT day FROM growing GROUP BY day});
foreach my $table ('growing', 'days', 'grown', '(SELECT day FROM days OFFSET 0)',
	'(SELECT day FROM calendar UNION SELECT day FROM growing)')
{
	foreach my $sql ("SELECT c.day, count(t.request_id) AS n FROM $table c LEFT JOIN bob.time_off t
		ON $overlap GROUP BY c.day",
		"SELECT c.day, (SELECT count(*) FROM bob.time_off t WHERE $overlap) AS n FROM $table c")
	{
		open my $days, '>', $file or die $!;
		print $days map { "2026-10-0$_\n" } 1 .. 3;
		close $days;
		chmod 0666, $file;
		is(query($node, "SELECT day, n FROM ($sql) c WHERE n <>
				(SELECT count(*) FROM copy.time_off t WHERE $overlap)"), '',
			"another row the second time: $table") or diag($sql);
		cmp_ok(scalar(() = slurp_file($file) =~ /\n/g), '>', 3, '... is a new one');
	}
}
compare("WITH d AS MATERIALIZED (SELECT day FROM growing) SELECT c.day, t.* FROM d c
	JOIN $t ON $overlap WHERE c.day <= '2026-10-03'", 1);

# One of this extension is read once: its scan and the range share a result.
compare("SELECT p.id, t.request_id FROM {t}.people p JOIN $t
	ON t.employee_id = p.id AND t.first_day >= p.start_date AND t.first_day < p.start_date + 3000
	WHERE p.status = 'Active'", 2, $_)
  foreach '', 'SET enable_hashjoin = off; SET enable_mergejoin = off;';
compare("SELECT p.id, (SELECT count(*) FROM $t WHERE t.first_day >= p.start_date
	AND t.first_day < p.start_date + 3000) FROM {t}.people p WHERE p.status = 'Active'", 2);
compare("SELECT p.id, x.n FROM {t}.people p, LATERAL (SELECT count(*) AS n FROM $t
	WHERE t.first_day >= p.start_date AND t.first_day < p.start_date + 3000) x", 2);

# If the two would send other conditions, each row is a request.
my $some = query($node, q{SELECT string_agg(quote_literal(id), ', ') FROM
	(SELECT id FROM copy.people WHERE start_date IS NOT NULL ORDER BY id LIMIT 3) p});
compare("SELECT p.id, (SELECT count(*) FROM $t WHERE t.first_day >= p.start_date
	AND t.first_day < p.start_date + 3000) FROM copy.people q
	JOIN {t}.people p ON p.id = q.id AND p.email = q.email WHERE q.id IN ($some)", 4);

# A table that needs a range itself gives none.
compare("SELECT a.request_id, b.request_id FROM {t}.time_off a
	JOIN {t}.time_off b ON b.start_date = a.start_date
	JOIN calendar c ON c.day = a.start_date WHERE c.day < '2026-10-20'", 1);
compare("SELECT a.request_id, (SELECT count(*) FROM $t WHERE t.start_date = a.start_date)
	FROM {t}.time_off a JOIN calendar c ON c.day = a.start_date
	WHERE c.day < '2026-10-08'", 3);

# Conditions that a resource does not need cause no request for each row.
compare("SELECT c.day, x.* FROM calendar c JOIN {t}.payments x ON x.pay_date = c.day", 5);

# Several accounts.
requests($sim);
is(query($node, "SELECT count(*) FROM calendar c JOIN accounts t ON $overlap"),
	query($node, "SELECT count(*) FROM calendar c JOIN copy.accounts t ON $overlap"), 'UNION ALL');
is(scalar requests($sim), 2, '... a request for each account');

# Policies apply to the range, too: the role sees half a month.
compare("SELECT g.day, t.* FROM guarded g JOIN $t ON t.start_date = g.day", 14,
	'SET ROLE reader;');
is((query_error($node, "SET ROLE reader; SELECT count(*) FROM quarter q
		JOIN bob.time_off t ON t.start_date BETWEEN q.first AND q.last"))[0], '42501',
	'no right to read the other table');

# Cached plans, and values that change between executions.
query($node, "PREPARE p (date) AS SELECT count(*) FROM calendar c JOIN bob.time_off t
	ON $overlap WHERE c.day > \$1; SET plan_cache_mode = force_generic_plan;
	EXECUTE p ('2026-11-01'); EXECUTE p ('2026-12-01')");
requests($sim);
is(query($node, "SET plan_cache_mode = force_generic_plan;
		PREPARE p (date) AS SELECT count(*) FROM calendar c JOIN bob.time_off t
		ON $overlap WHERE c.day > \$1; EXECUTE p ('2026-12-10'); EXECUTE p ('2026-11-01')"),
	query($node, "PREPARE p (date) AS SELECT count(*) FROM calendar c JOIN copy.time_off t
		ON $overlap WHERE c.day > \$1; EXECUTE p ('2026-12-10'); EXECUTE p ('2026-11-01')"),
	'a prepared statement');
like(join(' ', map { $_->{query}{from} } requests($sim)), qr/2026-12-11.*2026-11-02/,
	'... with the range of its parameter');

# A query that cannot be read has a hint.
my ($state, $message) = query_error($node, "SELECT * FROM calendar c FULL JOIN bob.time_off t
	ON t.start_date = c.day");
is($state, 'HV00L', 'a full join');
like($message, qr/HINT:.*LATERAL/s, '... has a hint');
is((query_error($node, 'SELECT count(*) FROM bob.time_off'))[0], 'HV00L', 'no condition');
is((query_error($node, q{SELECT count(*) FROM bob.time_off
		WHERE start_date = '2026-11-01' OR type = 'days'}))[0], 'HV00L',
	'an arm of an OR without a range');

done_testing();
