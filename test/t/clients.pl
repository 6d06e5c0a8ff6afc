# Clients: psql, psycopg 2 and 3, asyncpg, JDBC, ODBC and node-postgres.  Each
# reports in the same format (test/clients/README.md) the metadata of the driver,
# values and their classes, a prepared statement, a cancelled query, the hint of an
# error, and rows fetched in parts.  The metadata has to match psql's \d, the
# values the simulator's JSON.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT hibob employee_id stats);
use Encode qw(decode_utf8);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# The longest time from a cancel to the error, in milliseconds.
my $LATEST = 10_000 * $SLOWNESS;

my $JAVA = '/usr/share/java';
my $dir = PostgreSQL::Test::Utils::tempdir;
my $json = JSON::PP->new->allow_nonref;
my $sim = start_simulator();
my $slow = start_simulator();
my $node = new_cluster('clients', "listen_addresses = '127.0.0.1'");

# --- what the clients read ---------------------------------------------------

# The view hr.special: its columns, and the field and type of each.
my @COLUMNS = (
	[ employee_number => 'work.employeeIdInCompany', 'bigint' ],
	[ id => 'root.id', 'text' ],
	[ full_name => 'root.fullName', 'text' ],
	[ first_name => 'root.firstName', 'text' ],
	[ email => 'root.email', 'text' ],
	[ job_title => 'work.title', 'text', 'human' ],
	[ start_date => 'work.startDate', 'date' ],
	[ termination_date => 'internal.terminationDate', 'date' ],
	[ is_manager => 'work.isManager', 'boolean' ],
	[ direct_reports => 'work.directReports', 'integer' ],
	[ weekly_hours => 'payroll.employment.weeklyHours', 'numeric' ],
	[ fte => 'payroll.employment.fte', 'numeric' ],
	[ desk_number => 'work.custom.field_1700000000004', 'numeric' ],
	[ created_at => 'root.creationDateTime', 'timestamp without time zone' ],
	[ languages => 'work.custom.field_1700000000002', 'text[]' ],
	[ about => 'about.about', 'text' ],
	[ employee => '*', 'jsonb' ]);
my %TYPE = map { ($_->[0] => $_->[2]) } @COLUMNS;
my @SPECIAL = (1 .. 27, 30 .. 33);

sub prepare_database
{
	my $ids = join ',', map { "'" . employee_id($_) . "'" } @SPECIAL;
	my $columns = join ', ', map { $_->[0] =~ /^(about|employee)$/
		  ? "raw.$_->[0]" : "people.$_->[0]" } @COLUMNS;

	add_server($node, 'bob', $sim);
	add_server($node, 'slow', $slow);
	add_server($node, 'locked', $sim);
	query($node, "
		CREATE SCHEMA hr;
		IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
		CREATE FOREIGN TABLE hr.raw (id text NOT NULL,
			about text OPTIONS (field 'about.about'),
			employee jsonb OPTIONS (field '*'))
			SERVER bob OPTIONS (resource 'people');
		CREATE VIEW hr.staff AS SELECT * FROM hr.people;
		CREATE VIEW hr.special AS SELECT $columns
			FROM hr.people JOIN hr.raw USING (id)
			WHERE people.id IN ($ids) AND raw.id IN ($ids);
		CREATE ROLE analyst LOGIN PASSWORD 'of the analyst';
		GRANT USAGE ON SCHEMA hr, slow, locked TO analyst;
		GRANT SELECT ON ALL TABLES IN SCHEMA hr, slow, locked TO analyst;
		CREATE USER MAPPING FOR analyst SERVER bob
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE USER MAPPING FOR analyst SERVER slow
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE USER MAPPING FOR analyst SERVER locked
			OPTIONS (service_user_id 'SERVICE-5772', token 'revoked');");
	tell($slow, 'fault', { endpoint => '/people/search', times => undef,
			stall => { seconds => 300 } });
	# With a password, as clients usually connect.
	unlink $node->data_dir . '/pg_hba.conf';
	$node->append_conf('pg_hba.conf', "local all all trust\n"
		  . "host all analyst 127.0.0.1/32 scram-sha-256\n");
	$node->reload;
	return;
}

my %CONNECTION = (PGHOST => '127.0.0.1', PGPORT => $node->port,
	PGUSER => 'analyst', PGPASSWORD => 'of the analyst',
	PGDATABASE => 'postgres');

# The values in HiBob, by employee number and column.
sub expected_values
{
	my $search = sub {
		my ($fields) = @_;
		return @{ decode_json(hibob($sim, '/people/search', {
			$fields ? (fields => $fields) : (),
			humanReadable => 'APPEND', showInactive => JSON::PP::true,
			filters => [ { fieldPath => 'root.id', operator => 'equals',
				values => [ map { employee_id($_) . '' } @SPECIAL ] } ],
		}))->{employees} };
	};
	my %expected;

	foreach my $employee ($search->([ grep { $_ ne '*' }
				map { $_->[1] } @COLUMNS ]))
	{
		my $number = $employee->{'/work/employeeIdInCompany'}{value};
		foreach my $column (@COLUMNS)
		{
			my ($name, $field, $type, $human) = @$column;
			my $value = $employee->{ '/' . $field =~ tr{.}{/}r }{value};
			my $words = $employee->{humanReadable};

			$words = ref $words ? $words->{$_} : undef
			  foreach split /\./, $field;
			$value = $words if $human;
			$expected{$number}{$name} = plain($value, $type);
		}
	}
	return \%expected;
}

# --- comparing ---------------------------------------------------------------

# The elements of an array in PostgreSQL's text form.
sub elements
{
	my ($text) = @_;
	my @elements;

	$text =~ s/^\{//;
	while ($text =~ /\G(?:"((?:[^"\\]|\\.)*)"|([^",}]+))[,}]/gs)
	{
		push @elements, defined $1 ? $1 =~ s/\\(.)/$1/gsr
		  : $2 eq 'NULL' ? undef : $2;
	}
	return \@elements;
}

