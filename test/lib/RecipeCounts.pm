# The numbers of rows that the queries of the recipes have to find, counted from
# HiBob's JSON and local tables, without hibob_fdw.
package RecipeCounts;

use strict;
use warnings;
use Exporter 'import';
use HibobTest qw(hibob read_pages);
use JSON::PP;

our @EXPORT = qw(counted);

# The simulator, today's date, and how to run SQL in the page's database.
my ($url, $today, $sql);

sub sql { return $sql->(@_) }

# The date this number of days from today.
sub day
{
	return sql("SELECT DATE '$today' + $_[0]");
}

# The rows of a local table, as lists.
sub table
{
	my ($sql) = @_;
	return map { [ split /\|/, $_, -1 ] } split /\n/, sql($sql);
}

# All people, as hashes.
sub people
{
	my %field = (id => 'root.id', email => 'root.email',
		number => 'work.employeeIdInCompany', department => 'work.department',
		site => 'work.site', manager => 'work.manager',
		start => 'work.startDate', status => 'internal.status',
		end => 'internal.terminationDate',
		cost_centre => 'work.custom.field_1667499206086');
	my $answer = decode_json(hibob($url, '/people/search',
			{ fields => [ values %field ], showInactive => JSON::PP::true }));
	my @people;

	foreach my $employee (@{ $answer->{employees} })
	{
		my %person;
		foreach (keys %field)
		{
			my $value = $employee->{ '/' . $field{$_} =~ tr{.}{/}r };
			$person{$_} = $value->{value} // '';
		}
		$person{left} = $person{status} eq 'Inactive' && $person{end} ne ''
		  && $person{end} lt $today;
		push @people, \%person;
	}
	return @people;
}

# All licences: the app, the account, and the person or undef.
sub licences
{
	my @people = @_;
	my %by_email = map { lc $_->{email} => $_ } grep { $_->{email} } @people;
	my %by_id = map { $_->{id} => $_ } @people;
	my %alias = map { $_->[0] => $by_id{ $_->[1] } }
	  table('SELECT account, employee_id FROM hr.account_alias');

	return map {
		my ($app, $account, $last_used) = @$_;
		{ app => $app, account => $account, last_used => $last_used,
			person => $alias{$account} // $by_email{ lc $account } }
	} table('SELECT app, account, last_used FROM hr.licence');
}

sub departments
{
	my $list = decode_json(hibob($url,
			'/company/named-lists/department?includeArchived=true'));
	return map { $_->{id} => $_->{name} // $_->{value} } @{ $list->{items} };
}

# The number of distinct values that are defined.
sub different
{
	my %seen = map { $_ => 1 } grep { defined } @_;
	return scalar keys %seen;
}

# Licences of current employees that have not been used for 90 days.
sub unused
{
	my $limit = day(-90);

	return grep {
		$_->{person} && !$_->{person}{left} && $_->{person}{start} le $today
		  && (!$_->{last_used} || $_->{last_used} lt $limit)
	} licences(people());
}

sub movers
{
	my $from = day(-180);
	my @people = people();
	my %department = departments();
	my @standard = table('SELECT app, department FROM hr.standard_app');
	my @licences = licences(@people);
	my %found;

	foreach my $page (read_pages($url, '/bulk/people/work?limit=200'))
	{
		foreach my $group (@{ decode_json($page)->{results} })
		{
			my ($id, $rows) = @$group{qw(employeeId values)};
			foreach my $row (@$rows)
			{
				my $end = $row->{endEffectiveDate} // '';
				next if $end le $from || $end gt $today;
				my $old = $department{ $row->{department} // '' } // '';
				foreach my $licence (@licences)
				{
					my $p = $licence->{person};
					next if !$p || $p->{id} ne $id;
					my $new = $department{ $p->{department} } // '';
					my @for = map { $_->[1] }
					  grep { $_->[0] eq $licence->{app} } @standard;
					$found{"$id/$old/$licence->{app}"} = 1
					  if $new ne $old && grep({ $_ eq $old } @for)
					  && !grep { $_ eq '' || $_ eq $new } @for;
				}
			}
		}
	}
	return keys %found;
}

# Employee number 7 and everyone below, once each, also if managers form a cycle.
sub tree
{
	my @people = people();
	my @tree = grep { $_->{number} == 7 } @people;
	my %seen = map { $_->{id} => 1 } @tree;

	for (my $at = 0; $at < @tree; $at++)
	{
		push @tree, grep { $_->{manager} eq $tree[$at]{id} && !$seen{ $_->{id} }++ }
		  @people;
	}
	return @tree;
}

my %counted = (
	leavers => sub {
		different(map { $_->{person}{id} }
			  grep { $_->{person} && $_->{person}{left} } licences(people()));
	},
	leaving => sub {
		my $to = day(30);
		scalar grep {
			my $end = $_->{person} ? $_->{person}{end} : '';
			$end gt $today && $end le $to
		} licences(people());
	},
	nobodys => sub { scalar grep { !$_->{person} } licences(people()) },
	unused => sub { scalar unused() },
	cost_centres => sub {
		different(map { $_->{person}{cost_centre} }
			  grep { $_->{person} } licences(people()));
	},
	movers => sub { scalar movers() },
	tree => sub { scalar tree() },
	orphans => sub {
		my @people = people();
		my %gone = map { $_->{id} => 1 } grep { $_->{left} } @people;
		different(map { $_->{person}{manager} }
			  grep {
				$_->{person} && !$_->{person}{left}
				  && $gone{ $_->{person}{manager} }
			  } licences(@people));
	});

# The count with this name.  The source has the keys url, today and sql.
sub counted
{
	my ($name, %source) = @_;
	my $count = $counted{$name} or die "there is no count $name";

	($url, $today, $sql) = @source{qw(url today sql)};
	return $count->();
}

1;
