# Bulk tables: all rows in each form of the response, with the right endpoint and
# the largest pages.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use ExpectedRows;
use HibobTest qw(:DEFAULT reset_simulator read_pages load_pages differences);
use JSON::PP;
use List::Util qw(uniq);
use Test::More;

my $sim = start_simulator(employees => 120);
my $node = new_cluster('bulk_tables', "jit = off\n");

add_server($node, 'bob', $sim, q{max_retries '0', read_timeout '20s'});
prepare_expected($node);

# ------------------------------------------------------------------------
# Rows in groups by employee
# ------------------------------------------------------------------------

my @tables = bulk_tables();

reset_simulator($sim);
expect_bulk_table($node, $sim, $_) foreach @tables;
cmp_ok(query($node, 'SELECT count(*) FROM expected.work_history'), '>', 250,
	'there are rows');

foreach my $form (
	{ bulk_form => 'plain', cursor_key => 'next_cursor' },
	{ bulk_form => 'wrapped', cursor_key => 'cursor' },
	{ bulk_form => 'plain', cursor_key => 'cursor', page_entries => 7 },
	{ bulk_form => 'wrapped', cursor_key => 'next_cursor', page_entries => 7 },
	{ bulk_form => 'plain', group_order => 'values', empty_groups => 'null',
		page_entries => 7 },
	{ bulk_form => 'wrapped', group_order => 'values', empty_groups => 'empty' },
	{ bulk_form => 'wrapped', cursor_key => 'next_cursor', page_entries => 1,
		whitespace => JSON::PP::true })
{
	my $name = join ', ', map { "$_ $form->{$_}" } sort keys %$form;
	my $most = $form->{page_entries} // 200;

	foreach my $table (@tables)
	{
		my $path = bulk_path($table);

		next if $most == 1 && $table !~ /^(?:deductions|right_to_work)$/;
		reset_simulator($sim, %$form);
		is(differences($node, "SELECT * FROM bob.$table",
				"SELECT * FROM expected.$table"), '', "$table: $name");
		my @requests = requests($sim);
		my $entries = query($node, "SELECT count(*) FROM expected.$table");
		is_deeply([ uniq map { "$_->{path} $_->{query}{limit} $_->{status}" }
				@requests ], [ "/v1$path 200 200" ],
			'... with the right endpoint and the largest pages');
		is(scalar @requests, int(($entries - 1) / $most) + 1,
			'... and with as few requests as possible');
	}
}

# ------------------------------------------------------------------------
# Entries in nested arrays
# ------------------------------------------------------------------------

reset_simulator($sim);
my $OPENING = '/positionOpening/';
my @opening_fields = map { "$OPENING$_" } qw(positionOpeningName positionId status
  recruitmentStatus expectedStartDate actualStartDate filledBy
  updateEffectiveDate);
load_pages($node, 'pages.position_openings',
	read_pages($sim, '/positions/position-openings/search',
		{ fields => \@opening_fields, filters => [],
			includeHumanReadable => JSON::PP::true,
			pagination => { limit => 100 } }));
load_pages($node, 'pages.job_roles', read_pages($sim,
		'/job-catalog/job-roles?limit=100'));
load_pages($node, 'pages.job_families', read_pages($sim,
		'/job-catalog/job-families?limit=100'));
query($node, q{
	CREATE FOREIGN TABLE bob.position_openings (name text, position_id text,
		position text, status text, status_name text
			OPTIONS (field '/positionOpening/status', value 'human'),
		recruitment_status text, expected_start_date date,
		actual_start_date date, filled_by text, filled_by_name text,
		update_effective_date date)
		SERVER bob OPTIONS (resource 'position_openings');
	CREATE FOREIGN TABLE bob.job_roles (id bigint, name text, description text)
		SERVER bob OPTIONS (resource 'job_roles');
	CREATE FOREIGN TABLE bob.job_families (id bigint, name text,
		description text) SERVER bob OPTIONS (resource 'job_families');
});

sub of_object
{
	my ($key, $type, $form) = @_;
	return $form ? "coalesce(r #>> '{$key,humanReadable}', r #>> '{$key,value}')"
	  : "(r #>> '{$key,value}')::$type";
}
my %objects = (
	position_openings => [ 'positionOpeningEntries',
		join ', ', map { of_object("$OPENING$_->[0]", $_->[1], $_->[2]) } (
			[ 'positionOpeningName', 'text' ], [ 'positionId', 'text' ],
			[ 'positionId', 'text', 1 ], [ 'status', 'text' ],
			[ 'status', 'text', 1 ], [ 'recruitmentStatus', 'text' ],
			[ 'expectedStartDate', 'date' ], [ 'actualStartDate', 'date' ],
			[ 'filledBy', 'text' ], [ 'filledBy', 'text', 1 ],
			[ 'updateEffectiveDate', 'date' ]) ],
	job_roles => [ 'JobRoleEntries', join ', ',
		map { of_object("/jobRole/$_->[0]", $_->[1]) }
		  [ 'id', 'bigint' ], [ 'name', 'text' ], [ 'description', 'text' ] ],
	job_families => [ 'JobFamilyEntries', join ', ',
		map { of_object("/jobFamily/$_->[0]", $_->[1]) }
		  [ 'id', 'bigint' ], [ 'name', 'text' ], [ 'description', 'text' ] ]);
foreach my $table (sort keys %objects)
{
	my ($key, $select) = @{ $objects{$table} };

	foreach my $form ('flat', 'nested')
	{
		foreach my $entries (0, 7, 25)
		{
			reset_simulator($sim, entries_form => $form, page_entries => $entries);
			is(differences($node, "SELECT * FROM bob.$table",
					"SELECT $select FROM pages.$table,
						jsonb_array_elements(page -> '$key') AS r"), '',
				"$table: $form, pages of $entries");
		}
	}
}

done_testing();
