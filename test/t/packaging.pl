# Files for distributors: META.json for PGXN, the zip file of "make dist", the same
# version in all files, and the same requirements in all packages.

use strict;
use warnings;
use Cwd;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

# --- META.json, by PGXN's Meta Spec 1.0.0 ----------------------------------

my $SEMVER = qr/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
my $TERM = qr{^[^\s/\\\x00-\x1f]{2,}$};
my %LICENSES = map { $_ => 1 } qw(agpl_3 apache_1_1 apache_2_0 artistic_1
	artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0
	mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib
	open_source restricted unrestricted unknown);

sub is_text { return defined $_[0] && !ref $_[0] && $_[0] =~ /\S/ }
sub is_texts { return ref $_[0] eq 'ARRAY' && @{ $_[0] } && !grep { !is_text($_) } @{ $_[0] } }

# The invalid parts of a version requirement: "1.2.0" or ">= 1.2.0, < 2.0.0".
sub bad_range
{
	my ($range) = @_;
	return grep { !/^(?:(?:<=|>=|==|!=|<|>)\s*)?(\S+)$/ || $1 ne '0' && $1 !~ $SEMVER }
	  split /\s*,\s*/, $range;
}

# All defects of META.json.
sub meta_defects
{
	my ($meta) = @_;
	my @defects;
	my %known = map { $_ => 1 } qw(abstract maintainer license provides name version
		meta-spec description generated_by no_index prereqs release_status resources
		tags);

	push @defects, "unknown $_" foreach grep { !$known{$_} && !/^x_/i } keys %$meta;
	push @defects, "no $_" foreach grep { !is_text($meta->{$_}) } qw(abstract name version);
	push @defects, 'name' if ($meta->{name} // '') !~ $TERM;
	push @defects, 'version' if ($meta->{version} // '') !~ $SEMVER;
	push @defects, 'maintainer'
	  unless is_text($meta->{maintainer}) || is_texts($meta->{maintainer});
	push @defects, 'license'
	  if ref $meta->{license} eq 'HASH'
	  ? grep { !m{^https?://} } values %{ $meta->{license} }
	  : grep { !$LICENSES{ $_ // '' } }
	  ref $meta->{license} ? @{ $meta->{license} } : $meta->{license};
	push @defects, 'meta-spec'
	  unless ($meta->{'meta-spec'}{version} // '') eq '1.0.0'
	  && ($meta->{'meta-spec'}{url} // '') =~ m{^https?://pgxn\.org/meta/spec\.txt$};
	push @defects, 'release_status'
	  unless ($meta->{release_status} // 'stable') =~ /^(?:stable|testing|unstable)$/;
	push @defects, 'tags'
	  if exists $meta->{tags}
	  && (!is_texts($meta->{tags}) || grep { length > 255 || m{[/\\\x00-\x1f]} } @{ $meta->{tags} });
	push @defects, 'generated_by'
	  if exists $meta->{generated_by} && !is_text($meta->{generated_by});
	return @defects, provides_defects($meta->{provides}), prereqs_defects($meta->{prereqs});
}

sub provides_defects
{
	my ($provides) = @_;
	my @defects;

	return 'provides' unless ref $provides eq 'HASH' && %$provides;
	foreach my $name (keys %$provides)
	{
		my $extension = $provides->{$name};

		push @defects, "provides $name" if $name !~ $TERM;
		push @defects, "$name: version" if ($extension->{version} // '') !~ $SEMVER;
		push @defects, "$name: $_ is no file"
		  foreach grep { !-f } $extension->{file} // '(none)',
		  exists $extension->{docfile} ? $extension->{docfile} : ();
		push @defects, "$name: unknown $_"
		  foreach grep { !/^(?:file|version|abstract|docfile|x_.*)$/i } keys %$extension;
	}
	return @defects;
}

sub prereqs_defects
{
	my ($prereqs) = @_;
	my @defects;

	foreach my $phase (keys %{ $prereqs // {} })
	{
		push @defects, "phase $phase"
		  unless $phase =~ /^(?:configure|build|test|runtime|develop|x_.*)$/i;
		foreach my $relation (keys %{ $prereqs->{$phase} })
		{
			push @defects, "relation $relation"
			  unless $relation =~ /^(?:requires|recommends|suggests|conflicts|x_.*)$/i;
			push @defects, map { "prerequisite $_" }
			  map { bad_range($_) } values %{ $prereqs->{$phase}{$relation} };
		}
	}
	return @defects;
}

my $meta = decode_json(slurp_file('META.json'));
is(join(', ', meta_defects($meta)), '', 'META.json is valid');
foreach my $change ([ sub { delete $_[0]{abstract} }, 'no abstract' ],
	[ sub { $_[0]{version} = '1.0' }, 'version' ],
	[ sub { $_[0]{license} = 'ours' }, 'license' ],
	[ sub { $_[0]{colour} = 'red' }, 'unknown colour' ],
	[ sub { $_[0]{tags} = [ 'a/b' ] }, 'tags' ],
	[ sub { $_[0]{provides}{hibob_fdw}{file} = 'none.sql' },
		'hibob_fdw: none.sql is no file' ],
	[ sub { $_[0]{prereqs}{runtime}{requires}{PostgreSQL} = '15' }, 'prerequisite 15' ],
	[ sub { $_[0]{'meta-spec'}{version} = '2' }, 'meta-spec' ])
{
	my $changed = decode_json(slurp_file('META.json'));

	$change->[0]->($changed);
	is(join(', ', meta_defects($changed)), $change->[1],
		"... the check finds: $change->[1]");
}

# --- one version -----------------------------------------------------------

# The SQL objects have version 1.0, the distribution 1.0.0.
my ($version) = slurp_file('hibob_fdw.control') =~ /^default_version = '(.*)'$/m;
my $full = $meta->{version};
like($full, qr/^\Q$version\E\.\d/,
	'the version of the distribution begins with that of the SQL objects');
is($meta->{provides}{hibob_fdw}{file}, "hibob_fdw--$version.sql",
	'... META.json names the script');
is($meta->{provides}{hibob_fdw}{version}, $full, '... and the version');
my ($roster) = slurp_file('hibob_roster.control') =~ /^default_version = '(.*)'$/m;
is($meta->{provides}{hibob_roster}{file}, "hibob_roster--$roster.sql",
	'META.json names the script of hibob_roster');
is($meta->{provides}{hibob_roster}{version}, "$roster.0", '... and its version');
like(slurp_file('packaging/hibob_fdw.spec'), qr{/hibob_roster\.control$}m,
	'the RPM spec has hibob_roster');
like(slurp_file('packaging/Containerfile'), qr/^COPY .*\bhibob_\*--\*\.sql/m,
	'... and the container');
like(slurp_file('debian/changelog'), qr/\Ahibob-fdw \(\Q$full\E-\S+\)/, 'debian/changelog');
like(slurp_file('packaging/hibob_fdw.spec'), qr/^Version:\s+\Q$full\E$/m, 'the RPM spec');
like(slurp_file('CHANGELOG.md'), qr/^## \Q$version\E\b/m, 'CHANGELOG.md');
like(slurp_file('src/hibob_fdw.c'), qr/^#define HIBOB_FDW_VERSION "\Q$version\E"$/m,
	'the library');

# --- the same requirements everywhere ----------------------------------------

my ($curl) = slurp_file('Makefile') =~ /'libcurl >= (\S+)'/;
is($meta->{prereqs}{runtime}{requires}{PostgreSQL}, '15.0.0', 'PostgreSQL for PGXN');
is(slurp_file('debian/pgversions'), "15+\n", '... and for Debian');
foreach my $file ('debian/control.in', 'debian/control')
{
	like(slurp_file($file), qr/libcurl4-openssl-dev \(>= \Q$curl\E\)/, "$file: libcurl");
}
is(slurp_file('debian/control'), slurp_file('debian/control.in') =~ s/PGVERSION/15/gr,
	'debian/control is generated from debian/control.in');
like(slurp_file('packaging/hibob_fdw.spec'), qr/^BuildRequires:.*libcurl-devel >= \Q$curl\E/m,
	'the RPM spec: libcurl');

# --- make dist -------------------------------------------------------------

SKIP:
{
	skip 'no git', 5 if system('git --version >/dev/null 2>&1') != 0;
	my $clone = PostgreSQL::Test::Utils::tempdir;
	my $name = "hibob_fdw-$full";
	my $output;

	IPC::Run::run([ 'sh', '-ec', q{
			tar --exclude='*.o' --exclude='*.so' --exclude='*.bc' --exclude=./tmp_check \
				--exclude=./results -cf - . | tar -C "$0" -xf -
			cd "$0"
			export GIT_CONFIG_NOSYSTEM=1 HOME="$0"
			git init -q
			git add .
			git -c user.name=t -c user.email=t@t.invalid commit -q -m t
			unset MAKEFLAGS MAKELEVEL
			make -s dist PG_CONFIG=/nowhere/pg_config PKG_CONFIG=false}, $clone ],
		'>&', \$output) or diag($output);
	ok(-s "$clone/$name.zip",
		'make dist writes a zip file, without a server or libraries');
	my ($list) = run_command([ 'python3', '-c', 'import sys, zipfile
for name in zipfile.ZipFile(sys.argv[1]).namelist(): print(name)', "$clone/$name.zip" ]);
	my @names = split /\n/, $list;
	is(join(' ', grep { !m{^\Q$name\E/} } @names), '', '... with one top directory');
	my %there = map { s{^\Q$name\E/}{}r => 1 } @names;
	is(join(' ', grep { !$there{$_} } qw(META.json Makefile README.md CHANGELOG.md
				LICENSE hibob_fdw.control hibob_roster.control hibob_roster--1.0.sql
				src/hibob_fdw.c sql/people.sql
				expected/people.out test/simulator/__main__.py),
			$meta->{provides}{hibob_fdw}{file}), '', '... with all sources');
	is(join(' ', grep { m{\.(?:o|so|bc|pyc)$|/\.git/} } @names), '',
		'... and no built files');
	like($output // '', qr/^$/, '... without output');
}

# --- RPM and container -----------------------------------------------------

SKIP:
{
	skip 'no rpmspec', 2 if system('rpmspec --version >/dev/null 2>&1') != 0;
	my ($out, $err) = run_command([ 'rpmspec', '-q', '--define', 'pgmajorversion 17',
		'--queryformat', '%{name} %{version}\n', 'packaging/hibob_fdw.spec' ]);
	like($out, qr/^hibob_fdw_17 \Q$full\E$/m, 'rpmspec reads the spec');
	is($err, '', '... without warnings');
}
my $container = slurp_file('packaging/Containerfile');
like($container, qr/^ARG PG_MAJOR=(?:15|17|18)\n(?:.*\n)*?FROM postgres:\$\{PG_MAJOR\}/m,
	'the container uses the official image');
unlike($container, qr{^FROM \S+\.\S+/}m, '... and names no registry');

done_testing();
