# Random queries of people: conditions with all kinds of operators, nulls,
# collations, joins, subqueries, LIMIT, parameters.  The same seed gives the same
# queries.
#
# A query is a text with {p} for the table of people and {h} for their history, so
# that it can run with foreign tables and with copies.  Queries also use a local
# table licence (app, person, email, persons text[], number bigint).
package RandomQueries;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(random_queries);

my %values;		# by column: values that there are

sub pick { return $_[ int rand @_ ] }

sub chance { return rand() < $_[0] }

sub quoted
{
	my ($text) = @_;
	return 'NULL' unless defined $text;
	return "'" . $text =~ s/'/''/gr . "'";
}

# ----------------------------------------------------------------------------
# Values
# ----------------------------------------------------------------------------

my @odd = ('', ' ', 'search', '../1', '%', '_', "'", '"', '\\', '0', '-1', 'x',
	'null', "a\tb", 'Active', '@', '@example.com', '3332883884017713275 ',
	'03332883884017713275', '٣', '1e3', '😀', 'İ', 'ß', '{}', '[]');

# The first characters of a UTF-8 text.
sub beginning
{
	my ($value, $length) = @_;

	return $value =~ /^((?:[\x00-\x7f]|[\xc2-\xf4][\x80-\xbf]+){0,$length})/
	  ? $1 : '';
}

# A text to compare a column with: often a value of the column, or similar to one.
sub text_value
{
	my ($column) = @_;
	my $value = pick(@{ $values{$column} });
	my $way = rand;

	return undef if $way < 0.04;
	return pick(@odd) if $way < 0.14;
	return uc $value if $way < 0.19;
	return lc $value if $way < 0.24;
	return $value . pick(' ', 'x', '0') if $way < 0.28;
	return beginning($value, int rand 8) if $way < 0.31;
	return pick(@{ $values{ pick(keys %values) } }) if $way < 0.36;
	return $value;
}

sub text_list
{
	my ($column) = @_;
	my $n = chance(0.04) ? 230 : int rand 6;
	return map { quoted(text_value($column)) } 0 .. $n;
}

# An expression that the planner evaluates to a constant, or cannot evaluate.
sub text_expression
{
	my ($column) = @_;
	my $value = quoted(text_value($column));
	my $lone = chance(0.7) ? $value : quoted(text_value('id'));

	return pick(
		($value) x 6,
		"$value\:\:varchar", "lower($value)", "($value || '')", "(SELECT $value)",
		"coalesce(NULL, $value)", "nullif($value, '')", "current_setting('x.' || 'y', true)",
		"(SELECT max(person) FROM licence WHERE person <= $lone)",
		"(SELECT max(email) FROM licence WHERE app = 'app ' || 3)", "concat($value)");
}

sub array_expression
{
	my ($column) = @_;
	my $list = join ', ', text_list($column);

	return pick(
		"ARRAY[$list]", "ARRAY[$list]\:\:text[]", "ARRAY[$list]\:\:varchar[]",
		"'{}'\:\:text[]", 'NULL::text[]', "(ARRAY[$list] || ARRAY['x'])",
		"ARRAY(SELECT person FROM licence WHERE number < " . int(rand 30) . ')',
		"ARRAY(SELECT email FROM licence WHERE number % 7 = " . int(rand 7) . ')',
		'ARRAY(SELECT person FROM licence WHERE false)',
		"ARRAY(SELECT g\:\:text FROM generate_series(1, " . pick(3, 199, 201, 2100)
		  . ") g) || ARRAY[$list]");
}

sub id_number
{
	return pick((3332883884017713238 + 37 * int(rand 170)) x 5, 0, -1, 7,
		'NULL', '5.0', "(3332883884017713275)\:\:numeric", '3332883884017713275.5',
		"(SELECT max(person\:\:bigint) FROM licence)", "7\:\:smallint", "7\:\:int",
		'(SELECT min(number) FROM licence WHERE app = \'app 4\')');
}

sub small_number
{
	return pick(map({ int rand $_ } (3, 40, 160)), 'NULL', '2.5', "3\:\:smallint",
		"4\:\:bigint", "'Infinity'\:\:float8", '1e2', '-1', "40\:\:real");
}

