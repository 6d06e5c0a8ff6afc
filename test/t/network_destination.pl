# The destination of requests: which hosts and addresses a server may use, TLS,
# and that neither the environment nor redirects nor values change it.  At least
# one test for each sentence of the manual's chapter on security.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT certificate authority);
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $home = PostgreSQL::Test::Utils::tempdir;
my $plain = start_simulator();
my $secure = start_simulator(certificate(
	'IP:127.0.0.1,DNS:localhost,DNS:hr.localhost,DNS:api.hibob.com,'
	  . 'DNS:api.sandbox.hibob.com,DNS:mirror.example'));
my ($plain_port) = $plain =~ /:(\d+)$/;
my ($port) = $secure =~ /:(\d+)$/;
my $node = new_cluster('network_destination');
my $ALLOW = 'SET hibob_fdw.allowed_hosts =';
my $COUNT = 'SELECT count(*) FROM %s.people';

# ------------------------------------------------------------------------
# A network where every address is a simulator, and an environment that would
# change the destination if it had an effect
# ------------------------------------------------------------------------

system_or_bail('gcc', '-shared', '-fPIC', '-o', "$dir/network.so",
	'test/lib/network.c', '-ldl');
append_to_file("$dir/names", '');
# Sets the addresses of names.
sub set_addresses
{
	my (%addresses) = @_;

	open my $names, '>', "$dir/names" or die "names: $!";
	print $names "$_ $addresses{$_}\n" foreach keys %addresses;
	close $names;
	return;
}

append_to_file("$home/.netrc", "default login nobody password wrong\n");
append_to_file("$home/.curlrc", "insecure\nlocation\nproxy = 127.0.0.1:1\n");
# OpenSSL accepts old versions of TLS here, and hibob_fdw must refuse them.
append_to_file("$dir/openssl.cnf", q{openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = lax
[lax]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
});
my %environment = (
	LD_PRELOAD => join(':', grep { length } $ENV{LD_PRELOAD}, "$dir/network.so"),
	HIBOB_TEST_NETWORK => "$dir/names",
	OPENSSL_CONF => "$dir/openssl.cnf",
	HOME => $home, CURL_HOME => $home, NETRC => "$home/.netrc",
	(map { $_ => 'http://127.0.0.1:1' }
		  qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY)),
	no_proxy => '', NO_PROXY => '',
	(map { $_ => authority() } qw(SSL_CERT_FILE CURL_CA_BUNDLE)),
	SSL_CERT_DIR => $dir,
	SSLKEYLOGFILE => "$dir/keys",
);
{
	local @ENV{ keys %environment } = values %environment;
	$node->restart;
}

# ------------------------------------------------------------------------
# The hosts that the server of a role may use
# ------------------------------------------------------------------------

query($node, q{
	CREATE ROLE reader LOGIN;
	CREATE ROLE boss LOGIN SUPERUSER;
	GRANT USAGE ON FOREIGN DATA WRAPPER hibob_fdw TO reader;
	GRANT CREATE ON DATABASE postgres TO reader;
});

