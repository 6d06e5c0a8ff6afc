# hibob_fdw_status(): each state with its detail and hint, at most two requests
# per server, and no error because of HiBob.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session states hibob closed_port
  wait_for_stalled far_from_midnight);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = PostgreSQL::Test::Utils::tempdir;
far_from_midnight();
my $node = new_cluster('status');
my $today = query($node, 'SELECT current_date');
my $sim = start_simulator(today => $today);
my $WORD = q{SELECT status FROM hibob_fdw_status('bob')};

# The defaults: three retries, and at most a minute of waiting for the rate limit.
add_server($node, 'bob', $sim, q{read_timeout '1min'});

# The rows of the function as hashes; $took is the time.
my $took;
sub status_of
{
	my ($server) = @_;
	my $argument = defined $server ? "'$server'" : '';
	my $started = time;
	my $rows = query($node,
		"SELECT json_agg(s) FROM hibob_fdw_status($argument) s");

	$took = time - $started;
	return @{ decode_json($rows) };
}

sub prepare
{
	my ($config, $fault) = @_;

	tell($sim, 'reset');
	tell($sim, 'config', $config) if defined $config;
	tell($sim, 'fault', { endpoint => '/people/search', %$fault })
	  if defined $fault;
	requests($sim);
	return;
}

# The numbers of people in the account: all, active, former.
sub real_people
{
	my $body = hibob($sim, '/people/search', { showInactive => JSON::PP::true,
			fields => [ 'internal.status', 'internal.terminationDate' ] });
	my @people = @{ decode_json($body)->{employees} };
	my @inactive = grep { $_->{internal}{status} ne 'Active' } @people;
	my @former = grep {
		defined $_->{internal}{terminationDate}
		  && $_->{internal}{terminationDate} lt $today
	} @inactive;

	return (scalar @people, @people - @inactive, scalar @former);
}

# A healthy server.
my ($people, $active, $former) = real_people();
prepare({ rate_limit => 50 });
my ($row) = status_of('bob');
my @requests = requests($sim);
is($row->{status}, 'healthy', 'healthy');
is_deeply([ @$row{qw(server http_status detail hint)} ],
	[ 'bob', 200, undef, undef ], '... without detail and hint');
is_deeply([ @$row{qw(people active_people former_people)} ],
	[ $people, $active, $former ], '... with the numbers of people');
cmp_ok($former, '<', $people - $active,
	'... not all inactive people are former people');
is_deeply($row->{unreadable_categories}, [], '... no unreadable categories');
is_deeply([ @$row{qw(rate_limit rate_limit_remaining)} ], [ 50, 49 ],
	'... the rate limit');
is(query($node, "SELECT '$row->{rate_limit_reset}' BETWEEN now()
	AND now() + '65s', '$row->{checked_at}' BETWEEN now() - '1min'::interval
	AND now(), '$row->{latency}' > '0'::interval"), 't|t|t', '... and times');
is(scalar @requests, 1, '... one request');
is_deeply([ sort @{ $requests[0]{body}{fields} } ],
	[ sort qw(internal.status internal.terminationDate payroll.employment.type
		root.email root.fullName root.id
		work.department work.startDate work.title work.workPhone) ],
	'... for a field of each category and those of the tables');
ok($requests[0]{body}{showInactive}, '... and for all people');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity
	WHERE backend_type = 'client backend'}), 'there is no other session');

