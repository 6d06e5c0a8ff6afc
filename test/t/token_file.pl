# The option token_file of user mappings: the roles that can set it, the files that
# it accepts, and rotation of the token.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session states contains_token);
use PostgreSQL::Test::Utils;
use POSIX qw(mkfifo);
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $COUNT = 'SELECT count(*) FROM bob.people';
my $sim = start_simulator(employees => 20);

# Only root can create files of root.  This library makes files with the sticky
# bit look like files of root to the server.
append_to_file("$dir/root.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>

int
fstat(int file, struct stat *status)
{
	int			(*real) (int, struct stat *) = dlsym(RTLD_NEXT, "fstat");
	int			result = real(file, status);

	if (result == 0 && (status->st_mode & S_ISVTX) != 0)
		status->st_uid = 0;
	return result;
}
C
PostgreSQL::Test::Utils::system_or_bail('gcc', '-shared', '-fPIC', '-o', "$dir/root.so",
	"$dir/root.c", '-ldl');
my $node;
{
	# The environment of the server is a file that is longer than it seems.
	local $ENV{HIBOB_TEST_LONG} = 'x' x 5000;
	local $ENV{LD_PRELOAD} = join ' ', grep { defined } $ENV{LD_PRELOAD}, "$dir/root.so";
	$node = new_cluster('token_file', "shared_preload_libraries = 'hibob_fdw'");
}

add_server($node, 'bob', $sim, q{max_retries '0'});
query($node, q{
	CREATE ROLE reader LOGIN;
	CREATE ROLE maker LOGIN;
	GRANT USAGE ON FOREIGN DATA WRAPPER hibob_fdw TO maker;
	GRANT USAGE ON FOREIGN SERVER bob TO reader;
	GRANT USAGE ON SCHEMA bob TO reader;
	GRANT SELECT ON bob.people TO reader;
	GRANT EXECUTE ON FUNCTION hibob_fdw_status TO reader;
	DROP USER MAPPING FOR CURRENT_USER SERVER bob});

sub write_file
{
	my ($name, $content, $mode) = @_;
	my $file = "$dir/$name";

	unlink $file;
	append_to_file($file, $content);
	chmod $mode // 0400, $file or die "$file: $!";
	return $file;
}

# Creates the user mapping of the superuser again.
sub map_file
{
	my ($file, $id) = @_;

	$id //= q{service_user_id 'SERVICE-5772', };
	query($node, "DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER bob;
		CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (${id}token_file '$file')");
	return;
}

# --- good files ------------------------------------------------------------------

my $file = write_file('token', "$TOKEN\n");
map_file($file);
is(query($node, $COUNT), 20, 'a token in a file');
is(query($node, "SELECT credentials FROM hibob_fdw_status('bob')"),
	'token_file', '... as hibob_fdw_status() shows');
foreach my $case ([ 'without a line break', $TOKEN ],
	[ 'with DOS line breaks', "$TOKEN\r\nmore\r\n" ],
	[ 'with more lines', "$TOKEN\n\nmore\n" ],
	[ 'mode 0600', "$TOKEN\n", 0600 ],
	[ 'of 4096 bytes', $TOKEN . "\n" . 'x' x (4095 - length $TOKEN) ],
	[ 'of root, mode 0440', $TOKEN, 01440 ], [ 'of root, mode 0640', $TOKEN, 01640 ])
{
	my ($what, $content, $mode) = @$case;

	map_file(write_file('good', $content, $mode));
	is(query($node, $COUNT), 20, "a file $what");
}
map_file(write_file('both', "SERVICE-5772:$TOKEN\n"), '');
is(query($node, $COUNT), 20, 'the id of the service user in the file');
map_file("$dir/both");
is(query($node, $COUNT), 20, '... and in the user mapping');

# --- bad files, which are an error ------------------------------------------------

my @bad = (
	[ 'missing', "$dir/missing", 'could not be opened: No such file' ],
	[ 'empty', write_file('empty', ''), 'is empty' ],
	[ 'an empty line', write_file('line', "\n$TOKEN\n"), 'first line is empty' ],
	[ 'a control character', write_file('control', "${TOKEN}\tx\n"),
		'control character' ],
	[ 'a zero byte', write_file('zero', "${TOKEN}\0x\n"), 'control character' ],
	[ 'a byte order mark', write_file('mark', "\xef\xbb\xbf$TOKEN\n"), 'byte order mark' ],
	[ 'UTF-16', write_file('utf16', "\xff\xfe" . join('', map { "$_\0" } split //, $TOKEN)),
		'control character' ],
	[ 'a space before', write_file('before', " $TOKEN\n"), 'begins or ends with a space' ],
	[ 'a space after', write_file('after', "$TOKEN \r\n"), 'begins or ends with a space' ],
	[ 'too large', write_file('large', 'x' x 4097), 'larger than 4096 bytes' ],
	[ 'readable by the group', write_file('group', $TOKEN, 0440), 'permissions' ],
	[ 'readable by others', write_file('others', $TOKEN, 0404), 'permissions' ],
	[ 'of root, writable by the group', write_file('root_w', $TOKEN, 01660), 'permissions' ],
	[ 'of root, executable by the group', write_file('root_x', $TOKEN, 01650), 'permissions' ],
	[ 'of root, readable by others', write_file('root_o', $TOKEN, 01444), 'permissions' ],
	[ 'of another service user than the option', write_file('id', "SERVICE-57:$TOKEN\n"),
		'service user id in its first line differs from option service_user_id' ],
	[ 'without an id before the colon', write_file('colon', ":$TOKEN\n"),
		'no service user id before the colon' ],
	[ 'without a token after the colon', write_file('colon_end', "SERVICE-5772:\n"),
		'no token after the colon' ],
	[ 'with a space after the colon', write_file('after_colon', "SERVICE-5772: $TOKEN\n"),
		'a space beside the colon' ],
	[ 'with a space before the colon', write_file('before_colon', "SERVICE-5772 :$TOKEN\n"),
		'a space beside the colon' ],
	[ 'below a file', "$dir/token/", 'could not be opened: Not a directory' ],
	[ 'a directory', $dir, 'not a regular file' ],
	[ 'a device', '/dev/zero', 'not a regular file' ],
	[ 'a loop of links', "$dir/loop", 'could not be opened: Too many levels' ],
	[ 'a FIFO', "$dir/fifo", 'not a regular file' ],
);
symlink "$dir/loop", "$dir/loop";
mkfifo("$dir/fifo", 0600) or die "mkfifo: $!";
push @bad, [ 'larger than its size', '/proc/self/environ', 'larger than 4096 bytes' ]
  if -e '/proc/self/environ';
push @bad, [ 'not readable', write_file('none', $TOKEN, 0), 'Permission denied' ]
  if $> != 0;
requests($sim);
my @table;
foreach my $case (@bad)
{
	my ($what, $path, $words) = @$case;

	map_file($path);
	my ($state, $message) = query_error($node, $COUNT);
	is($state, 'HV00J', "a file that is $what");
	like($message, qr/DETAIL: .*\Q$path\E.*\Q$words\E/, '... the detail');
	like($message, qr/HINT:  Option token_file/, '... the hint');
	ok(!contains_token($message), '... without its content');
	my ($detail) = $message =~ /DETAIL:  (?:The file is "[^"]*"\. )?(.*)/;
	push @table, { file => $what, state => $state, detail => $detail };
	is(query($node, "SELECT status, credentials FROM hibob_fdw_status('bob')"),
		'not configured|token_file', '... as hibob_fdw_status() shows');
}
map_file(write_file('no_id', "$TOKEN\n"), '');
like((query_error($node, $COUNT))[1], qr/HV00J:.*no service user id/s,
	'a file without the id of the service user');
map_file(write_file('no_token', "SERVICE-5772:\n"), '');
like((query_error($node, $COUNT))[1], qr/HV00J:.*no token after the colon/s,
	'... or without the token');
is(scalar requests($sim), 0, 'none of them makes a request');
HibobTest::report('token_file', [qw(file state detail)], @table);

# --- options -------------------------------------------------------------------

foreach my $case ([ "token_file 'hush'", 'HV024', 'not absolute' ],
	[ "token_file ''", 'HV024', 'not absolute' ],
	[ "token_file '/x', token 'y'", 'HV00D', 'cannot be combined' ],
	[ "service_user_id 'x'", 'HV00J', 'is missing' ])
{
	my ($options, $expected, $words) = @$case;
	my ($state, $message) = query_error($node,
		"CREATE USER MAPPING FOR reader SERVER bob OPTIONS ($options)");

	is($state, $expected, "OPTIONS ($options)");
	like($message, qr/$words/, '... the message');
	unlike($message, qr/hush/, '... without the value');
}
query($node, "DROP USER MAPPING FOR CURRENT_USER SERVER bob;
	CREATE USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN')");
is(query($node, "SELECT credentials FROM hibob_fdw_status('bob')"), 'token',
	'the status of a token in the catalog');
query($node, "ALTER USER MAPPING FOR CURRENT_USER SERVER bob
	OPTIONS (DROP token, ADD token_file '$file')");
is(query($node, $COUNT), 20, 'ALTER USER MAPPING from token to token_file');

# --- roles that are no superusers -------------------------------------------------

my @not_theirs = (
	"CREATE USER MAPPING FOR reader SERVER bob OPTIONS (token_file '$file')",
	"CREATE USER MAPPING FOR reader SERVER bob OPTIONS (token_file '$dir/missing')");
my %answers = map { (session($node, "SET ROLE reader; $_"))[1] =~ s/\d+$//mr => 1 }
  @not_theirs;
is(scalar keys %answers, 1, 'a role cannot set it, and learns nothing of a file');
like((keys %answers)[0], qr/42501.*only superusers can set option "token_file"/,
	'... the message');

query($node, qq{CREATE USER MAPPING FOR reader SERVER bob
	OPTIONS (service_user_id 'SERVICE-5772', token_file '$file')});
is(query($node, "SET ROLE reader; $COUNT"), 20, 'a role uses it');
foreach my $change ("SET token_file '$dir/missing'", 'DROP token_file',
	"SET service_user_id 'x'", "DROP token_file, ADD token 'x'")
{
	my $state = (query_error($node, "SET ROLE reader;
		ALTER USER MAPPING FOR reader SERVER bob OPTIONS ($change)"))[0];

	# Without the option, the mapping has none of the superuser's options.
	my $expected = $change eq "DROP token_file, ADD token 'x'" ? ''
	  : $change eq 'DROP token_file' ? 'HV00J' : '42501';
	is($state, $expected, "... a role alters it: $change");
}

# Only superusers see what is wrong with the file.
query($node, 'DROP USER MAPPING FOR reader SERVER bob');
my %seen;
foreach my $path ("$dir/missing", "$dir/empty", "$dir/others", $dir)
{
	query($node, qq{CREATE USER MAPPING FOR reader SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token_file '$path')});
	foreach my $sql ($COUNT, "SET client_min_messages = debug5; $COUNT",
		"SELECT * FROM hibob_fdw_status('bob')")
	{
		my ($out, $err) = session($node, "SET ROLE reader; $sql");

		unlike("$out$err", qr/\Q$dir\E|No such|empty|permission/i,
			'... the role does not see what is wrong with a file');
		push @{ $seen{$sql} }, ($err =~ /^(ERROR.*)$/m)[0] // $out =~ s/\d\d:\S+//gr =~ s/\|[^|]*$//r;
	}
	query($node, 'DROP USER MAPPING FOR reader SERVER bob');
}
foreach my $sql (sort keys %seen)
{
	my %different = map { $_ => 1 } @{ $seen{$sql} };
	is(scalar keys %different, 1, "... all errors are the same: $sql");
}
like(slurp_file($node->logfile), qr/could not use token file "\Q$dir\E\/others".*\n.*permissions/,
	'the log shows it');

# A function that runs as a superuser shows the role nothing more.
query($node, qq{
	DROP USER MAPPING FOR CURRENT_USER SERVER bob;
	CREATE USER MAPPING FOR CURRENT_USER SERVER bob
		OPTIONS (service_user_id 'SERVICE-5772', token_file '$dir/missing');
	CREATE FUNCTION count_people() RETURNS bigint LANGUAGE sql SECURITY DEFINER
		AS '$COUNT';
	CREATE FUNCTION bob_status() RETURNS text LANGUAGE sql SECURITY DEFINER
		AS 'SELECT concat(detail, hint) FROM hibob_fdw_status(\$\$bob\$\$)'});
foreach my $sql ('SELECT count_people()', 'SELECT bob_status()')
{
	my ($out, $err) = session($node, "SET SESSION AUTHORIZATION reader; $sql");

	like("$out$err", qr/could not use the token file.*Ask a superuser/si,
		"... the role sees an error: $sql");
	unlike("$out$err", qr/\Q$dir\E|No such/, '... without the file');
	like((session($node, $sql))[0] . (session($node, $sql))[1], qr/\Q$dir\E.*No such/s,
		'... which a superuser sees');
}

# A server of another role: its owner chooses the destination of the token among
# the allowed hosts.
query($node, qq{SET ROLE maker;
	CREATE SERVER own FOREIGN DATA WRAPPER hibob_fdw;
	CREATE FOREIGN TABLE pg_temp.own (id text) SERVER own
		OPTIONS (resource 'people');
	RESET ROLE;
	CREATE USER MAPPING FOR maker SERVER own
		OPTIONS (service_user_id 'SERVICE-5772', token_file '$file');
	SET ROLE maker;
	ALTER SERVER own OPTIONS (ADD base_url '$sim/v1')});
requests($sim);
is((query_error($node, q{SET ROLE maker;
	CREATE FOREIGN TABLE pg_temp.own (id text) SERVER own
		OPTIONS (resource 'people');
	SELECT * FROM pg_temp.own}))[0], '42501',
	'the owner of the server cannot direct the token elsewhere');
is(scalar requests($sim), 0, '... no request is sent');

# --- a token that is rotated --------------------------------------------------

# As in Kubernetes: the path contains symbolic links, one of which is replaced.
mkdir "$dir/$_" foreach ('v1', 'v2', 'v3');
my %versions = (v1 => $TOKEN, v2 => 'second-token', v3 => 'third-token');
foreach my $version (sort keys %versions)
{
	append_to_file("$dir/$version/token", "$versions{$version}\n");
	chmod 0400, "$dir/$version/token";
}
sub rotate
{
	my ($version) = @_;

	symlink "$dir/$version", "$dir/data.new" or die "symlink: $!";
	rename "$dir/data.new", "$dir/data" or die "rename: $!";
	return;
}
rotate('v1');
symlink "$dir/data/token", "$dir/link";
map_file("$dir/link");

my $psql = $node->background_psql('postgres', on_error_stop => 0);
my $other = $node->background_psql('postgres', on_error_stop => 0);
is($psql->query($COUNT), 20, 'a path with links');
is($other->query($COUNT), 20, '... in two sessions');
requests($sim);
rotate('v2');
is($psql->query($COUNT), 20, 'the old token while HiBob accepts it');
is(scalar requests($sim), 1, '... one request');
tell($sim, 'config', { token => 'second-token' });
is($psql->query($COUNT), 20, 'the new token afterwards');
is_deeply([ map { $_->{status} } requests($sim) ], [ 401, 200 ],
	'... after one more request');
is($psql->query($COUNT), 20, '... the next query');
is_deeply([ map { $_->{status} } requests($sim) ], [200], '... sends it at once');
is($other->query($COUNT), 20, 'another session');
is_deeply([ map { $_->{status} } requests($sim) ], [200],
	'... reads the file before it sends a rejected token');

# hibob_fdw_disconnect(): the next connection reads the file.
$other->quit;
rotate('v1');
is($psql->query($COUNT), 20, 'the session keeps its token');
is($psql->query(q{SELECT hibob_fdw_disconnect('bob')}), 't', '... disconnects');
requests($sim);
$psql->query($COUNT);
like($psql->{stderr}, qr/rejected the credentials/, '... uses the file');
$psql->{stderr} = '';
is(scalar requests($sim), 0, '... whose token was rejected a moment ago');
rename "$dir/data", "$dir/away" or die "rename: $!";
$psql->query('SELECT hibob_fdw_disconnect_all()');
foreach my $attempt (1, 2)
{
	$psql->query($COUNT);
	like($psql->{stderr}, qr/could not use the token file.*No such file/s, "... without it, $attempt");
	$psql->{stderr} = '';
}
rotate('v2');
is($psql->query($COUNT), 20, '... until it is there');
is_deeply([ map { $_->{status} } requests($sim) ], [200], '... one request');

# Parallel requests: each gets a 401, and all of them continue.
query($node, q{CREATE FOREIGN TABLE bob.training (employee_id text, id bigint)
	SERVER bob OPTIONS (resource 'training')});
my $TRAINING = q{SELECT count(*) > 0 FROM bob.training WHERE employee_id = ANY
	((SELECT array_agg((3332883884017713238 + 37 * n)::text)
	    FROM generate_series(1, 12) AS n)::text[])};
my $expected = $psql->query($TRAINING);
$psql->query("BEGIN; DECLARE c CURSOR FOR $TRAINING");
rotate('v3');
tell($sim, 'config', { token => 'third-token' });
is($expected, 't', 'a query with parallel requests');
is($psql->query('FETCH ALL FROM c; COMMIT'), 't',
	'... with a token that is rotated meanwhile');
is($psql->query($COUNT), 20, '... the next query');

# HiBob does not accept the token in the file.
requests($sim);
tell($sim, 'config', { token => 'fourth-token' });
$psql->query($COUNT);
like($psql->{stderr}, qr/rejected the credentials/, 'an unchanged file: an error');
$psql->{stderr} = '';
is_deeply([ map { $_->{status} } requests($sim) ], [401], '... after one request');
$psql->query($COUNT);
like($psql->{stderr}, qr/rejected the credentials/, '... again');
$psql->{stderr} = '';
is(scalar requests($sim), 0, '... without a request');
unlink "$dir/v3/token";
append_to_file("$dir/v3/token", "fourth-token\n");
chmod 0400, "$dir/v3/token";
is($psql->query($COUNT), 20, '... until the file changes');
is_deeply([ map { $_->{status} } requests($sim) ], [200], '... one request');

# A new token that is wrong, too.
unlink "$dir/v3/token";
append_to_file("$dir/v3/token", "fifth-token\n");
chmod 0400, "$dir/v3/token";
tell($sim, 'config', { token => 'sixth-token' });
$psql->query($COUNT);
like($psql->{stderr}, qr/rejected the credentials/, 'another wrong token');
like($psql->{stderr}, qr/HINT: .*token_file/, '... the hint names its origin');
$psql->{stderr} = '';
is_deeply([ map { $_->{status} } requests($sim) ], [ 401, 401 ],
	'... is sent once');

# The file is missing or bad: a session that has a token reports that HiBob rejected
# it, and the log has the reason.
unlink "$dir/v3/token";
my $logged = -s $node->logfile;
$psql->query($COUNT);
like($psql->{stderr}, qr/rejected the credentials/, 'a missing file');
like($psql->{stderr}, qr/HINT: .*cannot be used.*server log/, '... the hint');
$psql->{stderr} = '';
is(scalar requests($sim), 0, '... without a request');
like(slurp_file($node->logfile, $logged),
	qr/LOG:  could not use token file "\Q$dir\E\/link"\n.*It could not be opened: No such file/,
	'... the log');
append_to_file("$dir/v3/token", "sixth-token\n");
chmod 0444, "$dir/v3/token";
is($psql->query(q{SELECT status, hint LIKE '%cannot be used%' FROM hibob_fdw_status('bob')}),
	'invalid credentials|t', 'hibob_fdw_status() with a file that others can read');
chmod 0400, "$dir/v3/token";
is($psql->query($COUNT), 20, '... until its mode is right');
unlink "$dir/v3/token";
tell($sim, 'config', { token => 'seventh-token' });
$psql->query($COUNT);
like($psql->{stderr}, qr/HINT: .*cannot be used.*server log/, '... HiBob rejects the token');
$psql->quit;
is((query_error($node, $COUNT))[0], 'HV00J', '... a new session reports it');

# --- cached results --------------------------------------------------------------

# Results of a service user are not used for another one.
query($node, q{CREATE FOREIGN TABLE bob.kept (id text, email text) SERVER bob
	OPTIONS (resource 'people', cache_ttl '1h');
	CREATE FOREIGN TABLE bob.training_kept (employee_id text, id bigint)
	SERVER bob OPTIONS (resource 'training', cache_ttl '1h')});
sub service_user
{
	my ($id, %config) = @_;

	rename write_file('new', "$id:token-of-$id\n"), "$dir/kept";
	tell($sim, 'config', { user => $id, token => "token-of-$id", %config });
	return;
}
sub statuses { return join ' ', map { $_->{status} } requests($sim) }

service_user('SERVICE-1');
map_file("$dir/kept", '');
my $KEPT = 'SELECT count(*) FROM bob.kept';
$psql = $node->background_psql('postgres', on_error_stop => 0);
statuses();
is($psql->query($KEPT), 20, 'a result of a service user');
is($psql->query($KEPT), 20, '... is cached');
is(statuses(), '200', '... one request');
service_user('SERVICE-2', hidden_employees => [ 1, 2, 3 ]);
is($psql->query($KEPT), 17, 'another service user in the file has its own result');
is($psql->query($KEPT), 17, '... which is cached');
is(statuses(), '200', '... one request, with the new credentials');
unlink "$dir/kept";
is($psql->query($KEPT), 17, '... also if the file is missing');
is(statuses(), '', '... no request');
service_user('SERVICE-1', hidden_employees => []);
is($psql->query($KEPT), 20, 'the first service user again');
is(statuses(), '200', '... one request');

# The file changes between the requests of a result, which is not cached then.
my $TRAINING_KEPT = q{SELECT employee_id IS NULL FROM bob.training_kept
	WHERE employee_id = ANY ((SELECT array_agg((3332883884017713238 + 37 * n)::text)
	    FROM generate_series(1, 20) AS n)::text[])};
my $rows = $psql->query($TRAINING) && $psql->query("SELECT count(*) FROM ($TRAINING_KEPT) x");
ok($rows > 1, 'a result of several requests');
$psql->query(q{SELECT hibob_fdw_disconnect('bob')});
$psql->query("BEGIN; DECLARE c CURSOR FOR $TRAINING_KEPT; MOVE 1 FROM c");
rename write_file('new', "SERVICE-1:another-token\n"), "$dir/kept";
tell($sim, 'config', { token => 'another-token' });
$psql->query('MOVE ALL FROM c; COMMIT');
like(statuses(), qr/200.*401.*200/, '... with credentials that change meanwhile');
foreach my $n (20, 0)
{
	is($psql->query("SELECT count(*) FROM ($TRAINING_KEPT) x"), $rows, '... the query again');
	is(scalar(my @statuses = split / /, statuses()), $n, "... $n requests");
}
$psql->quit;
tell($sim, 'reset');

# --- dumps --------------------------------------------------------------------

map_file($file);
my ($dump, $errors);
IPC::Run::run([ 'pg_dump', '-s', '-d', $node->connstr('postgres') ],
	'>', \$dump, '2>', \$errors) or die $errors;
like($dump, qr/token_file '\Q$file\E'/, 'a dump contains the name of the file');
ok(!contains_token($dump), '... and not the token');
is(query($node, "SELECT count(*) FROM pg_user_mappings
	WHERE umoptions::text LIKE '%$TOKEN%'"), 0, '... nor does the catalog');

done_testing();
