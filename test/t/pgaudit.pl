# pgaudit, preloaded and auditing everything: the documented block keeps the token
# out of the server log.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT contains_token);
use PostgreSQL::Test::Utils;
use Test::More;

my ($libraries) = run_command([ 'pg_config', '--pkglibdir' ]);

plan skip_all => 'needs pgaudit' unless -e "$libraries/pgaudit.so";

my $sim = start_simulator(employees => 30);
my $node = new_cluster('pgaudit', "shared_preload_libraries = 'pgaudit,hibob_fdw'
pgaudit.log = 'all'
pgaudit.log_parameter = on
pgaudit.log_statement_once = off
");
my $reference = slurp_file('doc/reference.md');

# With pgaudit's event triggers, too.
query($node, "CREATE EXTENSION pgaudit;
	CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw OPTIONS (base_url '$sim/v1');
	CREATE ROLE hr_admin LOGIN;
	GRANT USAGE ON FOREIGN SERVER bob TO hr_admin");

# A block of the reference, after the line that reads the token.
sub with_token
{
	return join '', map {
		my ($text) = $reference =~ /<!-- recipe: \Q$_\E -->\n\n((?:    .*\n|\n)+)/
		  or die "the reference has no recipe $_";
		$text =~ s/^    //gmr;
	} 'token from the environment', @_;
}

# Runs psql, with the token in its environment, and returns the new part of the
# server log and whether there is a mapping with the token, which is dropped.
sub enter
{
	my ($token, $sql, $role) = @_;
	my $before = -s $node->logfile;
	local $ENV{HIBOB_TOKEN} = $token;

	$node->psql('postgres', $sql, on_error_stop => 0,
		extra_params => [ '-U', $role // getpwuid $< ]);
	my $log = substr slurp_file($node->logfile), $before;
	# (pgaudit logs this query.)
	my $mapping = query($node, "SELECT count(*) FROM pg_user_mappings
		WHERE 'token=$token' = ANY (umoptions)");
	query($node, 'DROP USER MAPPING IF EXISTS FOR '
		  . ($role // 'CURRENT_USER') . ' SERVER bob');
	return ($log, $mapping);
}

my ($log, $mapping) = enter('audited-token', "CREATE USER MAPPING FOR CURRENT_USER
	SERVER bob OPTIONS (service_user_id 'SERVICE-5772', token 'audited-token')");
like($log, qr/AUDIT: .*CREATE USER MAPPING.*audited-token/s,
	'pgaudit logs a plain CREATE USER MAPPING with the token');

($log, $mapping) = enter('private-token-1', with_token('superuser'));
is($mapping, 1, 'the documented block creates the mapping');
like($log, qr/AUDIT: /, '... while pgaudit logs');
ok(!contains_token($log, 'private-token-1'), '... without the token');

($log, $mapping) = enter('private-token-2', with_token('superuser'), 'hr_admin');
is($mapping, 0, 'a role that may not set pgaudit.log creates no mapping');
ok(!contains_token($log, 'private-token-2'), '... and the token is not logged');

query($node, with_token('grant') =~ s/.*(?=GRANT)//sr);
($log, $mapping) = enter('private-token-3', with_token('superuser'), 'hr_admin');
is($mapping, 1, 'a role that was granted the settings creates it');
ok(!contains_token($log, 'private-token-3'), '... without the token in the log');

($log, $mapping) = enter('private-token-4', with_token('any role'), 'hr_admin');
is($mapping, 0, 'the block for other roles refuses to');
ok(!contains_token($log, 'private-token-4'), '... and the token is not logged');
done_testing();