# Each state: settings of the simulator, a fault, the status, the HTTP status, the
# number of requests, the detail and the hint.
my @log_before = split /\n/, slurp_file($node->logfile);
my @states = (
	[ 'a category', { hidden_categories => ['lifecycle'] }, undef, 'degraded',
		200, 1, qr/categories "Lifecycle".*: bob\.people\.status\.$/,
		qr/permission group.*"Lifecycle"\.$/ ],
	[ 'all but one', { categories => ['root'] }, undef, 'degraded', 200, 1,
		qr/"Work", "Lifecycle", "Employment", "Work contact details".*: bob\.people\.department, bob\.people\.status, bob\.people\.start_date\.$/,
		qr/view access/ ],
	[ 'a category and leavers', { hidden_categories => ['workContact'],
			audience => 'employed' }, undef, 'degraded', 200, 1,
		qr/"Work contact details".*: people\.work_phone, people\.work_mobile\. HiBob returns no former/,
		qr/view access.*Access data for/ ],
	[ 'a field', { hidden_fields => ['root.email'] }, undef, 'degraded', 200, 1,
		qr/^HiBob returns the fields of these columns for no employee, so they stay empty: bob\.people\.email\.$/,
		qr/view access to these fields/ ],
	[ 'the field with the termination date',
		{ hidden_fields => ['internal.terminationDate'] }, undef, 'degraded',
		200, 1, qr/stay empty: people\.termination_date\.$/, qr/view access/ ],
	[ 'a field and a category', { hidden_categories => ['lifecycle'],
			hidden_fields => ['root.email'] }, undef, 'degraded', 200, 1,
		qr/categories "Lifecycle".*: bob\.people\.status\. HiBob.*: bob\.people\.email\.$/,
		qr/"Lifecycle"\. .*these fields/ ],
	[ 'leavers', { audience => 'employed' }, undef, 'degraded', 200, 1,
		qr/no former employee/,
		qr/"Access data for".*remove the condition Lifecycle status = Employed/ ],
	[ 'no employees', { employees => 0 }, undef, 'degraded', 200, 1,
		qr/HiBob returns no employee to/, qr/permission group.*"Access data for"/ ],
	[ 'the token', { token => 'regenerated' }, undef, 'invalid credentials',
		401, 1, qr/rejected the credentials.*HiBob reported: Token does not match/,
		qr/ALTER USER MAPPING FOR .* SERVER bob/ ],
	[ 'no group', { ungrouped => \1 }, undef, 'forbidden', 403, 1,
		qr/HiBob reported: /, qr/permission group.*IP address/ ],
	[ 'the address', { ip_blocked => \1 }, undef, 'forbidden', 403, 1,
		qr/HiBob reported: /, qr/permission group.*IP address/ ],
	[ 'the rate limit', undef, { rate_limited => { reset_in => 30 } },
		'rate limited', 429, 1, qr/resets at/, qr/materialized view/ ],
	[ 'the rate limit, Retry-After', undef, { rate_limited => { retry_after => 30 } },
		'rate limited', 429, 1, qr/resets at/, qr/materialized view/ ],
	[ 'the rate limit without a time', undef, { rate_limited => {} },
		'rate limited', 429, 1, qr/rate limit/, qr/materialized view/ ],
	[ 'resets', undef, { reset => 'before_headers', times => undef },
		'unreachable', undef, 2, qr/Could not receive/, qr/Try again/ ],
	[ 'a reset after rows', undef, { reset => 30000, split => {
				sizes => [20000], pause_ms => 50 } }, 'unreachable', 200, 1,
		qr/after \d+ bytes and [1-9]\d* rows/, qr/Try again/ ],
	[ 'silence', undef, { stall => { seconds => 300 } }, 'unreachable', undef,
		1, qr/Could not receive/, qr/read_timeout/ ],
	[ 'silence after rows', undef, { stall => { seconds => 300,
				after => 30000 } }, 'unreachable', 200, 1, qr/[1-9]\d* rows/,
		qr/read_timeout/ ],
	[ 'a web page', undef, { html => \1 }, 'unreachable', 200, 1,
		qr/is a web page/, qr/base_url/ ],
	[ 'another shape', undef, { body => '{"people":[]}' }, 'unreachable', 200,
		1, qr/expected structure/, qr/may not come from HiBob.*base_url of server "bob"/ ],
	[ 'no JSON', undef, { body => 'oops', content_type => 'text/plain' },
		'unreachable', 200, 1, qr/not valid JSON/, qr/may not come from HiBob/ ],
	[ 'another path', { modules_off => ['/people'] }, undef, 'unreachable',
		404, 1, qr/no resource/, qr/base_url/ ],
	[ 'a redirect', undef, { redirect => 'http://127.0.0.1:1/' },
		'unreachable', 302, 1, qr/status 302/, qr/not followed/ ],
	[ 'status 500', undef, { status => 500, times => undef,
			json => { key => 'boom', error => 'it broke' } }, 'unreachable',
		500, 2, qr/HiBob reported: it broke \(key "boom"\)\.$/, qr/Try again/ ],
);

