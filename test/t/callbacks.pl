# The end of a transaction, a subtransaction, a statement or a session never
# fails, even if temporary files have reached their limit or the disk is full.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT session states);
use PostgreSQL::Test::Utils;
use Test::More;

my $employees = 4000;
my $sim = start_simulator(employees => $employees);

# The limit on the size of files that stands for a full disk (see below) must
# not concern the write-ahead log.
my $node = PostgreSQL::Test::Cluster->new('callbacks');
$node->init(extra => ['--wal-segsize=1']);
$node->append_conf('postgresql.conf', "log_statement = none\n");
$node->start;
query($node, 'CREATE EXTENSION hibob_fdw');
add_server($node, 'bob', $sim);
query($node, q{
	CREATE FOREIGN TABLE kept (id text, row jsonb OPTIONS (field '*'))
		SERVER bob OPTIONS (resource 'people', cache_ttl '3s');
	CREATE FOREIGN TABLE plain (id text, row jsonb OPTIONS (field '*'))
		SERVER bob OPTIONS (resource 'people');
	CREATE TABLE note (word text);
	CREATE FUNCTION temp_kilobytes() RETURNS bigint LANGUAGE sql AS
		$$ SELECT coalesce(sum(size) / 1024, 0)::bigint FROM pg_ls_tmpdir() $$;
	-- Allows no more temporary files than there are now.
	CREATE FUNCTION fill_disk() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE format('SET temp_file_limit = %s', temp_kilobytes());
	END $$});
my $postmaster = slurp_file($node->data_dir . '/postmaster.pid');