sub time_value
{
	my $day = quoted(pick(@{ $values{start_date} }));
	return pick("$day\:\:date", "$day\:\:timestamp", "$day\:\:timestamptz", 'NULL::date',
		"'infinity'\:\:date", "'-infinity'\:\:timestamp", "$day\:\:date + 1",
		"($day\:\:date - interval '1 month')", "date '2026-11-24'",
		"timestamptz '2024-02-29 23:30+05'");
}

# ----------------------------------------------------------------------------
# Conditions on a row of people with an alias
# ----------------------------------------------------------------------------

my @texts = qw(id email full_name department site manager_id status email_c
  email_v);
my @comparisons = qw(= = = = = = <> < <= > >=);

sub any_text
{
	return pick('id', 'id', 'email', 'email', 'email_c', 'email_v', @texts);
}

# The column whose values are used for another one.
sub source_of
{
	return $_[0] =~ /^email/ ? 'email' : $_[0];
}

sub text_condition
{
	my ($p) = @_;
	my $column = any_text();
	my $of = source_of($column);
	my $c = "$p.$column";
	my $v = text_expression($of);
	my $op = pick(@comparisons);
	my $list = join ', ', text_list($of);

	return pick(
		("$c = $v") x 4,
		"$c $op $v", "$v $op $c",
		("$c IN ($list)") x 3, "$c NOT IN ($list)",
		("$c = ANY (" . array_expression($of) . ')') x 4,
		"$c <> ALL (" . array_expression($of) . ')',
		"$c = ALL (" . array_expression($of) . ')',
		"$c $op ANY (" . array_expression($of) . ')',
		"$c IS NULL", "$c IS NOT NULL",
		"$c IS DISTINCT FROM $v", "$c IS NOT DISTINCT FROM $v",
		"$c BETWEEN $v AND " . text_expression($of),
		"($c = $v) IS " . pick('TRUE', 'NOT TRUE', 'FALSE', 'UNKNOWN', 'NULL'));
}