my %row_of;
foreach my $case (@states)
{
	my ($name, $config, $fault, $status, $http, $n, $detail, $hint) = @$case;

	my $timeout = $fault->{stall} ? '1s' : '1min';

	prepare($config, $fault);
	query($node, "ALTER SERVER bob OPTIONS (SET read_timeout '$timeout')");
	my ($got) = status_of('bob');
	is($got->{status}, $status, "$name: $status");
	is($got->{http_status}, $http, '... its HTTP status');
	is(scalar requests($sim), $n, "... $n requests");
	like($got->{detail}, $detail, '... its detail');
	like($got->{hint}, $hint, '... its hint');
	cmp_ok($took, '<', 45 * $SLOWNESS, '... in time');
	is(defined $got->{people}, $status eq 'degraded', '... people');
	is(defined $got->{latency}, defined $http, '... latency');
	$row_of{$name} = $got;
	note(join ' | ', map { $_ // '' }
		  @$got{qw(status http_status detail hint)});
}
prepare();

# No state is an error in the log, and none shows data of employees.
my @log = split /\n/, slurp_file($node->logfile);
splice @log, 0, scalar @log_before;
cmp_ok(scalar(grep { /DEBUG:/ } @log), '>', 100, 'the log has level debug5');
is_deeply([ grep { /(ERROR|WARNING|FATAL|PANIC):/ } @log ], [],
	'... without errors');
is_deeply([ grep { /canary|\@example\.com|33328838840177/ } @log,
		map { encode_json($_) } values %row_of ], [], '... or data of employees');

# The numbers are null if they are not known.
is_deeply([ @{ $row_of{'a category'} }{qw(people active_people former_people)} ],
	[ $people, undef, undef ], 'without the category: active people are unknown');
is_deeply($row_of{'all but one'}{unreadable_categories},
	[ 'Work', 'Lifecycle', 'Employment', 'Work contact details' ],
	'the names of unreadable categories');
is_deeply([ @{ $row_of{'leavers'} }{qw(former_people unreadable_categories)} ],
	[ 0, [] ], 'no former people');
is_deeply([ @{ $row_of{'no employees'} }{qw(people active_people unreadable_categories)} ],
	[ 0, undef, undef ], 'no employees: nothing else is known');
is($row_of{'the rate limit'}{rate_limit_remaining}, 0, 'the rate limit is used up');
is(query($node, "SELECT '$row_of{'the rate limit'}{rate_limit_reset}'::timestamptz -
	'$row_of{'the rate limit'}{checked_at}' BETWEEN '25s' AND '35s'"), 't',
	'... until the time that HiBob returned');

# A single failure is retried.
prepare(undef, { reset => 'before_headers' });
is((status_of('bob'))[0]{status}, 'healthy', 'a single reset: healthy');
is(scalar requests($sim), 2, '... after a retry');

# In one session: rejected credentials are not sent again.  A call sends a request
# even if the rate limit was used up before.
prepare({ token => 'regenerated' });
my $TWICE = q{SELECT status, http_status FROM hibob_fdw_status('bob')};
my ($out, $err) = session($node, "$TWICE;\n$TWICE;\nSELECT count(*) FROM bob.people;");
is($out, "invalid credentials|401\ninvalid credentials|", 'rejected twice');
is_deeply([ states($err) ], ['28000'], '... and an error of a query');
is(scalar requests($sim), 1, '... after one request');
prepare(undef, { rate_limited => { reset_in => 30 } });
($out, $err) = session($node, "$TWICE;\n$TWICE;");
is($out, "rate limited|429\nhealthy|200", 'rate limited, then healthy');
is(scalar requests($sim), 2, '... after one request each');

# A cursor and a transaction continue after all states.
prepare();
my $FETCH = 'FETCH 100 FROM c \g /dev/null';
($out, $err) = session($node, qq{BEGIN;
	DECLARE c CURSOR FOR SELECT id, email FROM bob.people;
	$FETCH
	$WORD;
	ALTER SERVER bob OPTIONS (SET base_url 'http://127.0.0.1:${\closed_port()}/v1');
	$WORD;
	$FETCH
	ALTER SERVER bob OPTIONS (SET base_url '$sim/v1');
	MOVE FORWARD ALL FROM c;
	$WORD;
	COMMIT;
	SELECT count(*) FROM bob.people;});
is($out, "healthy\nunreachable\nhealthy\n500", 'the status while a cursor is open');
is($err, '', '... no error');
($out, $err) = session($node, qq{BEGIN;
	DECLARE c CURSOR FOR SELECT id FROM bob.people;
	$FETCH
	$WORD;
	CREATE TABLE rest (id text);
	DO 'DECLARE c refcursor := \$\$c\$\$; r record; BEGIN
		LOOP FETCH c INTO r; EXIT WHEN NOT FOUND;
			INSERT INTO rest VALUES (r.id); END LOOP; END';
	SELECT count(DISTINCT id) FROM rest;
	ROLLBACK;});
is($out, "healthy\n400", '... the cursor returns all rows');

# A cancel is an error.
my $STALL = { stall => { seconds => 300 }, times => undef };
query($node, q{ALTER SERVER bob OPTIONS (SET read_timeout '5min')});
foreach my $fault ($STALL, { stall => { seconds => 300, after => 30000 },
		times => undef })
{
	prepare(undef, $fault);
	my $started = time;
	($out, $err) = session($node, "BEGIN;
		SET LOCAL statement_timeout = '300ms';\n$WORD;
		ROLLBACK;
		SELECT 'continues';");
	cmp_ok(time - $started, '<', 45 * $SLOWNESS, 'statement_timeout takes effect');
	is_deeply([ states($err) ], ['57014'], '... as an error');
	is($out, 'continues', '... the session continues');
}
prepare(undef, $STALL);
my $psql = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $WORD ], '<',
	\undef, '>', \my $got_out, '2>', \my $got_err);
wait_for_stalled($sim);
my $pid = query($node, q{SELECT pid FROM pg_stat_activity
	WHERE query LIKE 'SELECT status%' AND state = 'active' AND pid <> pg_backend_pid()});
my $started = time;
is(query($node, "SELECT pg_cancel_backend($pid)"), 't', 'pg_cancel_backend()');
$psql->finish;
cmp_ok(time - $started, '<', 45 * $SLOWNESS, '... takes effect');
like($got_err, qr/canceling statement due to user request/, '... as an error');
prepare();
is((status_of('bob'))[0]{status}, 'healthy', '... the next call works');

# Servers without a usable connection.
system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
	'-keyout', "$dir/tls.key", '-out', "$dir/tls.crt", '-days', '2', '-subj',
	'/CN=nobody knows');
