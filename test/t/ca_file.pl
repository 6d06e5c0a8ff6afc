# The server option ca_file: a regular file of certificates, and nothing that
# cannot be read to its end without waiting.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobSession;
use HibobTest qw(:DEFAULT certificate authority);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

my $COUNT = 'SELECT count(*) FROM bob.people';
my $dir = PostgreSQL::Test::Utils::tempdir;
my $file = "$dir/ca.pem";
my $sim = start_simulator(certificate('IP:127.0.0.1'));
my $node = new_cluster('ca_file');

sub make_file
{
	unlink $file;
	append_to_file($file, slurp_file(authority()));
	chmod 0644, $file;
	return;
}

sub make_fifo
{
	unlink $file;
	POSIX::mkfifo($file, 0666) or die "mkfifo: $!";
	chmod 0666, $file;
	return;
}

# ------------------------------------------------------------------------
# When it is set
# ------------------------------------------------------------------------

make_fifo();
symlink $file, "$dir/link" or die "symlink: $!";
foreach my $other ($file, "$dir/link", '/dev/zero', '/dev/null', $dir)
{
	my ($state, $message) = query_error($node, qq{CREATE SERVER other
		FOREIGN DATA WRAPPER hibob_fdw OPTIONS (ca_file '$other')});
	is($state, 'HV024', "not a regular file: $other");
	like($message, qr/DETAIL:  It is not a regular file\./, '... and why');
}
query($node, "CREATE SERVER later FOREIGN DATA WRAPPER hibob_fdw
	OPTIONS (ca_file '$dir/nowhere')");
pass('a file that does not exist yet');

# ------------------------------------------------------------------------
# When it is used
# ------------------------------------------------------------------------

make_file();
add_server($node, 'bob', $sim, "ca_file '$file', max_retries '0'");
is(query($node, $COUNT), '500', 'a file of certificates');

make_fifo();
my ($state, $message) = query_error($node, $COUNT);
like($message, qr/not a regular file/, 'a file that became a FIFO');

# In a session that has read the options before, with a connection and without.
foreach my $close ('', 'SELECT hibob_fdw_disconnect_all();')
{
	my $session = HibobSession->new($node);

	make_file();
	is(($session->run("$COUNT;"))[0], '500', 'a session with a file');
	$session->run($close);
	make_fifo();
	my ($out, $err, $trouble) = $session->run("$COUNT;", 60);
	like($err, qr/not (?:name )?a regular file/, '... which became a FIFO');
	make_file();
	is(($session->run("$COUNT;"))[0], '500', '... and then a file again');
	unlink $file;
	symlink '/dev/zero', $file or die "symlink: $!";
	$session->run($close);
	($out, $err, $trouble) = $session->run("$COUNT;", 60);
	like($err, qr/not (?:name )?a regular file/, '... and then a device');
}

make_file();
is(query($node, $COUNT), '500', 'and a file again');
$node->stop;
done_testing();