# Equalities that do not compare bytes, or not the column itself.
sub other_text_condition
{
	my ($p) = @_;
	my $column = any_text();
	my $of = source_of($column);
	my $c = "$p.$column";
	my $v = quoted(text_value($of));
	my $op = pick(@comparisons);

	return pick(
		"$c LIKE $v", "$c NOT LIKE " . quoted((text_value($of) // '') . '%'),
		"$c ILIKE $v", "$c ^@ " . quoted(beginning(text_value($of) // '', 3)),
		"$c ~~* '%a_'", "$c ~ '^[a-m]'", "$c ~* 'EXAMPLE' AND $c = $v",
		"$c COLLATE loose = $v", "$c COLLATE loose IN ($v, 'X')",
		"$p.email_loose = $v", "$p.email_loose = ANY (ARRAY[$v, 'x'])",
		"$p.email_loose IN (SELECT email FROM licence)",
		"$c COLLATE \"C\" $op $v", "$c ~<~ $v", "$c ~>=~ $v",
		"$c\:\:char(60) = $v\:\:char(60)", "$c\:\:char(60) = $v\:\:char(70)",
		"$c\:\:name = $v\:\:name", "$c\:\:varchar(9) = $v",
		"lower($c) = lower($v)", "upper($c) IN (upper($v), $v)",
		"$c || '' = $v", "coalesce($c, $v) = $v", "length($c) > " . int rand 30,
		"$p.email = $p.full_name", "$p.manager_id = $p.id", "$p.id = $p.id",
		"$p.id = ANY (ARRAY[$p.manager_id, $v])",
		"CASE WHEN $c = $v THEN true ELSE $p.is_manager END",
		"ARRAY[$c]\:\:text[] && ARRAY[$v]", "ARRAY[$c]\:\:text[] \@> ARRAY[$v]",
		"to_jsonb($p.email) = to_jsonb($v\:\:text)",
		"to_jsonb($p) \@> jsonb_build_object('status', $v\:\:text)",
		"($p.id, $p.status) = ($v, 'Active')", "($p.id, $p.email) >= ($v, 'k')",
		"($p.id, $p.email) IN (SELECT person, email FROM licence)",
		"md5($c) < '8'", "hashtext($c) > 0", "$c = " . quoted(text_value('status')));
}

sub number_condition
{
	my ($p) = @_;
	my $small = pick(qw(employee_number direct_reports weekly_hours fte));
	my $op = pick(@comparisons);

	return pick(
		"$p.id_n = " . id_number(), "$p.id_n = " . id_number(),
		"$p.id_n IN (" . join(', ', map { id_number() } 0 .. rand 5) . ')',
		"$p.id_n = ANY (ARRAY[" . join(', ', map { id_number() } 0 .. rand 5)
		  . ']::bigint[])',
		"$p.id_n = ANY ('{1,2,NULL,3332883884017713275}'\:\:bigint[])",
		"$p.id_n = ANY (ARRAY[7, 8]\:\:int[])",
		"$p.id_n = ANY (ARRAY(SELECT person\:\:bigint FROM licence))",
		"$p.id_n $op " . id_number(), id_number() . " $op $p.id_n",
		"$p.$small $op " . small_number(), "$p.$small $op " . small_number(),
		"$p.$small BETWEEN 10 AND " . small_number(),
		"$p.$small IN (1, 2.0, " . small_number() . ')',
		"$p.id_n % 3 = 0", "$p.id_n\:\:text = $p.id", "$p.$small IS NULL");
}

sub time_condition
{
	my ($p) = @_;
	my $column = pick(qw(start_date termination_date created_at));
	my $op = pick(@comparisons);

	return pick(
		"$p.$column $op " . time_value(), "$p.$column $op " . time_value(),
		time_value() . " $op $p.$column",
		"$p.$column BETWEEN " . time_value() . ' AND ' . time_value(),
		"$p.$column IS NOT NULL", "$p.start_date < $p.termination_date",
		"extract(year FROM $p.$column) = 2024", "isfinite($p.start_date)",
		"($p.start_date, $p.start_date + 5) OVERLAPS (date '2024-01-01', date '2025-01-01')");
}

sub boolean_condition
{
	my ($p) = @_;
	return pick("$p.is_manager", "NOT $p.is_manager", "$p.is_manager IS NOT TRUE",
		"$p.is_manager = false", "$p.is_manager > false", 'true', 'false',
		'NULL', "$p.is_manager = (SELECT number > 3 FROM licence LIMIT 1)");
}

sub status_condition
{
	my ($p) = @_;
	return pick("$p.status = 'Active'", "$p.status = 'Active'",
		"'Active' = $p.status", "$p.status = 'Inactive'", "$p.status IN ('Active')",
		"$p.status = 'active'", "$p.status = ANY ('{Active}')", "$p.status <> 'Active'",
		"$p.status = (SELECT 'Active' WHERE false)", "$p.status = 'Active '",
		"$p.status = (SELECT pg_catalog.concat('Act', 'ive'))",
		"$p.status = 'Active' AND $p.status = 'Inactive'");
}

sub subquery_condition
{
	my ($p, $depth) = @_;
	my $inner = condition('s', $depth - 1);

	return pick(
		"$p.id = (SELECT min(s.manager_id) FROM {p} s WHERE $inner)",
		"$p.id IN (SELECT s.manager_id FROM {p} s WHERE $inner)",
		"$p.id NOT IN (SELECT s.manager_id FROM {p} s WHERE $inner)",
		"$p.id = ANY (ARRAY(SELECT s.manager_id FROM {p} s WHERE $inner))",
		"$p.email = ANY (SELECT email FROM licence WHERE number > 20)",
		"EXISTS (SELECT FROM {p} s WHERE s.manager_id = $p.id AND $inner)",
		"NOT EXISTS (SELECT FROM {p} s WHERE s.id = $p.manager_id AND $inner)",
		"EXISTS (SELECT FROM licence l WHERE l.person = $p.id AND l.number < 40)",
		"EXISTS (SELECT FROM licence l WHERE lower(l.email) = lower($p.email))",
		"$p.email = (SELECT max(s.email) FROM {p} s WHERE s.department = $p.department)",
		"$p.id IN (SELECT h.employee_id FROM {h} h WHERE h.is_current)",
		"(SELECT count(*) FROM {h} h WHERE h.employee_id = $p.id) > 2",
		"$p.employee_number > (SELECT avg(s.employee_number) FROM {p} s WHERE $inner)");
}

sub condition
{
	my ($p, $depth) = @_;
	my $way = rand;

	return '(' . condition($p, $depth - 1) . pick(' AND ', ' AND ', ' OR ')
	  . condition($p, $depth - 1) . ')' if $depth > 0 && $way < 0.35;
	return 'NOT (' . condition($p, $depth - 1) . ')' if $depth > 0 && $way < 0.40;
	return subquery_condition($p, $depth) if $depth > 0 && $way < 0.50;
	return text_condition($p) if $way < 0.70;
	return other_text_condition($p) if $way < 0.78;
	return number_condition($p) if $way < 0.86;
	return time_condition($p) if $way < 0.91;
	return status_condition($p) if $way < 0.98;
	return boolean_condition($p);
}

# ----------------------------------------------------------------------------
# Queries
# ----------------------------------------------------------------------------

my @columns = (@texts, qw(email_loose id_n employee_number direct_reports
  weekly_hours fte is_manager start_date termination_date created_at));

sub targets
{
	my ($p) = @_;
	my $way = rand;

	return "$p.*" if $way < 0.08;
	return $p if $way < 0.16;
	return '1' if $way < 0.20;
	return "upper($p.email) AS e, $p.employee_number + 1 AS n" if $way < 0.25;
	return join ', ', map { "$p.$_" } grep { chance(0.2) } @columns, 'id';
}

# A query needs at least one target.
sub some_targets
{
	my $targets = targets(@_);
	return $targets eq '' ? "$_[0].id" : $targets;
}

sub where
{
	my ($p, $depth) = @_;
	return 'WHERE ' . condition($p, $depth // 2);
}

sub plain_query
{
	return [ 'rows', 'SELECT ' . some_targets('p') . ' FROM {p} p ' . where('p') ];
}

sub grouped_query
{
	my $key = pick(qw(department status is_manager site manager_id));
	return [ 'rows', pick(
		"SELECT count(*), count(p.email), min(p.id), max(p.start_date) FROM {p} p ",
		"SELECT DISTINCT p.$key FROM {p} p ",
		"SELECT count(DISTINCT p.$key) FROM {p} p ") . where('p') ] if chance(0.5);
	return [ 'rows', "SELECT p.$key, count(*), sum(p.weekly_hours) FROM {p} p "
		. where('p') . " GROUP BY p.$key" . pick('', " HAVING count(*) > 2",
			" HAVING p.$key IS NOT NULL") ] if chance(0.6);
	return [ 'rows', "SELECT p.id, rank() OVER (PARTITION BY p.$key ORDER BY p.id) FROM {p} p "
		. where('p') ];
}

sub ordered_query
{
	my $key = pick(qw(email department start_date employee_number), 'full_name COLLATE "C"');
	my $way = pick('', ' DESC', ' NULLS FIRST');
	my $limit = pick('', ' LIMIT ' . int(rand 9), ' OFFSET 3 LIMIT 4',
		' LIMIT (SELECT 3)', ' LIMIT NULL', ' FETCH FIRST 2 ROWS ONLY');

	return [ 'ordered', 'SELECT p.id, p.email, p.status FROM {p} p ' . where('p')
		. " ORDER BY p.$key$way, p.id$limit" ];
}

# LIMIT may return any rows; they have to be rows of the query.
sub limited_query
{
	my $n = int rand 12;
	my $query = 'SELECT ' . some_targets('p') . ' FROM {p} p '
	  . (chance(0.3) ? '' : where('p', 1));

	return [ 'limited', $query, pick("LIMIT $n", "LIMIT $n OFFSET 1", "LIMIT (SELECT $n)",
		"FETCH FIRST $n ROWS ONLY") ];
}

my @licence_joins = (
	'p.id = l.person', 'p.email = l.email', 'p.email = lower(l.email)',
	'lower(p.email) = lower(l.email)', 'p.id = ANY (l.persons)', 'p.email_c = l.email',
	'p.email_loose = l.email', 'p.id_n = l.person::bigint', 'p.employee_number = l.number',
	'p.id = l.person AND p.email = l.email', 'p.id = l.person OR p.email = l.email',
	'p.id = l.person AND p.status = \'Active\'', 'p.email_v = l.email',
	'p.id = coalesce(l.person, l.persons[1])', 'p.id > l.person AND p.email = l.email');

my @people_joins = (
	'm.id = p.manager_id', 'p.id = m.manager_id', 'm.email = p.email', 'm.id = p.id',
	'm.email_c = p.email_v', 'm.id_n::text = p.manager_id', 'm.id_n = p.id_n',
	'm.department = p.department AND m.id < p.id', 'lower(m.email) = p.email',
	'm.id = p.manager_id AND m.status = p.status', 'm.email_loose = p.email_loose',
	'm.id = p.manager_id AND m.employee_number > 3');

sub join_query
{
	my $kind = pick('JOIN', 'JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN');
	my $few = pick('', 'WHERE number < 5', 'WHERE number % 9 = 0', 'WHERE app = \'app 3\'');

	if (chance(0.55))
	{
		my $on = pick(@licence_joins);
		$kind = 'LEFT JOIN' if $kind eq 'FULL JOIN' && $on !~ /^p\.\w+ = l\.\w+$/;
		return [ 'rows', 'SELECT l.app, ' . some_targets('p')
			. " FROM (SELECT * FROM licence $few) l $kind {p} p ON $on "
			. (chance(0.5) ? '' : where('p', 1)) ];
	}
	my $on = pick(@people_joins);
	$kind = 'JOIN' if $kind eq 'FULL JOIN' && $on =~ /[<>]/;
	return [ 'rows', "SELECT p.id, m.id, m.email, " . some_targets('m')
		. " FROM {p} p $kind {p} m ON $on " . (chance(0.3) ? '' : where(pick('p', 'm'), 1)) ]
	  if chance(0.6);
	return [ 'rows', "SELECT l.app, p.full_name, m.full_name FROM licence l"
		. " $kind {p} p ON p.id = l.person LEFT JOIN {p} m ON m.id = p.manager_id "
		. where('p', 1) ] if chance(0.5) && $kind ne 'FULL JOIN';
	return [ 'rows', "SELECT p.id, h.id, h.effective_date FROM {p} p "
		. pick('JOIN', 'LEFT JOIN') . ' {h} h ON h.employee_id = p.id '
		. where('p', 1) ];
}

sub lateral_query
{
	my $from = int rand 40;
	my $few = "l.number BETWEEN $from AND " . ($from + int rand 50);

	return [ 'rows', pick(
		'SELECT l.app, x.* FROM licence l, LATERAL (SELECT p.id, p.full_name FROM {p} p'
		  . " WHERE p.id = l.person OFFSET 0) x WHERE $few",
		'SELECT l.app, (SELECT max(p.full_name) FROM {p} p WHERE p.email = l.email) FROM licence l'
		  . " WHERE $few",
		'SELECT l.app, (SELECT count(*) FROM (SELECT FROM {h} h WHERE h.employee_id = l.person'
		  . " LIMIT 2) x) FROM licence l WHERE $few",
		'SELECT l.number, p.id FROM licence l LEFT JOIN LATERAL (SELECT * FROM {p} p'
		  . " WHERE p.id = l.person AND p.is_manager OFFSET 0) p ON true WHERE $few",
		'SELECT l.app, (SELECT count(*) FROM {p} p WHERE p.id = ANY (l.persons) AND '
		  . condition('p', 1) . ') FROM licence l WHERE l.number < 12',
		'SELECT g, (SELECT count(*) FROM {p} p JOIN licence l ON l.person = p.id'
		  . ' WHERE l.number < g * 9) FROM generate_series(1, 3) g',
		'SELECT g, x.n FROM generate_series(1, 3) g LEFT JOIN LATERAL (SELECT count(*) AS n'
		  . ' FROM {p} p WHERE p.employee_number < g * 20 AND ' . condition('p', 1) . ') x ON true',
		'SELECT l.app, x.id FROM licence l CROSS JOIN LATERAL (SELECT p.id FROM {p} p'
		  . ' WHERE p.email = lower(l.email) AND p.status = l.app UNION ALL SELECT p.id'
		  . ' FROM {p} p WHERE p.id = l.person) x WHERE l.number % 5 = 1') ];
}

sub set_query
{
	my $op = pick('UNION ALL', 'UNION ALL', 'UNION', 'INTERSECT', 'EXCEPT', 'EXCEPT ALL');
	return [ 'rows', 'SELECT p.id, p.status FROM {p} p ' . where('p', 1) . " $op "
		. 'SELECT q.id, q.' . pick('status', 'site', 'email') . ' FROM {p} q ' . where('q', 1) ];
}

sub recursive_query
{
	my $from = quoted(pick(@{ $values{id} }));
	return [ 'rows', pick(
		"WITH RECURSIVE t (id, n) AS (SELECT $from\:\:text, 0 UNION ALL SELECT p.id, n + 1"
		  . ' FROM {p} p JOIN t ON p.manager_id = t.id) SELECT * FROM t',
		"WITH RECURSIVE t AS (SELECT p.id, p.manager_id FROM {p} p WHERE p.id = $from"
		  . ' UNION SELECT p.id, p.manager_id FROM {p} p JOIN t ON p.id = t.manager_id)'
		  . ' SELECT * FROM t',
		'WITH a AS MATERIALIZED (SELECT p.id, p.email FROM {p} p ' . where('p', 1)
		  . ') SELECT a.*, b.email FROM a JOIN a b USING (id)',
		'WITH a AS NOT MATERIALIZED (SELECT p.* FROM {p} p ' . where('p', 1)
		  . ') SELECT count(*) FROM a JOIN a b ON b.id = a.manager_id') ];
}

# ----------------------------------------------------------------------------
# Parameters
# ----------------------------------------------------------------------------

my @prepared = (
	[ 'text', 'p.id = $1', 'id' ], [ 'text', 'p.email = $1', 'email' ],
	[ 'text', 'p.email_c = $1 OR p.id = \'1\'', 'email' ],
	[ 'varchar', 'p.id = $1', 'id' ], [ 'text', 'p.id IN ($1, \'7\', NULL)', 'id' ],
	[ 'text', 'p.status = $1', 'status' ], [ 'text', 'p.status = $1 AND p.is_manager', 'status' ],
	[ 'text[]', 'p.id = ANY ($1)', undef ], [ 'text[]', 'p.email = ANY ($1)', undef ],
	[ 'text[]', 'p.id <> ALL ($1)', undef ],
	[ 'text', 'p.email_loose = $1', 'email' ], [ 'text', 'lower(p.email) = lower($1)', 'email' ],
	[ 'text', 'p.id = (SELECT max(s.manager_id) FROM {p} s WHERE s.id = $1)', 'id' ]);

sub prepared_query
{
	my ($type, $where, $column) = @{ pick(@prepared) };
	my @runs = map {
		defined $column ? quoted(text_value($column))
		  : array_expression(pick('id', 'email')) =~ s/\(SELECT.*//sr
	} 1 .. 7;

	# An argument of EXECUTE must not be a subquery.
	@runs = map { /ARRAY$/ ? "ARRAY['" . pick(@{ $values{id} }) . "']" : $_ } @runs;
	return [ 'prepared', 'SELECT ' . some_targets('p') . " FROM {p} p WHERE $where"
		. pick('', ' AND p.employee_number > 20'), $type, @runs ];
}

my @kinds = ((\&plain_query) x 9, (\&grouped_query) x 2, (\&ordered_query) x 2,
	(\&limited_query) x 2, (\&join_query) x 5, \&lateral_query, \&set_query,
	\&recursive_query, (\&prepared_query) x 2);

# A number of queries; "known" has a list of values for each column.
sub random_queries
{
	my ($seed, $n, $known) = @_;

	%values = %$known;
	srand $seed;
	return map { pick(@kinds)->() } 1 .. $n;
}

1;