my $tls = start_simulator('tls-cert' => "$dir/tls.crt",
	'tls-key' => "$dir/tls.key");
add_server($node, 'untrusted', $tls);
add_server($node, 'closed', 'http://127.0.0.1:' . closed_port());
query($node, qq{
	CREATE SERVER bare FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE FOREIGN DATA WRAPPER another;
	CREATE SERVER another FOREIGN DATA WRAPPER another;
	CREATE FOREIGN DATA WRAPPER twin HANDLER hibob_fdw_handler
		VALIDATOR hibob_fdw_validator;
	CREATE SERVER a_twin FOREIGN DATA WRAPPER twin
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR PUBLIC SERVER a_twin
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
});
requests($sim);
my @rows = status_of();
is_deeply([ map { "$_->{server}: $_->{status}" } @rows ],
	[ 'a_twin: healthy', 'bare: not configured', 'bob: healthy',
		'closed: unreachable', 'untrusted: unreachable' ],
	'all servers, by name, also of a wrapper with another name');
is(scalar requests($sim), 2, '... one request for each server that has a mapping');
like($rows[1]{detail}, qr/^User mapping not found for /, 'no user mapping');
like($rows[1]{hint}, qr/^CREATE USER MAPPING FOR .* SERVER bare OPTIONS/,
	'... the hint');