# A value from any client in a form that can be compared.
sub plain
{
	my ($value, $type) = @_;

	return undef unless defined $value;
	if ($type eq 'boolean')
	{
		return (ref $value ? $value : $value =~ /^(t|true|1)$/) ? 1 : 0;
	}
	return $value + 0 if $type =~ /^(bigint|integer|numeric)$/;
	return $value =~ s/T00:00:00[.0]*$//r if $type eq 'date';
	return $value =~ s/T/ /r =~ s/\.(\d*?)0*$/$1 eq '' ? '' : ".$1"/er
	  if $type =~ /^timestamp/;
	return elements($value) if $type eq 'text[]' && !ref $value;
	return $json->decode($value) if $type eq 'jsonb' && !ref $value;
	return $value;
}

# The names of types in drivers: the OID, typname, and the SQL name.
sub type_names
{
	my %names = map { split /\|/ } split /\n/, query($node, q{
		SELECT oid || '|' || format_type(oid, NULL) FROM pg_type
		UNION SELECT typname || '|' || format_type(oid, NULL) FROM pg_type
		WHERE typnamespace = 'pg_catalog'::regnamespace});

	return \%names;
}

# --- psql --------------------------------------------------------------------

sub psql
{
	my ($script, @options) = @_;
	my ($out, $err) = ('', '');
	local @ENV{ keys %CONNECTION } = values %CONNECTION;

	IPC::Run::run([ 'psql', '-XAtq', @options ], '<', \$script, '>', \$out,
		'2>', \$err);
	return (decode_utf8($out), decode_utf8($err));
}

# Ctrl-C in a terminal: SQLSTATE, milliseconds, and the result of the next query.
sub psql_cancelled
{
	my ($in, $out) = ('', '');
	local @ENV{ keys %CONNECTION } = values %CONNECTION;
	local $ENV{TERM} = 'dumb';
	local $ENV{PSQL_HISTORY} = '/dev/null';
	my $timeout = IPC::Run::timeout(200);
	my $psql = IPC::Run::start([ 'psql', '-XAtqn', '-P', 'pager=off' ],
		'<pty<', \$in, '>pty>', \$out, $timeout);

	# The terminal echoes the input long before psql reads it.
	$in = "\\set VERBOSITY verbose\nSELECT count(email) FROM slow.people;\n";
	requests($slow);
	$psql->pump_nb, select(undef, undef, undef, 0.02) until requests($slow);
	my $began = time;
	$in = "\x03";
	$psql->pump until $out =~ /ERROR:  (\w+):/;
	my ($state, $took) = ($1, 1000 * (time - $began));
	select(undef, undef, undef, 0.2);
	$out = '';
	$in = "SELECT 'continues ' || count(*) FROM hr.people;\n";
	$psql->pump until $out =~ /^continues (\d+)/m;
	my $count = $1;
	$in = "\\q\n";
	$psql->finish;
	return ([ 'cancelled', $state, int $took ], [ 'continues', $count ]);
}