# Runs a script in a session.  EXPIRE waits until a cached result is too old.  If
# the result was so before the script looked at it, on a busy machine, a result
# is valid for longer in the next try.
sub run_script
{
	my ($script) = @_;
	my ($out, $err);

	foreach my $seconds (3, 12, 48)
	{
		my $wait = 'SELECT pg_sleep(' . ($seconds + 0.1) . ')';

		query($node, "TRUNCATE note;
			ALTER FOREIGN TABLE kept OPTIONS (SET cache_ttl '${seconds}s')");
		($out, $err) = session($node,
			"SET work_mem = '64kB';\n" . $script =~ s/EXPIRE/$wait/gr);
		last if $out !~ /^$employees\nf\n/;
	}
	return ($out, $err);
}

# Runs a session whose callbacks must not raise errors.  Checks its output, the
# SQLSTATEs of its errors, and that it leaves nothing.
sub check
{
	my ($name, $script, $out, @states) = @_;
	my $from = -s $node->logfile;
	my ($got, $err) = run_script($script);

	is($got, $out, "$name: the output");
	is_deeply([ states($err) ], \@states, "$name: the errors") or diag($err);
	unlike($err, qr/server closed|connection to server was lost|AbortTransaction/,
		"$name: the session continues");
	ok($node->poll_query_until('postgres', 'SELECT temp_kilobytes() = 0'),
		"$name: no temporary file is left");
	unlike(slurp_file($node->logfile, $from),
		qr/PANIC|FATAL|AbortTransaction|not closed at end-of-transaction|leak/,
		"$name: no errors in the log");
	is(slurp_file($node->data_dir . '/postmaster.pid'), $postmaster,
		"$name: the server was not restarted");
	return;
}

# ----------------------------------------------------------------------------
# A cached result
# ----------------------------------------------------------------------------

my $cached = "SELECT count(row) FROM kept;\n";
my $spilled = "SELECT temp_kilobytes() > 1000;\n";

check('the result expires in a transaction that commits', <<"END",
$cached$spilled
SELECT fill_disk();
BEGIN;
INSERT INTO note VALUES ('committed');
EXPIRE;
COMMIT;
SELECT word, temp_kilobytes() FROM note;
RESET temp_file_limit;
$cached
END
	"$employees\nt\n\n\ncommitted|0\n$employees");
check('... that is rolled back', <<"END", "$employees\nt\n\n\n0\n$employees");
$cached$spilled
SELECT fill_disk();
BEGIN;
EXPIRE;
ROLLBACK;
SELECT temp_kilobytes();
RESET temp_file_limit;
$cached
END
check('... that is prepared to fail', <<"END", "$employees\nt\n\n\n0", '22012');
$cached$spilled
SELECT fill_disk();
BEGIN;
EXPIRE;
SELECT 1 / 0;
COMMIT;
SELECT temp_kilobytes();
END
check('the result is invalidated', <<"END", "$employees\nt\n\n0");
$cached$spilled
SELECT fill_disk();
ALTER FOREIGN TABLE kept OPTIONS (ADD min_rows '1');
SELECT temp_kilobytes();
RESET temp_file_limit;
ALTER FOREIGN TABLE kept OPTIONS (DROP min_rows);
END
check('the result is dropped by a function', <<"END", "$employees\nt\n\nf\n0");
$cached$spilled
SELECT fill_disk();
SELECT hibob_fdw_disconnect_all() IS NULL;
SELECT temp_kilobytes();
END
check('the session ends', "$cached${spilled}SELECT fill_disk();\n",
	"$employees\nt\n");
check('a cursor over a result outlives its validity', <<"END",
$cached$spilled
BEGIN;
DECLARE c CURSOR FOR SELECT row FROM kept;
MOVE 100 IN c;
SELECT fill_disk();
EXPIRE;
SAVEPOINT s;
SELECT 1 / 0;
ROLLBACK TO s;
MOVE ALL IN c;
FETCH c;
COMMIT;
SELECT temp_kilobytes();
END
	"$employees\nt\n\n\n0", '22012');

# ----------------------------------------------------------------------------
# Rows of a statement, and a statement that fails
# ----------------------------------------------------------------------------

my $correlated = q{SELECT sum((SELECT count(*) FROM %s p
	WHERE length(p.row::text) > n)) > 0 FROM generate_series(1, 3) n};

foreach my $table ('plain', 'kept')
{
	my $query = sprintf $correlated, $table;

	check("rescan of $table", "$query;\n", 't');
	foreach my $limit (50, 500)
	{
		my $full = "SET temp_file_limit = $limit;\n";

		check("rescan of $table within $limit kB", <<"END", '0', '53400');
$full$query;
SELECT temp_kilobytes();
END
		check("... in a transaction", <<"END", '0', '53400', '25P02');
${full}BEGIN;
INSERT INTO note VALUES ('lost');
$query;
SELECT 1;
COMMIT;
SELECT temp_kilobytes();
END
		check("... after a savepoint", <<"END", "0\n1", '53400');
${full}BEGIN;
SAVEPOINT s;
$query;
ROLLBACK TO s;
SELECT temp_kilobytes();
INSERT INTO note VALUES ('$table $limit');
COMMIT;
SELECT count(*) FROM note WHERE word = '$table $limit';
END
		check("... in an exception block", <<"END", "0\n1");
${full}DO \$\$
BEGIN
	FOR i IN 1 .. 3 LOOP
		BEGIN
			PERFORM * FROM ($query) q;
			RAISE EXCEPTION 'within the limit';
		EXCEPTION WHEN configuration_limit_exceeded THEN
			NULL;
		END;
	END LOOP;
	INSERT INTO note VALUES ('block $table $limit');
END \$\$;
SELECT temp_kilobytes();
SELECT count(*) FROM note WHERE word = 'block $table $limit';
END
		check("... in a cursor", <<"END", '0', '53400', '55000');
${full}BEGIN;
DECLARE c CURSOR FOR SELECT id FROM $table a WHERE length(row::text) >
	(SELECT min(length(row::text)) - 1 FROM $table b WHERE b.row->'work' IS NOT NULL);
SAVEPOINT s;
MOVE ALL IN c;
ROLLBACK TO s;
MOVE ALL IN c;
ROLLBACK;
SELECT temp_kilobytes();
END
	}
}
check('an error in the middle of rows that were spilled', <<"END", "0\n0", '22012', '22012');
SELECT sum((SELECT count(*) FROM plain p WHERE 1 / (3 - n) IS NOT NULL))
	FROM generate_series(1, 3) n;
SELECT temp_kilobytes();
DO \$\$ BEGIN
	PERFORM sum((SELECT count(*) FROM plain p WHERE 1 / (3 - n) IS NOT NULL))
		FROM generate_series(1, 3) n;
END \$\$;
SELECT temp_kilobytes();
END

# ----------------------------------------------------------------------------
# A full disk: the kernel refuses to let the backend's files grow
# ----------------------------------------------------------------------------

SKIP:
{
	skip 'needs prlimit', 1 unless `prlimit --version 2>&1` =~ /util-linux/;

	my $full = "SELECT pg_backend_pid() AS pid \\gset\n\\setenv PID :pid\n"
	  . "\\! prlimit --pid \$PID --fsize=1200000:\n";
	my $room = "\\! prlimit --pid \$PID --fsize=unlimited:\n";
	my $query = sprintf $correlated, 'plain';

	check('full disk: a cached result', <<"END", "0\n$employees", '53100');
$full$cached
SELECT temp_kilobytes();
$room$cached
END
	check('full disk: the commit of a transaction', <<"END",
$cached
$full
BEGIN;
INSERT INTO note VALUES ('full disk');
EXPIRE;
COMMIT;
SELECT temp_kilobytes(), count(*) FROM note WHERE word = 'full disk';
END
		"$employees\n\n0|1");
	check('full disk: an exception block', <<"END", "0");
${full}DO \$\$
BEGIN
	FOR i IN 1 .. 3 LOOP
		BEGIN
			PERFORM * FROM ($query) q;
			RAISE EXCEPTION 'there was room';
		EXCEPTION WHEN disk_full OR io_error OR system_error THEN
			NULL;
		END;
	END LOOP;
END \$\$;
SELECT temp_kilobytes();
END
	check('full disk: the session ends', "$cached$full", $employees);
}

done_testing();