# Creates a server with a table; a role may then become its owner.
sub make_server
{
	my ($name, $url, $owner, $options) = @_;

	add_server($node, $name, $url,
		join(', ', q{max_retries '0', connect_timeout '1min'}, $options // ()));
	query($node, "ALTER SERVER $name OWNER TO $owner") if defined $owner;
	return;
}

# A role without superuser rights creates a server, a mapping and a table.
query($node, qq{
	SET ROLE reader;
	CREATE SERVER own FOREIGN DATA WRAPPER hibob_fdw
		OPTIONS (base_url '$plain/v1', max_retries '0');
	CREATE USER MAPPING FOR reader SERVER own
		OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
	CREATE SCHEMA own;
	CREATE FOREIGN TABLE own.people (id text) SERVER own
		OPTIONS (resource 'people');
});
my $as_reader = 'SET ROLE reader; ' . sprintf($COUNT, 'own');
my ($state, $message) = query_error($node, $as_reader);
is($state, '42501', 'the host of a server whose owner is no superuser');
like($message, qr/hibob_fdw\.allowed_hosts/, '... the hint names the setting');
# Before the library is loaded, SET creates a placeholder; afterwards it fails.
foreach my $load ('', 'SELECT hibob_fdw_version();')
{
	is((query_error($node, "SET ROLE reader; $load
		$ALLOW '127.0.0.1'; $as_reader"))[0],
		'42501', '... that role cannot change the setting');
}
is(query($node, "$ALLOW 'x, 127.0.0.1'; $as_reader"), '500',
	'a host that a superuser allows');
is((query_error($node, "SELECT hibob_fdw_version(); $ALLOW 'x y'"))[0], '22023',
	'a value that is not a list of hosts: an error');
is((query_error($node, "$ALLOW 'x'; $as_reader"))[0], '42501',
	'a list without the host');

# Hosts that resemble HiBob's, and other spellings of local addresses.
foreach my $url ("https://127.0.0.1:$port", "https://localhost:$port",
	"https://2130706433:$port", "https://0x7f.1:$port", "https://127.1:$port",
	"https://[::1]:$port", "https://[::ffff:127.0.0.1]:$port",
	"https://169.254.169.254", "https://hr.localhost:$port",
	"https://api.hibob.com.:$port", "https://api.hibob.com.example:$port",
	"https://xapi.hibob.com:$port", "https://hibob.com:$port",
	"https://api-hibob.com:$port", "http://localhost:$plain_port")
{
	query($node, "SET ROLE reader;
		ALTER SERVER own OPTIONS (SET base_url '$url/v1')");
	is((query_error($node, $as_reader))[0], '42501', "not allowed: $url");
}
foreach my $url ('https://api.hibob.com@127.0.0.1', 'https://a:b@api.hibob.com',
	'http://api.hibob.com', 'https://api.hibob.com/../', 'ftp://127.0.0.1',
	'file:///etc/passwd', 'https://api.hibob.com#@x', 'https:/\\127.0.0.1',
	"https://x\r\nHost: y", "https://x\ty", "https://x\ry")
{
	is((query_error($node, "SET ROLE reader;
		ALTER SERVER own OPTIONS (SET base_url '$url')"))[0], 'HV024',
		'not a valid base_url: ' . $url =~ s/[\r\n\t]/?/gr);
}
is(scalar requests($secure), 0, 'none of them was requested');

# The owner of the server decides, not the user of the session.  The owner and
# allowed_hosts are checked at each request, also on an open connection.
query($node, "ALTER SERVER own OPTIONS (SET base_url '$plain/v1')");
my %as_it_is = (
	'a superuser is the owner' => 'ALTER SERVER own OWNER TO CURRENT_USER',
	'the owner became a superuser' => 'ALTER SERVER own OWNER TO boss',
	'an allowed host' => "$ALLOW '127.0.0.1'",
);
foreach my $how (sort keys %as_it_is)
{
	my ($status, $out, $err) = $node->psql('postgres', qq{
		\\set VERBOSITY verbose
		$as_it_is{$how};
		$as_reader;
		BEGIN;
		DECLARE all_people CURSOR FOR SELECT id FROM own.people;
		MOVE 3 FROM all_people;
		RESET ROLE;
		ALTER SERVER own OWNER TO reader;
		ALTER ROLE boss NOSUPERUSER;
		RESET hibob_fdw.allowed_hosts;
		MOVE ALL FROM all_people;
		COMMIT;
		$as_reader;
		RESET ROLE;
		ALTER ROLE boss SUPERUSER;
		ALTER SERVER own OWNER TO boss;
		ALTER ROLE boss NOSUPERUSER;
		$as_reader;
		RESET ROLE;
		ALTER ROLE boss SUPERUSER;
		ALTER SERVER own OWNER TO reader;
	}, on_error_stop => 0);

	is($out, '500', "$how: the host is used");
	is(join(' ', $err =~ /ERROR:  (\w+)/g), '42501 42501',
		'... and not after a change, in the same session');
}

# ------------------------------------------------------------------------
# The address of a name
# ------------------------------------------------------------------------

my $ca = "ca_file '" . authority() . "'";
# test/unit/address_test.c tests all other kinds of addresses.
my %PLACES = (
	public => ['20.1.2.3'],
	private => [ '10.1.2.3', '192.168.1.1' ],
	local => [ '127.0.0.1', '0.0.0.0', '169.254.169.254' ],
);
my $NO_MORE = { public => 1 };
my $NETWORK = { public => 1, private => 1 };
my $ANYWHERE = { public => 1, private => 1, local => 1 };

# The owner of the server, the setting, the host, and the addresses that the
# host may have.
my @policies = (
	[ 'reader', '', 'api.hibob.com', $NO_MORE ],
	[ 'reader', 'mirror.example', 'api.sandbox.hibob.com', $NO_MORE ],
	[ 'reader', 'api.hibob.com', 'api.hibob.com', $NETWORK ],
	[ 'reader', 'Mirror.Example', 'mirror.example', $NETWORK ],
	[ 'boss', '', 'mirror.example', $ANYWHERE ],
	[ 'boss', '', 'api.hibob.com', $ANYWHERE ],
);
my $number = 0;
foreach my $policy (@policies)
{
	my ($owner, $allowed, $host, $may) = @$policy;
	my $server = 'place' . ++$number;
	my $sql = "$ALLOW '$allowed'; " . sprintf($COUNT, $server);

	make_server($server, "https://$host:$port", $owner, $ca);
	requests($secure);
	foreach my $place (sort keys %PLACES)
	{
		my @got;

		foreach my $address (@{ $PLACES{$place} })
		{
			set_addresses($host => $address);
			my ($state, $message) = query_error($node, $sql);
			push @got, $state eq '' ? 'used'
			  : $message =~ /address \Q$address\E is / ? "$state refused"
			  : "$state $message";
		}
		is(join(', ', @got),
			join(', ', ($may->{$place} ? 'used' : 'HV00N refused') x @got),
			"$owner, '$allowed': $host with $place addresses");
	}
	is(scalar(requests($secure)),
		scalar(map { @{ $PLACES{$_} } } keys %$may),
		'... no other address is used');
}
set_addresses('api.hibob.com' => '10.1.2.3');
($state, $message) = query_error($node, sprintf($COUNT, 'place1'));
like($message, qr/HINT: .*hibob_fdw\.allowed_hosts/, 'the hint names the setting');

# An open connection to an address that is no longer allowed is not reused, also
# if it was in use when the setting changed.
is(join(' ', session_states(qq{
	$ALLOW 'api.hibob.com';
	SELECT count(*) FROM place1.people;
	BEGIN;
	DECLARE few CURSOR FOR SELECT id FROM place1.people;
	MOVE 3 FROM few;
	RESET hibob_fdw.allowed_hosts;
	SAVEPOINT here;
	SELECT count(*) FROM place1.people;
	ROLLBACK TO here;
	MOVE ALL FROM few;
	COMMIT;
	SELECT count(*) FROM place1.people;
})), 'HV00N HV00N', 'an open connection does not bypass the setting');

sub session_states
{
	my ($status, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$_[0]", on_error_stop => 0);
	return $err =~ /ERROR:  ([0-9A-Z]{5}):/g;
}

# "localhost" is this machine, whatever the resolver returns; a name or an address
# of this machine has to be in the list itself.
set_addresses();
make_server('by_name', "https://hr.localhost:$port", 'reader', $ca);
is((query_error($node, "$ALLOW 'hr.localhost'; " . sprintf($COUNT, 'by_name')))[0],
	'HV00N', 'an allowed name with a local address');
make_server('by_localhost', "https://localhost:$port", 'reader', $ca);
is(query($node, "$ALLOW 'localhost'; " . sprintf($COUNT, 'by_localhost')),
	'500', '... unless it is localhost');
foreach my $written ('127.0.0.1', '2130706433', '0x7f.1')
{
	make_server("as_$port", "https://$written:$port", 'reader', $ca);
	is(query($node, "$ALLOW '127.0.0.1'; " . sprintf($COUNT, "as_$port")),
		'500', "... or an allowed address, written as $written");
	query($node, "DROP SERVER as_$port CASCADE; DROP SCHEMA as_$port");
}
set_addresses(localhost => '10.1.2.3');
make_server('plain_localhost', "http://localhost:$plain_port");
is(query($node, sprintf($COUNT, 'plain_localhost')), '500',
	'plain http to this machine');
is((requests($plain))[-1]{headers}{Host}, "localhost:$plain_port",
	'... and not to the address that the resolver returns');

# ------------------------------------------------------------------------
# TLS
# ------------------------------------------------------------------------

set_addresses();
my $certificate = qr/certificate has to match.* ca_file/;
my @untrusted = (
	[ 'wrong_name', certificate('DNS:other.example'),
		qr/subject name|match/, $certificate ],
	[ 'expired', certificate('IP:127.0.0.1', days => -1),
		qr/expired|not yet valid/, $certificate ],
	[ 'self_signed', certificate('IP:127.0.0.1', signed_by => 'itself'),
		qr/self.signed/, $certificate ],
	[ 'tls_1_1', certificate('IP:127.0.0.1'), 'tls-version' => '1.1',
		qr/protocol/, qr/TLS 1\.2 or newer is needed/ ],
);
foreach my $case (@untrusted)
{
	my $hint = pop @$case;
	my $words = pop @$case;
	my ($name, @options) = @$case;
	my $url = start_simulator(@options);
	my ($its_port) = $url =~ /:(\d+)$/;

	make_server($name, $url, undef, $ca);
	my ($state, $message) = query_error($node, sprintf($COUNT, $name));
	is($state, 'HV00N', "$name: refused");
	like($message, qr/DETAIL: .*$words/i, '... the detail is libcurl\'s message');
	like($message, qr/HINT: .*$hint/, '... the hint says what to do');
	is(scalar requests_lax($its_port), 0, '... no request was sent');
}

# The requests of such a simulator, with old versions of TLS, too.
sub requests_lax
{
	my ($its_port) = @_;

	IPC::Run::run([ 'python3', '-c', <<'END', $its_port ], '>', \my $out)
import http.client, ssl, sys
context = ssl._create_unverified_context()
context.set_ciphers("ALL:@SECLEVEL=0")
context.minimum_version = ssl.TLSVersion.TLSv1
client = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
client.request("GET", "/_sim/requests?format=text")
sys.stdout.write(client.getresponse().read().decode())
END
	  or die 'the simulator is not reachable';
	return split /\n/, $out;
}

make_server('unknown', $secure);
($state, $message) = query_error($node, sprintf($COUNT, 'unknown'));
is($state, 'HV00N', 'an authority that only the environment names: refused');
like($message, qr/$certificate/, '... the hint says what to do');
foreach my $version ('1.2', '1.3')
{
	my $url = start_simulator(certificate('IP:127.0.0.1'),
		'tls-version' => $version);

	make_server("good_$plain_port", $url, undef, $ca);
	is(query($node, sprintf($COUNT, "good_$plain_port")), '500',
		"TLS $version with a valid certificate");
	query($node, "DROP SERVER good_$plain_port CASCADE;
		DROP SCHEMA good_$plain_port");
}
make_server('mismatch', $secure =~ s/https/http/r);
isnt((query_error($node, sprintf($COUNT, 'mismatch')))[0], '',
	'http to an https port: an error');
make_server('no_file', $secure, undef, "ca_file '$dir/nowhere'");
is((query_error($node, sprintf($COUNT, 'no_file')))[0], 'HV00N',
	'a ca_file that does not exist: an error');

# ------------------------------------------------------------------------
# The environment and redirects have no effect
# ------------------------------------------------------------------------

make_server('good', $secure, undef, $ca);
requests($_) foreach $plain, $secure;
make_server('bob', $plain);
query($node, q{
	CREATE FOREIGN TABLE bob.work_history (employee_id text, effective_date date)
		SERVER bob OPTIONS (resource 'work_history');
	CREATE FOREIGN TABLE bob.named_lists (list text, name text)
		SERVER bob OPTIONS (resource 'named_lists');
	CREATE FOREIGN TABLE bob.training (employee_id text, id text)
		SERVER bob OPTIONS (resource 'training');
	CREATE FOREIGN TABLE bob.report ("Email" text)
		SERVER bob OPTIONS (resource 'report', report_id '71001');
});
is(query($node, sprintf($COUNT, 'bob')), '500',
	'proxies of the environment are not used: http');
is(query($node, sprintf($COUNT, 'good')), '500', '... and https');
is((requests($plain))[0]{credentials}, 'right',
	'the credentials are those of the user mapping, not of .netrc');
ok(!-e "$dir/keys", 'TLS keys are not written to SSLKEYLOGFILE');

# A redirect to this machine, which no other rule prevents.
my $elsewhere = start_simulator();
foreach my $status (301, 302, 303, 307, 308)
{
	my %seen;

	foreach my $what ('people', 'work_history', 'named_lists', 'report')
	{
		tell($plain, 'fault', { endpoint => '*', status => $status,
			redirect => "$elsewhere/v1/people/search" });
		my ($state, $message) =
		  query_error($node, "SELECT count(*) FROM bob.$what");
		$seen{"$state " . ($message =~ /not followed/ ? 'said' : '')}++;
		tell($plain, 'reset');
	}
	is(join(', ', keys %seen), 'HV000 said', "status $status is not followed");
}
is(scalar requests($elsewhere), 0, '... the target gets no request');

# The option proxy: the proxy gets CONNECT without credentials.
my $proxy = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
  or die "proxy: $!";
my $proxy_port = $proxy->sockport;
my $child = fork // die "fork: $!";
if ($child == 0)
{
	my $client = $proxy->accept;
	my $received = '';

	while ($received !~ /\r\n\r\n/
		&& sysread($client, $received, 4096, length $received)) { }
	append_to_file("$dir/received", $received);
	print $client "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
	close $client;
	POSIX::_exit(0);
}
make_server('proxied', 'https://api.hibob.com', undef,
	"proxy 'http://127.0.0.1:$proxy_port', $ca");
is((query_error($node, sprintf($COUNT, 'proxied')))[0], 'HV00N',
	'a proxy that refuses');
waitpid $child, 0;
my $received = slurp_file("$dir/received");
like($received, qr{^CONNECT api\.hibob\.com:443 HTTP/1\.1\r\n},
	'... gets a request for a tunnel');
unlike($received, qr/authorization/i, '... without credentials');
query($node, 'ALTER SERVER proxied OWNER TO reader');
foreach my $change ("SET base_url 'https://api.sandbox.hibob.com'", 'DROP ca_file',
	"SET proxy 'http://127.0.0.1:1'", 'DROP proxy', "ADD read_timeout '1s'")
{
	is((query_error($node,
		"SET ROLE reader; ALTER SERVER proxied OPTIONS ($change)"))[0],
		'42501', "only superusers can alter a server with a proxy: $change");
}

# ------------------------------------------------------------------------
# Values cannot change a request
# ------------------------------------------------------------------------

requests($plain);
foreach my $value ("1\r\nX-Evil: 1", "a\@b.c\r\nX-Evil: 1", "\n", '..', '.',
	'../../people', 'a/b', 'a?b=c&d#e', '%2e%2e', "a\tb", 'x@y/../z')
{
	my $quoted = "E'" . $value =~ s/\r/\\r/r =~ s/\n/\\n/r . "'";

	foreach my $condition ('people WHERE id', 'people WHERE email',
		'named_lists WHERE list', 'work_history WHERE employee_id',
		'training WHERE employee_id')
	{
		query_error($node, "SELECT count(*) FROM bob.$condition = $quoted");
	}
}
my @sent = requests($plain);
cmp_ok(scalar @sent, '>', 15, 'values are sent');
is(scalar(grep { exists $_->{headers}{'X-Evil'} } @sent), 0,
	'no value adds a header');
is(join("\n", grep { !m{^/v1/(?:people/search
				|company/named-lists/[\w%.~@-]+\?includeArchived=true)$}x }
		  map { $_->{target} } @sent), '', '... or changes the path');
is(scalar(grep { m{/\.{1,2}(?:/|$)} } map { $_->{target} } @sent), 0,
	'... or adds a dot segment');

# The same for values from HiBob: a cursor, the name of a report, ids.
tell($plain, 'fault', { endpoint => '/bulk/people/work', times => 1, json => {
	results => [], response_metadata => { next_cursor => "a/../b\r\nX-Evil: 1&c=d" } } });
query_error($node, 'SELECT count(*) FROM bob.work_history');
tell($plain, 'fault', { endpoint => '/company/reports/71001/download',
	status => 202, body => '', headers => { Location => 'https://x/a/%2e%2e' } });
is((query_error($node, 'SELECT count(*) FROM bob.report'))[0], 'HV000',
	'a report whose name would change the path: an error');
tell($plain, 'fault', { endpoint => '/people/search', json => {
	employees => [ map { { id => $_ } } "1\r\nX-Evil: 1", '..', '1/../2', '17' ] } });
query_error($node, 'SELECT count(*) FROM bob.training');
@sent = requests($plain);
is(scalar(grep { exists $_->{headers}{'X-Evil'} } @sent), 0,
	'no value from HiBob adds a header');
is(join(' ', map { $_->{target} } grep { $_->{method} eq 'GET' } @sent),
	'/v1/bulk/people/work?limit=200 '
	  . '/v1/bulk/people/work?limit=200&cursor=a%2F..%2Fb%0D%0AX-Evil%3A%201%26c%3Dd '
	  . '/v1/company/reports/71001/download?format=csv&includeInfo=false '
	  . '/v1/people/17/training', '... or changes the path');

# ------------------------------------------------------------------------
# Each user mapping has its own connection; changes take effect at once
# ------------------------------------------------------------------------

my $second = start_simulator(employees => 20);
tell($plain, 'reset');
query($node, q{
	GRANT USAGE ON SCHEMA bob TO reader;
	GRANT SELECT ON bob.people TO reader;
	CREATE USER MAPPING FOR reader SERVER bob
		OPTIONS (service_user_id 'SERVICE-1', token 'of the reader')});
$node->psql('postgres', 'SELECT count(*) FROM bob.people; SET ROLE reader;
	SELECT count(*) FROM bob.people; RESET ROLE;
	SELECT count(*) FROM bob.people;', on_error_stop => 0);
@sent = requests($plain);
is(join(' ', map { $_->{credentials} } @sent), 'right wrong right',
	'each role uses its own credentials');
is($sent[0]{connection}, $sent[2]{connection}, '... and its own connection');
isnt($sent[0]{connection}, $sent[1]{connection}, '... and no other');

my ($status, $out, $err) = $node->psql('postgres', qq{
	\\set VERBOSITY verbose
	PREPARE all_people AS SELECT count(*) FROM bob.people;
	EXECUTE all_people;
	BEGIN;
	DECLARE old CURSOR FOR SELECT id FROM bob.people;
	MOVE 1 FROM old;
	ALTER SERVER bob OPTIONS (SET base_url '$second/v1');
	EXECUTE all_people;
	SELECT count(*) FROM bob.people;
	SAVEPOINT here;
	ALTER USER MAPPING FOR CURRENT_USER SERVER bob OPTIONS (SET token 'wrong');
	EXECUTE all_people;
	ROLLBACK TO here;
	EXECUTE all_people;
	MOVE FORWARD 10 FROM old;
	ROLLBACK;
	EXECUTE all_people;
}, on_error_stop => 0);
is($out, "500\n20\n20\n20\n500",
	'ALTER SERVER and its rollback take effect at once');
like($err, qr/^psql:\S+ ERROR:  28000:/, '... ALTER USER MAPPING, too');
unlike($err, qr/ERROR.*ERROR/s, '... an open cursor continues at its old server');

done_testing();
