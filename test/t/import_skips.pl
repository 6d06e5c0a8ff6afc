# IMPORT FOREIGN SCHEMA and hibob_fdw_comment_columns() skip fields, tables and
# reports whose ids or names the database or an option cannot represent, with a
# warning.  In every encoding, the created tables can be read, dumped and restored.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HibobTest qw(:DEFAULT states);
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = start_simulator();
my $node = new_cluster('import_skips');

# Creates a database with a server.
my %databases;
sub database
{
	my ($encoding) = @_;
	my $name = lc($encoding) . (++$databases{$encoding} // '');

	query($node, qq{CREATE DATABASE $name ENCODING '$encoding' LC_COLLATE 'C'
		LC_CTYPE 'C' TEMPLATE template0});
	$node->safe_psql($name, qq{
		CREATE EXTENSION hibob_fdw;
		CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$sim/v1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE SCHEMA hr});
	return $name;
}

# The output and the errors of psql in a database, in its encoding.
sub psql
{
	my ($database, $sql) = @_;
	my (undef, $out, $err) = $node->psql($database,
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 0);

	return ($out, $err);
}

sub body
{
	my ($endpoint, $body, $type) = @_;

	tell($sim, 'fault', { endpoint => $endpoint, status => 200, times => 8,
			body_base64 => encode_base64($body, ''),
			content_type => $type // 'application/json' });
	return;
}

# HiBob's list of fields, as bytes; each field is [id, name].
sub fields
{
	my (@fields) = @_;

	return '[' . join(',', map { qq({"id":"$_->[0]","name":"$_->[1]","type":"text","categoryDisplayName":"Work"}) }
		@fields) . ']';
}

my $COLUMNS = q{SELECT attname, attfdwoptions FROM pg_attribute
	WHERE attrelid = 'hr.%s'::regclass AND attnum > %d ORDER BY attnum};
my $IMPORT = 'IMPORT FOREIGN SCHEMA hibob LIMIT TO (%s) FROM SERVER bob INTO hr OPTIONS (%s);';

# --- fields ----------------------------------------------------------------------

my $db = database('UTF8');
body('/company/people/fields', fields(
	['work.custom.field_1', 'Fine'], ["work.custom.\xff", 'Bad id'],
	['work.custom.field_2', "Na\xffme"], ['*', 'Asterisk'], ['', 'Empty'],
	['work.custom..x', 'Two dots'], ['work.custom.*', 'Any'],
	['work.custom.a\u0001b', 'Control'], ['payroll.variable.Misc..amount', 'Misc'],
	['payroll.variable.Bonus v1.5.amount', 'Bonus'],
	['payroll.variable.*.amount', 'Star'], ['payroll.variable..amount', 'Nothing'],
	['work.custom.b\u0000c', 'Nul'], ['work.custom.b', 'B'],
	['work.custom.d\ud83d', 'Half a pair'], ['work.custom.e\ud83d\ude00', 'Pair'],
	['work.custom.field_4', 'Cut\u0000here'], ['work.custom.field_5', 'Cut\udc00here']));
my ($out, $err) = psql($db, sprintf($IMPORT, 'people', q{fields 'all'}));
my @skipped = $err =~ /WARNING:  (?:HV024: )?skipping field "(.*)" of foreign table "people"/g;
is_deeply(\@skipped, [ 'work.custom.?', '*', '', 'work.custom..x', 'work.custom.*',
		'work.custom.a?b', 'payroll.variable.*.amount', 'payroll.variable..amount',
		'work.custom.b?c', 'work.custom.d?' ],
	'fields with ids that cannot be options') or diag($err);
like($err, qr/DETAIL:  The id of the field cannot be the value of option "field"\. It contains \\u0000 or is not valid UTF-8\./,
	'... with the reason');
unlike($err, qr/ERROR/, '... and the others are imported');
($out) = psql($db, sprintf($COLUMNS, 'people', 32));
is($out, join("\n", 'fine|{field=work.custom.field_1}',
	'work_custom_field_2|{field=work.custom.field_2}',
	'misc|{field=payroll.variable.Misc..amount}',
	'bonus|{"field=payroll.variable.Bonus v1.5.amount"}', 'b|{field=work.custom.b}',
	"pair|{field=work.custom.e\xf0\x9f\x98\x80}",
	'work_custom_field_4|{field=work.custom.field_4}',
	'work_custom_field_5|{field=work.custom.field_5}'),
	'a display name that is not UTF-8, or has \u0000, is not used');
is_deeply([ $err =~ /WARNING:  HV024: ignoring the display name of "(.*)"\nDETAIL:  The name contains \\u0000 or is not valid UTF-8\./g ],
	[ map { "work.custom.field_$_" } 2, 4, 5 ], '... with a warning') or diag($err);

# A scan reads the created columns, as one key and by slash keys.
foreach my $form (
	'"payroll":{"variable":{"Misc.":{"amount":"7"},"Bonus v1.5":{"amount":"8"}}}',
	'"/payroll/variable/Misc//amount":{"value":"7"},"/payroll/variable/Bonus v1/5/amount":{"value":"8"}')
{
	tell($sim, 'reset');
	body('/people/search', qq({"employees":[{"id":"1",$form}]}));
	($out, $err) = psql($db, 'SELECT misc, bonus FROM hr.people; SELECT count(p) FROM hr.people p');
	is($out, "7|8\n1", "names with dots: $form") or diag($err);
}
tell($sim, 'reset');

# The comments do not contain such text, either.
body('/company/people/fields', fields(
	["work.custom.field_1", "Na\xffme"], ["work.custom.field_2", 'Name 2']));
($out, $err) = psql($db, q{SELECT hibob_fdw_comment_columns('hr') > 0;
	SELECT col_description(attrelid, attnum) FROM pg_attribute
	 WHERE attrelid = 'hr.people'::regclass AND attname IN ('fine', 'work_custom_field_2')
	 ORDER BY attnum});
is($out, "t\nFine; HiBob field work.custom.field_1 (category Work), text\n"
	  . 'Name 2; HiBob field work.custom.field_2 (category Work), text',
	'a comment without a name that is not UTF-8') or diag($err);
tell($sim, 'reset');

# Entries without an id are skipped; a list without any id is an error.
psql($db, 'CREATE SCHEMA hr2');
my $MORE = $IMPORT =~ s/INTO hr/INTO hr2/r;
body('/company/people/fields', fields(['work.custom.field_1', 'Fine'])
	  =~ s/\[/[{"name":"No id","type":"text"},{"id":null,"name":"Null"},/r);
($out, $err) = psql($db, sprintf($MORE, 'people', q{custom_fields 'true'}) . q{SELECT max(attname::text) FROM pg_attribute
	WHERE attrelid = 'hr2.people'::regclass AND attfdwoptions::text LIKE '%.custom.%'});
is($out, 'fine', 'fields without an id are skipped') or diag($err);
like($err, qr/WARNING:  HV024: skipping 2 entries of the metadata of HiBob\nDETAIL:  Entries of "fields" have no id\./,
	'... with a warning');
psql($db, 'DROP SCHEMA hr2 CASCADE');
tell($sim, 'reset');

# --- custom tables and reports ---------------------------------------------------

body('/people/custom-tables/metadata', qq({"tables":[
	{"id":"good","name":"Good","columns":[{"id":"c1","name":"One"},{"id":"*","name":"Star"},{"id":"c2\xff","name":"Two"}]},
	{"id":"","name":"Empty"},{"id":"..","name":"Parent"},{"id":"a\xffb","name":"Bytes"},
	{"id":"fine","name":"B\xffd name"},{"id":"n\\u0000l","name":"Zero"},
	{"name":"No id","columns":[]},{"id":"more","name":"More","columns":[{"name":"No id"},{"id":"c1","name":"One"}]},
	{"name":"last","id":"first","id":99999999999999999999}]}));
($out, $err) = psql($db, q{IMPORT FOREIGN SCHEMA hibob EXCEPT (people) FROM SERVER bob INTO hr
		OPTIONS (custom_tables 'true', custom_fields 'false');
	SELECT relname, ftoptions FROM pg_class JOIN pg_foreign_table ON ftrelid = oid
	 WHERE ftoptions::text LIKE '%table_id%' ORDER BY 1});
is($out, join("\n", map { "$_->[0]|{resource=custom_table,table_id=$_->[1]}" }
		['fine', 'fine'], ['good', 'good'], ['last', '99999999999999999999'], ['more', 'more']),
	'custom tables with odd ids') or diag($err);
is(scalar(() = $err =~ /WARNING:  HV024: skipping foreign table "(empty|parent|bytes|zero)"/g), 4,
	'... are skipped') or diag($err);
is(scalar(() = $err =~ /skipping field ".*" of foreign table "good"/g), 2,
	'... and columns of them');
like($err, qr/skipping 2 entries of the metadata of HiBob/, '... and those without an id');
like($err, qr/ignoring the display name of "fine"/, '... and the name of a table');
psql($db, 'DROP SCHEMA hr CASCADE; CREATE SCHEMA hr');
tell($sim, 'reset');

body('/company/reports', '{"views":[{"id":1,"name":"First"},{"id":2,"name":"Second"},{"id":3,"name":"Third"}]}');
tell($sim, 'fault', { endpoint => '/company/reports/{report_id}/download', status => 200,
	content_type => 'text/csv', body => qq("unclosed\n1,2\n) });
tell($sim, 'fault', { endpoint => '/company/reports/{report_id}/download', status => 404 });
body('/company/reports/{report_id}/download', qq(caf\xe9,b,*,"a.*",c\n1,2,3,4,5\n), 'text/csv');
my $reports = q{IMPORT FOREIGN SCHEMA hibob %s FROM SERVER bob INTO hr
	OPTIONS (custom_fields 'false', reports 'true');};
($out, $err) = psql($db, sprintf($reports, '') . sprintf($COLUMNS, 'third', 0)
	  . q{; SELECT "column_2" FROM hr.third});
is($out, "b|{field=b}\ncolumn_2|{field=*}\nc|{field=c}\n3",
	'a report with a label that is not UTF-8 is read') or diag($err);
is(scalar(() = $err =~ /WARNING:  \w+: skipping foreign table "(first|second)"/g), 2,
	'... and reports that cannot be read are skipped') or diag($err);
like($err, qr/skipping column "caf\?" of foreign table "third"/, '... as are labels');
tell($sim, 'reset');
psql($db, 'DROP SCHEMA hr CASCADE; CREATE SCHEMA hr');

# A report that the command names is an error, and so are errors of all reports.
body('/company/reports', '{"views":[{"id":1,"name":"First"}]}');
tell($sim, 'fault', { endpoint => '/company/reports/{report_id}/download', status => 404 });
($out, $err) = psql($db, sprintf($reports, 'LIMIT TO (first)'));
is(join(' ', states($err)), 'HV00R', 'a report that the command names') or diag($err);
tell($sim, 'fault', { endpoint => '/company/reports/{report_id}/download', status => 401, times => 2 });
($out, $err) = psql($db, sprintf($reports, ''));
is(join(' ', states($err)), '28000', 'rejected credentials') or diag($err);
psql($db, q{SELECT hibob_fdw_disconnect_all(); ALTER USER MAPPING FOR CURRENT_USER
	SERVER bob OPTIONS (SET service_user_id 'SERVICE-5772')});
tell($sim, 'reset');

# --- encodings -------------------------------------------------------------------

my @names = (
	["work.custom.field_1", "\xc4\xb0zmir"],                 # a dotted capital I
	["work.custom.field_2", "Stra\xc3\x9fe"],
	["work.custom.field_3", "\xe5\x90\x8d\xe5\x89\x8d" x 12],   # 72 bytes of kanji
	["work.custom.field_4", "A" . "\xc3\x84" x 40],
	["work.custom.\xc4\xb0", "Dotted"],
	["work.custom.\xe5\x90\x8d", "Kanji"],
	["work.custom.field_5", "Na\xffme"],
	["work.custom.field_6", "\xd0\x96\xd0\xb8"]);             # Cyrillic
foreach my $encoding ('UTF8', 'EUC_JP', 'SQL_ASCII', 'LATIN1', 'LATIN9', 'WIN1251',
	'EUC_KR', 'KOI8R')
{
	my $database = database($encoding);

	body('/company/people/fields', fields(@names));
	($out, $err) = psql($database, sprintf($IMPORT, 'people', q{custom_fields 'true'})
		  . q{SELECT hibob_fdw_comment_columns('hr') >= 31;
		SELECT count(*) >= 33 FROM pg_attribute WHERE attrelid = 'hr.people'::regclass AND attnum > 0;
		SELECT bool_and(attname !~ '[\x01-\x1f]' AND octet_length(attname::text) < 64) FROM pg_attribute
		 WHERE attrelid = 'hr.people'::regclass AND attnum > 0;});
	is($out, "t\nt\nt", "$encoding: fields are imported") or diag($err);
	unlike($err, qr/ERROR/, '... without an error') or diag($err);
	tell($sim, 'reset');

	# The columns can be read by their names, and the dump can be restored in the
	# same encoding and in UTF-8.
	($out, $err) = psql($database, q{SELECT 'SELECT ' || string_agg('count(' || quote_ident(attname) || ')', '+') || ' > 0 FROM hr.people'
		FROM pg_attribute WHERE attrelid = 'hr.people'::regclass AND (attnum = 1 OR attnum > 31) \gexec});
	is($out, 't', '... can be read') or diag($err);
	foreach my $into ($encoding, $encoding eq 'UTF8' ? () : 'UTF8')
	{
		my $copy = 'copy_' . lc("${encoding}_$into");
		my $file = PostgreSQL::Test::Utils::tempdir . "/$copy.sql";

		query($node, qq{CREATE DATABASE $copy ENCODING '$into' LC_COLLATE 'C'
			LC_CTYPE 'C' TEMPLATE template0});
		$node->command_ok([ 'pg_dump', '-f', $file, $database ], "... dumped");
		if ($encoding eq 'SQL_ASCII')
		{
			my $dump = slurp_file($file) =~ s/client_encoding = 'SQL_ASCII'/client_encoding = 'UTF8'/r;
			open my $out, '>', $file or die $!;
			print $out $dump;
			close $out;
		}
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $copy, '-f', $file ],
			"... and restored in $into");
	}
}

done_testing();
