# SQLAlchemy and pandas: what they list of foreign tables, views and mirrors, data
# frames, and the requests of each step.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT bare_cluster employee_id);
use Encode qw(decode_utf8);
use IPC::Run;
use JSON::PP;
use RosterTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs python3-sqlalchemy, python3-pandas and python3-psycopg2'
  if system("/usr/bin/python3 -c 'import sqlalchemy, pandas, psycopg2' 2>/dev/null") != 0;

my $sim = start_simulator(employees => 120);
my $node = bare_cluster('sqlalchemy');

query($node, 'CREATE EXTENSION hibob_roster CASCADE');
add_bob($node, $sim);
add_server($node, 'locked', $sim);
query($node, q{SELECT hibob_roster.create_roster('bob');
	IMPORT FOREIGN SCHEMA hibob EXCEPT (people) FROM SERVER bob INTO hr;
	GRANT EXECUTE ON FUNCTION hibob_fdw_comment_columns TO CURRENT_USER;
	SELECT hibob_fdw_comment_columns('hr');
	CREATE VIEW hr.staff AS SELECT id, full_name, department FROM hr.people;
	CREATE MATERIALIZED VIEW hr.staff_copy AS TABLE hr.staff;
	ALTER USER MAPPING FOR CURRENT_USER SERVER locked OPTIONS (SET token 'rejected')});

my $requests;

# The result of a step.  Sets the endpoints of its requests.
sub step
{
	my ($out, $err) = ('', '');
	local @ENV{ 'PGHOST', 'PGPORT', 'PGDATABASE' } =
	  ($node->host, $node->port, 'postgres');

	requests($sim);
	IPC::Run::run([ '/usr/bin/python3', 'test/clients/sqlalchemy_client.py', @_ ],
		'<', \undef, '>', \$out, '2>', \$err);
	is($?, 0, "$_[0] succeeds") or diag $err;
	$requests = join ' ', map { $_->{endpoint} } requests($sim);
	note "$_[0]: ", $requests eq '' ? 'no request' : $requests;
	return JSON::PP->new->allow_nonref->decode($out);
}

note step('version');
my $lists = step('lists');
my $total = query($node, q{SELECT count(*) FROM information_schema.foreign_tables
	WHERE foreign_table_schema = 'hr'});

is($requests, '', 'what they list needs no request');
is_deeply($lists->{tables}, [ 'roster', 'roster_history' ], 'get_table_names(): only the mirror');
is(scalar @{ $lists->{foreign} }, $total, 'get_foreign_table_names(): the foreign tables');
is(join(' ', @{ $lists->{views} }), 'org_chart roster_status staff staff_copy',
	'get_view_names(): views, materialized or not');
is_deeply($lists->{materialized}, ['staff_copy'], '... or only those');
is_deeply([ @$lists{ 'people_key', 'roster_key' } ], [ [], ['id'] ], 'the mirror has a primary key');
is_deeply($lists->{columns}, { map { my ($name, $type) = split /\|/;
		$name => { timestamp => 'TIMESTAMP', 'text[]' => 'ARRAY' }->{$type} // uc $type }
	  split /\n/, decode_utf8 query($node, q{SELECT attname, CASE WHEN atttypid = 'timestamp'::regtype
		THEN 'timestamp' ELSE format_type(atttypid, NULL) END FROM pg_attribute
		WHERE attrelid = 'hr.people'::regclass AND attnum > 0}) },
	'columns and types of a foreign table');
like($lists->{comments}{manager_id}, qr/^Manager; .* its id$/, '... with the comments');

my $by_id = step('by_id', map { employee_id($_) } 2 .. 4);
is_deeply($by_id, { map { my ($id, $email) = split /\|/; $id => $email }
	  split /\n/, query($node, 'SELECT id, email FROM hr.roster WHERE id IN ('
		  . join(',', map { "'" . employee_id($_) . "'" } 2 .. 4) . ')') },
	'a reflected table, by a list of ids');
is($requests, '/people/search', '... one request');

my $frame = step('frame');
is($frame->{rows}, 120, 'a data frame of a foreign table');
is($requests, '/people/search', '... one request');
is_deeply($frame->{types}, { id => 'object', department => 'object',
	start_date => 'datetime64[ns]', termination_date => 'datetime64[ns]',
	fte => 'float64', is_manager => 'bool' }, '... its types')
  or diag explain $frame->{types};
is_deeply($frame->{departments}, { map { my ($name, $count) = split /\|/; $name => 0 + $count }
	  split /\n/, query($node, q{SELECT department, count(*) FROM hr.roster
		WHERE department IS NOT NULL GROUP BY 1}) }, '... and its groups');
is("$frame->{left} " . $frame->{fte}, query($node,
	q{SELECT count(termination_date) || ' ' || trim_scale(round(sum(fte), 2)) FROM hr.roster}),
	'... and sums');

is_deeply(step('chunks'), [ 50, 50, 20 ], 'in chunks, by a cursor of the server');
is($requests, '/people/search', '... one request');

my $mirror = step('mirror');
is_deeply($mirror, { rows => 120, ids => 120, columns => 0 + query($node,
	q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'hr.roster'::regclass
		AND attnum > 0 AND NOT attisdropped}) }, 'read_sql_table() of the mirror');
is($requests, '', '... without a request');

my $error = step('error');
is($error->[0], '28000', 'rejected credentials');
like($error->[1], qr/ALTER USER MAPPING/, '... with the hint');
done_testing();