# The same steps as in the programs, with psql's own means.
sub psql_facts
{
	my @facts;

	foreach my $table ('people', 'staff', 'special')
	{
		my ($out) = psql("\\d hr.$table");
		push @facts, map { [ 'column', $table, (split /\|/)[0, 1] ] }
		  split /\n/, $out;
	}
	# Values are separated by NUL, so that they may contain any other character.
	my ($out) = psql(
		'SELECT * FROM hr.special ORDER BY employee_number;',
		'-z', '-0', '-P', "null=\x01");
	my @values = split /\0/, $out, -1;
	while (@values > @COLUMNS)
	{
		my %row;
		@row{ map { $_->[0] } @COLUMNS } = splice @values, 0, @COLUMNS;
		push @facts, map { [ 'value', $row{employee_number}, $_->[0],
			$row{ $_->[0] } eq "\x01" ? 'null' : 'text',
			$row{ $_->[0] } eq "\x01" ? undef : $row{ $_->[0] } ] } @COLUMNS;
	}
	($out) = psql("\\pset null null\n"
		  . 'PREPARE by_id AS SELECT email FROM hr.people WHERE id = $1;'
		  . join('', map { "EXECUTE by_id ('" . employee_id($_) . "');\n" }
			  1 .. 8)
		  . 'SELECT sum(generic_plans + custom_plans)'
		  . ' FROM pg_prepared_statements');
	my @lines = split /\n/, $out;
	push @facts, (map { [ 'prepared', employee_id($_),
			$lines[ $_ - 1 ] eq 'null' ? undef : $lines[ $_ - 1 ] ] } 1 .. 8),
	  [ 'plans', $lines[8] ], psql_cancelled();
	($out, my $err) = psql("\\set VERBOSITY verbose\n"
		  . "SELECT count(*) FROM locked.people;\n"
		  . "SELECT count(*) FROM hr.people;");
	push @facts, [ 'error', $err =~ /ERROR:  (\w+):/, $err =~ /HINT:  (.*)/ ],
	  [ 'continues', $out =~ /(\d+)/ ];
	($out) = psql("\\set FETCH_COUNT 50\n"
		  . "SELECT id, work_phone FROM hr.people;\n"
		  . "BEGIN; DECLARE c CURSOR FOR SELECT id, work_phone FROM hr.people;\n"
		  . "\\echo rest\nFETCH 10 FROM c; CLOSE c; COMMIT;");
	my ($all, $rest) = split /^rest\n/m, $out;
	my %seen = map { $_ => 1 } split /\n/, $all;
	push @facts, [ 'streamed', scalar keys %seen, 1 ],
	  [ 'left', scalar split /\n/, $rest ];
	($out) = psql('SHOW server_version');
	return [ 'version', `psql --version` =~ /([\d.]+)/ ], @facts;
}

# --- the programs ------------------------------------------------------------

# Creates or removes the file that tells a program whether a response stalls.
sub show_stall
{
	my $stalls = stats($slow)->{under_way};

	append_to_file("$dir/stalled", '') if $stalls && !-e "$dir/stalled";
	unlink "$dir/stalled" unless $stalls;
	return;
}

sub program_facts
{
	my (@command) = @_;
	my ($out, $err) = ('', '');
	local @ENV{ keys %CONNECTION } = values %CONNECTION;

	local $ENV{HIBOB_STALLED} = "$dir/stalled";
	my $program = IPC::Run::start(\@command, '<', \undef, '>', \$out, '2>', \$err,
		IPC::Run::timeout(200));
	while ($program->pumpable)
	{
		$program->pump_nb;
		show_stall();
		sleep 0.02;
	}
	ok($program->finish, "$command[0] $command[-1] succeeds");
	diag $err if $err ne '';
	return map {
		my @fact = split /\t/, decode_utf8($_);
		$fact[-1] = $json->decode($fact[-1])
		  if $fact[0] =~ /^(value|prepared|error)$/;
		\@fact;
	} split /\n/, $out;
}

sub works
{
	my ($out, $err);
	return eval {
		IPC::Run::run([@_], '<', \undef, '>', \$out, '2>', \$err);
	};
}

