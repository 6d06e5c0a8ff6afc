# PostGraphile over the mirror: a schema with ASCII names, a query over HTTP, and
# GraphiQL in a browser.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT bare_cluster employee_id);
use HTTP::Tiny;
use Encode qw(decode_utf8);
use IPC::Run;
use JSON::PP;
use RosterTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $CHROMIUM = '/usr/bin/chromium';
my $cli = `node -p 'require.resolve("postgraphile/cli.js")' 2>/dev/null`;

chomp $cli;
plan skip_all => 'needs postgraphile by npm' if $cli eq '';

my $dir = PostgreSQL::Test::Utils::tempdir;
my $sim = start_simulator(employees => 60);
my $node = bare_cluster('postgraphile');

query($node, 'CREATE EXTENSION hibob_roster CASCADE; CREATE ROLE graphql LOGIN');
add_bob($node, $sim);
query($node, "SELECT hibob_roster.create_roster('bob', 'hr', names => 'id');
	SELECT hibob_roster.create_roster('bob', 'labels')");
query($node, "GRANT USAGE ON SCHEMA $_ TO graphql;
	GRANT SELECT ON $_.roster, $_.org_chart TO graphql;
	COMMENT ON VIEW $_.org_chart IS E'\@primaryKey id\\n\@foreignKey (manager_id) references $_.roster (id)'")
  foreach 'hr', 'labels';
requests($sim);

# --- the server ---------------------------------------------------------------------

my (@servers, %output);

# Starts PostGraphile on a schema.  Returns its URL, or nothing if it ends.
sub start_postgraphile
{
	my ($schema) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $url = "http://127.0.0.1:$port";
	my $file = "$dir/$schema.out";
	local $ENV{NODE_ENV} = 'production';
	my $server = IPC::Run::start([ 'node', '--no-deprecation', $cli,
			'--connection', 'socket:' . $node->host . '?db=postgres',
			'--schema', $schema, '--host', '127.0.0.1', '--port', $port,
			'--no-ignore-rbac', '--disable-query-log', '--enhance-graphiql',
			'--extended-errors', 'errcode,hint' ],
		'<', \undef, '>', $file, '2>&1');

	push @servers, $server;
	$output{$schema} = $file;
	for (1 .. 2400)
	{
		last if slurp_file($file) =~ /Failed to|seriously wrong|A serious error|error:/i;
		return $url
		  if HTTP::Tiny->new(timeout => 60)->get("$url/graphiql")->{success};
		sleep 0.05;
	}
	return;
}

END
{
	local $?;
	$_->kill_kill foreach @servers;
}

sub graphql
{
	my ($url, $query) = @_;
	my $response = HTTP::Tiny->new->post("$url/graphql", {
		headers => { 'Content-Type' => 'application/json' },
		content => encode_json({ query => $query }) });

	return decode_json($response->{content});
}

# The fields of the type of roster rows.
sub roster_fields
{
	my ($url) = @_;
	my $answer = graphql($url, '{ __type(name: "Roster") { fields { name } } }');

	return map { $_->{name} } @{ $answer->{data}{__type}{fields} };
}

# The columns of a roster, as lower-case fields.
sub columns_as_fields
{
	my ($schema) = @_;
	return map { tr/_//dr } split /\n/, query($node, "
		SELECT attname FROM pg_attribute WHERE attrelid = '$schema.roster'::regclass
		   AND attnum > 0 AND NOT attisdropped");
}

local @ENV{ 'PGUSER', 'PGPORT' } = ('graphql', $node->port);
my $url = start_postgraphile('hr');
ok(defined $url, 'PostGraphile starts') or diag slurp_file($output{hr});
note slurp_file($output{hr}) =~ /(PostGraphile v\S+)/;

my %fields = map { (lc($_) => 1) } roster_fields($url);
is(join(' ', grep { !$fields{$_} } columns_as_fields('hr')), '',
	'with names by ids, each column is a field');

my $answer = graphql($url, q({
	allRosters(first: 3, orderBy: EMPLOYEE_NUMBER_ASC) { totalCount nodes { id fullName startDate } }
	rosterById(id: "ID") { fullName orgChartsByManagerId { totalCount } }
	}) =~ s/ID/employee_id(1)/er);
is($answer->{errors}, undef, 'a query over HTTP') or diag explain $answer;
is_deeply($answer->{data}{allRosters}, { totalCount => 60, nodes => [
	map { my ($id, $name, $date) = split /\|/; { id => $id, fullName => $name, startDate => $date } }
	  split /\n/, decode_utf8 query($node, q{SELECT id, full_name, start_date FROM hr.roster
		ORDER BY employee_number LIMIT 3}) ] }, '... has the rows of the mirror');
is_deeply($answer->{data}{rosterById}, { fullName => 'Grace Okafor', orgChartsByManagerId =>
	{ totalCount => 0 + query($node, q{SELECT count(*) FROM hr.org_chart WHERE manager_id = '}
		. employee_id(1) . "'") } }, '... and a relation by a smart comment');
$answer = graphql($url, '{ allPeople { totalCount } }');
like($answer->{errors}[0]{message}, qr/allPeople|permission denied/,
	'the role does not read the foreign table');

# With labels, two columns have names without a letter that GraphQL accepts.
my $labels = start_postgraphile('labels');
ok(!defined $labels || !eval { roster_fields($labels) }, 'with names by labels it fails');

# --- the browser ----------------------------------------------------------------------

SKIP:
{
	skip 'no chromium', 2 unless -x $CHROMIUM;
	my ($page, $err) = ('', '');

	IPC::Run::run([ $CHROMIUM, '--headless=new', '--no-sandbox', '--disable-gpu',
			'--disable-dev-shm-usage', '--virtual-time-budget=5000',
			"--user-data-dir=$dir/chromium", '--dump-dom', "$url/graphiql" ],
		'<', \undef, '>', \$page, '2>', \$err, IPC::Run::timeout(120));
	like($page, qr/<div[^>]* class="graphiql-container/, 'GraphiQL in chromium');
	like($page, qr/allRosters/, '... shows the queries of the roster');
}
is(scalar requests($sim), 0, 'none of this makes a request to HiBob');
done_testing();