like($rows[3]{detail}, qr/127\.0\.0\.1(?: port |:)\d/, 'connection refused');
like($rows[3]{hint}, qr/base_url/, '... the hint');
like($rows[4]{detail}, qr/certificate/i, 'a self-signed certificate');
like($rows[4]{hint}, qr/ca_file/, '... the hint');
is(scalar requests($tls), 0, '... no request is sent');
note(join ' | ', map { $_ // '' } @$_{qw(server status http_status detail hint)})
  foreach @rows;

# Empty columns: those of the resource if there is no table, otherwise those of
# the tables that the role can read.
query($node, q{CREATE USER MAPPING FOR CURRENT_USER SERVER bare
	OPTIONS (service_user_id 'SERVICE-5772', token 's3cret-canary-token')});
prepare({ hidden_categories => ['lifecycle'] });
like((status_of('bare'))[0]{detail},
	qr/categories "Lifecycle", so these columns stay empty: people\.status, people\.lifecycle_status, people\.termination_date, people\.termination_reason\.$/,
	'columns of the resource');
query($node, q{CREATE SCHEMA "My tables";
	CREATE FOREIGN TABLE "My tables"."Staff" (id text, gone text
		OPTIONS (field 'internal.status'), broken text, "End" date
		OPTIONS (field 'internal.terminationDate')) SERVER bare
		OPTIONS (resource 'people');
	ALTER FOREIGN TABLE "My tables"."Staff" DROP COLUMN gone;
	CREATE FOREIGN TABLE "My tables".wide (x text OPTIONS (field
		'internal.status')) SERVER bare OPTIONS (resource 'people')});
query($node, 'ALTER FOREIGN TABLE "My tables".wide '
	  . join ', ', map { "ADD x$_ text OPTIONS (field 'internal.notice')" }
	  1 .. 30);
like((status_of('bare'))[0]{detail},
	qr/empty: "My tables"\."Staff"\."End", "My tables"\.wide\.x, "My tables"\.wide\.x1, .* and 12 more\.$/,
	'columns of tables, in all states of the tables');

# Tables for which missing fields are ignored.
prepare({ hidden_fields => ['internal.notice'] });
is((status_of('bare'))[0]{status}, 'degraded', 'a field of a table');
query($node, q{ALTER FOREIGN TABLE "My tables".wide OPTIONS (ADD on_missing_field 'ignore')});
is((status_of('bare'))[0]{status}, 'healthy', '... where missing fields are ignored');
query($node, q{ALTER FOREIGN TABLE "My tables".wide OPTIONS (DROP on_missing_field);
	ALTER SERVER bare OPTIONS (ADD on_missing_field 'ignore')});
is((status_of('bare'))[0]{status}, 'healthy', '... by an option of the server');
prepare();

# Roles.
query($node, qq{
	CREATE ROLE reader LOGIN;
	CREATE ROLE stranger LOGIN;
	GRANT USAGE ON FOREIGN SERVER bob, a_twin TO reader;
	GRANT USAGE ON FOREIGN DATA WRAPPER hibob_fdw TO reader;
	GRANT CREATE ON DATABASE postgres TO reader;
	SET ROLE reader;
	CREATE SERVER own FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$sim/v1');
	CREATE USER MAPPING FOR reader SERVER own
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
});
my ($state, $message) =
  query_error($node, 'SET ROLE reader; SELECT hibob_fdw_status()');
is($state, '42501', 'roles need EXECUTE');
like($message, qr/function hibob_fdw_status/, '... the message names the function');
query($node, 'GRANT EXECUTE ON FUNCTION hibob_fdw_status TO reader, stranger');
requests($sim);
is(query($node, q{SET ROLE reader; SELECT server, status
	FROM hibob_fdw_status()}),
	"a_twin|healthy\nbare|not permitted\nbob|not configured\nclosed|not permitted\n"
	  . "own|not configured\nuntrusted|not permitted",
	'a role uses its own user mappings');
is(scalar requests($sim), 1, '... no other request is sent');
($out, $err) = session($node, q{SET ROLE reader;
	SELECT detail, hint FROM hibob_fdw_status('own')});
like($out, qr/^Host "127\.0\.0\.1" .* not allowed\.\|.*hibob_fdw\.allowed_hosts/,
	'a host that is not allowed');
is(query($node, q{SET ROLE stranger; SELECT server, status, detail, hint
		FROM hibob_fdw_status() WHERE server IN ('bare', 'bob')}),
	join("\n", map { "$_|not permitted|Permission denied for foreign server $_.|GRANT USAGE ON FOREIGN SERVER $_ TO stranger;" }
		'bare', 'bob'), 'without USAGE: not permitted, with a hint');
is((query_error($node,
	q{SET ROLE stranger; SELECT hibob_fdw_status('bob')}))[0], '42501',
	'... and the name of a server is an error');
is((query_error($node, q{SELECT hibob_fdw_status('nobody')}))[0], '42704',
	'a server that does not exist');
is((query_error($node, q{SELECT hibob_fdw_status('another')}))[0], '42809',
	'a server of another wrapper');
is(query($node, q{BEGIN READ ONLY; SELECT status
	FROM hibob_fdw_status('a_twin'); COMMIT}), 'healthy',
	'in a read-only transaction');

done_testing();