# The Java compiler of Eclipse is much smaller than a JDK.
sub compile_jdbc
{
	my @jars = map { "$JAVA/$_.jar" } 'postgresql', 'ecj';

	return '' if grep { !-r } @jars;
	return works('java', '-XX:-UsePerfData', '-cp', $jars[1],
		'org.eclipse.jdt.internal.compiler.batch.Main', '-source', '11',
		'-target', '11', '-encoding', 'UTF-8', '-nowarn', '-cp', $jars[0],
		'-d', $dir, 'test/clients/Jdbc.java');
}

# "classes" are the classes of the values, by type.
my @NULLS = ('NoneType', 'null');
my %PYTHON = (
	text => 'str', date => 'date', boolean => 'bool',
	bigint => 'int', integer => 'int', numeric => 'Decimal',
	'timestamp without time zone' => 'datetime',
	'text[]' => 'list', jsonb => 'dict');
my @CLIENTS = (
	{
		name => 'psql',
		needs => 'postgresql-client',
		there => sub { 1 },
		facts => \&psql_facts,
		classes => { map { ($_->[2] => 'text') } @COLUMNS },
	}, {
		name => 'psycopg',
		needs => 'python3-psycopg2',
		there => sub { works('/usr/bin/python3', '-c', 'import psycopg2') },
		facts => sub { program_facts('/usr/bin/python3', 'test/clients/psycopg2_client.py') },
		classes => \%PYTHON,
	}, {
		name => 'psycopg 3',
		needs => 'python3-psycopg',
		there => sub { works('/usr/bin/python3', '-c', 'import psycopg') },
		facts => sub { program_facts('/usr/bin/python3', 'test/clients/psycopg3_client.py') },
		classes => \%PYTHON,
	}, {
		name => 'asyncpg',
		needs => 'python3-asyncpg',
		there => sub { works('/usr/bin/python3', '-c', 'import asyncpg') },
		facts => sub { program_facts('/usr/bin/python3', 'test/clients/asyncpg_client.py') },
		classes => \%PYTHON,
	}, {
		name => 'JDBC',
		needs => 'libpostgresql-jdbc-java, default-jre-headless, libecj-java',
		there => \&compile_jdbc,
		facts => sub {
			program_facts('java', '-XX:-UsePerfData', '-cp',
				"$dir:$JAVA/postgresql.jar", 'Jdbc');
		},
		tables => [ 'FOREIGN TABLE', 'VIEW', 'VIEW' ],
		classes => {
			text => 'String', date => 'Date', boolean => 'Boolean',
			bigint => 'Long', integer => 'Integer',
			numeric => 'BigDecimal',
			'timestamp without time zone' => 'Timestamp',
			'text[]' => 'PgArray', jsonb => 'PGobject',
		},
	}, {
		name => 'ODBC',
		needs => 'odbc-postgresql, python3-pyodbc',
		there => sub { works('/usr/bin/python3', '-c', 'import pyodbc, sys; '
			. 'sys.exit("PostgreSQL Unicode" not in pyodbc.drivers())') },
		facts => sub { program_facts('/usr/bin/python3', 'test/clients/odbc.py') },
		tables => [ 'FOREIGN TABLE', 'VIEW', 'VIEW' ],
		classes => {
			text => 'str', date => 'date', boolean => 'bool',
			bigint => 'int', integer => 'int', numeric => 'Decimal',
			'timestamp without time zone' => 'datetime',
			'text[]' => 'str', jsonb => 'str',
		},
	}, {
		name => 'node-postgres',
		needs => 'pg and pg-cursor by npm, or node-pg',
		there => sub {
			works('node', '-e', 'require("pg"); require("pg-cursor")');
		},
		facts => sub { program_facts('node', '--no-deprecation',
				'test/clients/node.js') },
		classes => {
			# pg-types 4, which Debian has, returns dates as strings.
			text => 'String', date => 'Date|String', boolean => 'Boolean',
			bigint => 'String', integer => 'Number',
			numeric => 'String', 'timestamp without time zone' => 'Date',
			'text[]' => 'Array', jsonb => 'Object',
		},
		# The precision of a Date.
		milliseconds => 1,
	});

# --- the checks --------------------------------------------------------------

prepare_database();
my $types = type_names();
my $expected = expected_values();
my (%psql, $reference);

sub facts_of
{
	my ($kind, @facts) = @_;
	return map { [ @$_[ 1 .. $#$_ ] ] } grep { $_->[0] eq $kind } @facts;
}

sub check_metadata
{
	my ($client, @facts) = @_;
	my @columns = map { [ $_->[0], $_->[1], $types->{ $_->[2] } // $_->[2] ] }
	  facts_of('column', @facts);

	$reference //= \@columns;
	cmp_ok(scalar @columns, '>', 100, "$client->{name}: metadata");
	is_deeply(\@columns, $reference, "$client->{name}: ... as in psql");
	is_deeply([ map { $_->[1] } facts_of('table', @facts) ],
		$client->{tables}, "$client->{name}: kinds of tables")
	  if $client->{tables};
	return;
}

sub check_values
{
	my ($client, $whole, @facts) = @_;
	my (%values, %classes);

	foreach (facts_of('value', @facts))
	{
		my ($number, $column, $class, $value) = @$_;
		my $type = $TYPE{$column};
		$values{$number}{$column} = plain($value, $type);
		$classes{$type}{$class} = 1 unless grep { $_ eq $class } @NULLS;
	}
	foreach my $number (@SPECIAL)
	{
		my %row = %{ $expected->{$number} };

		$row{employee} = $whole->{ $row{id} };
		$row{created_at} =~ s/(\.\d{3})\d*$/$1/ if $client->{milliseconds};
		is_deeply($values{$number}, \%row,
			"$client->{name}: employee $number");
	}
	foreach my $type (sort keys %{ $client->{classes} })
	{
		like(join(' ', keys %{ $classes{$type} }),
			qr/^($client->{classes}{$type})$/, "$client->{name}: class of $type");
	}
	return;
}

# The rows that HiBob returned for the request of whole rows, which names no
# fields.
sub whole_rows
{
	my @whole = grep { $_->{body} && $_->{body}{filters}
		  && !$_->{body}{fields} } @_;
	my $employees = decode_json(
		hibob($sim, '/people/search', $whole[0]{body}))->{employees};

	return { map { ($_->{id} => $_) } @$employees };
}

sub check_client
{
	my ($client) = @_;
	my $name = $client->{name};

	requests($sim);
	my @facts = $client->{facts}->();
	my @requests = requests($sim);
	note "$name: ", map { $_->[0] } facts_of('version', @facts);

	check_metadata($client, @facts);
	check_values($client, whole_rows(@requests), @facts);

	my @prepared = facts_of('prepared', @facts);
	is_deeply(\@prepared,
		[ map { [ $expected->{$_}{id}, $expected->{$_}{email} ] } 1 .. 8 ],
		"$name: prepared statement");
	is_deeply([ facts_of('plans', @facts) ], [ [8] ],
		"$name: ... planned by the server, eight times");
	is_deeply([ map { $_->{path} =~ m{/people/(\d+)$} } @requests ],
		[ map { employee_id($_) . '' } 1 .. 8 ],
		"$name: ... eight requests for one employee");

	my ($cancelled) = facts_of('cancelled', @facts);
	is($cancelled->[0], '57014', "$name: cancelled");
	cmp_ok($cancelled->[1], '<', $LATEST, "$name: ... in time");
	note "$name: cancelled after $cancelled->[1] ms";

	my ($error) = facts_of('error', @facts);
	is($error->[0], '28000', "$name: wrong credentials");
	like($error->[1],
		qr/Copy the new token .* ALTER USER MAPPING FOR analyst SERVER locked/,
		"$name: ... the hint");
	is_deeply([ facts_of('continues', @facts) ], [ [500], [500] ],
		"$name: ... the connection continues");
	is(scalar(grep { $_->{credentials} eq 'wrong' } @requests), 1,
		"$name: ... are sent once");

	is_deeply([ facts_of('streamed', @facts) ], [ [ 500, 1 ] ],
		"$name: rows in parts");
	is_deeply([ facts_of('left', @facts) ], [ [10] ],
		"$name: a cursor closed before its end");
	is(scalar(grep { $_->{endpoint} eq '/people/search'
		  && grep { $_ eq 'work.workPhone' } @{ $_->{body}{fields} } }
		  @requests), 2, "$name: ... one request each");
	return;
}

foreach my $client (@CLIENTS)
{
  SKIP:
	{
		skip "$client->{name}: not installed ($client->{needs})", 1
		  unless $client->{there}->();
		my $began = time;
		check_client($client);
		note sprintf '%s: %.1f s', $client->{name}, time - $began;
	}
}

done_testing();
