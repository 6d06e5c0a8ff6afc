# Files for distributors: META.json for PGXN, the zip file of "make dist", the same
# version in all files, the same requirements and files in all packages, and the
# software bill of materials.

use strict;
use warnings;
use File::Basename;
use File::Find;
use File::Path 'make_path';
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

# --- what make installs ------------------------------------------------------

my $temporary = PostgreSQL::Test::Utils::tempdir;
my ($libdir, $sharedir) = map { my $path = `pg_config $_`; chomp $path; $path }
  qw(--pkglibdir --sharedir);

# A program in a directory of its own.
sub script
{
	my ($path, $text) = @_;

	make_path(dirname($path));
	open my $file, '>', $path or die "$path: $!";
	print $file "#!/bin/sh\n$text\n";
	close $file;
	chmod 0755, $path;
	return $path;
}

# Runs commands of a shell; dies if one fails.
sub shell
{
	my ($commands, @arguments) = @_;
	my $output;

	local %ENV = (%ENV, GIT_CONFIG_NOSYSTEM => 1, HOME => $temporary);
	delete @ENV{qw(MAKEFLAGS MAKELEVEL PG_CONFIG PKG_CONFIG DESTDIR)};
	IPC::Run::run([ 'sh', '-ec', $commands, @arguments ], '<', \undef, '>&', \$output)
	  or die "$commands: $output";
	return $output;
}

# The files below a directory.
sub files
{
	my ($directory) = @_;
	my @found;

	find({ no_chdir => 1, wanted => sub {
		push @found, substr($_, length $directory) if -f $_ } }, $directory);
	return [ sort @found ];
}

shell('make -s install with_llvm=no DESTDIR="$0"', "$temporary/image");
my $installed = files("$temporary/image");
my @extensions = map { s/\.control$//r } glob('*.control');
is_deeply($installed, [ sort "$libdir/hibob_fdw.so",
	map { "$sharedir/extension/$_" } 'hibob_fdw.cdx.json', glob('*.control *--*.sql') ],
	'make install: the library, both extensions, the bill of materials');
is_deeply([ sort keys %{ $meta->{provides} } ], [ sort @extensions ],
	'META.json provides both extensions');
is(join(' ', grep { my $file = $_->{file}; !grep { m{/\Q$file\E$} } @$installed }
		values %{ $meta->{provides} }), '', '... whose scripts are installed');

# The container builds with the files that it copies.
my @copied = map { split } slurp_file('packaging/Containerfile') =~ /^COPY (?!--)(.*) \S+$/mg;
make_path("$temporary/container");
shell('cp -R --parents "$@" "$0"', "$temporary/container", map { glob } @copied);
my @plans = map { [ grep { m{/image/} } split /\n/, shell('make -n -C "$0" install \
	with_llvm=no DESTDIR=/image', $_) ] } '.', "$temporary/container";
cmp_ok(scalar @{ $plans[0] }, '>', 3, 'make -n install lists commands');
is_deeply($plans[1], $plans[0], '... the same ones in the container');
is_deeply([ map { s{^\./}{}r } sort map { glob } grep { /hibob_/ } @copied ],
	[ sort glob('hibob_*.control hibob_*--*.sql') ], '... which has both extensions');

# --- the bill of materials -----------------------------------------------------

# Missing parts of a CycloneDX document, and references to nothing.
sub sbom_defects
{
	my ($sbom) = @_;
	my @defects;
	my @components = ($sbom->{metadata}{component}, @{ $sbom->{components} // [] });
	my %refs = map { ($_->{'bom-ref'} // '') => 1 } @components;

	push @defects, 'bomFormat' if ($sbom->{bomFormat} // '') ne 'CycloneDX';
	push @defects, 'specVersion' if ($sbom->{specVersion} // '') !~ /^1\.[3-9]$/;
	push @defects, 'version' if ($sbom->{version} // '') !~ /^[1-9]\d*$/;
	push @defects, 'timestamp'
	  if ($sbom->{metadata}{timestamp} // '') !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
	push @defects, 'authors' if !is_text($sbom->{metadata}{authors}[0]{name});
	foreach my $component (@components)
	{
		my $name = $component->{name} // '(no name)';

		push @defects, map { "$name: $_" } grep { !is_text($component->{$_}) }
		  qw(type bom-ref name version purl);
		push @defects, "$name: version" if ($component->{version} // '') !~ /^\d[\w.+~-]*$/;
		push @defects, "$name: supplier" if !is_text($component->{supplier}{name});
		push @defects, "$name: license" if !is_text($component->{licenses}[0]{license}{id});
		push @defects, "$name: purl"
		  if ($component->{purl} // '') ne "pkg:generic/$name\@$component->{version}";
		push @defects, "$name: cpe"
		  if ($component->{cpe} // "cpe:2.3:a:x:x:$component->{version}:")
		  !~ /^cpe:2\.3:a:[\w-]+:[\w-]+:\Q$component->{version}\E:/;
	}
	push @defects, map { "no $_" } grep { !$refs{$_} } map { ($_->{ref}, @{ $_->{dependsOn} }) }
	  @{ $sbom->{dependencies} };
	return @defects;
}

my $text = slurp_file("$temporary/image$sharedir/extension/hibob_fdw.cdx.json");
my $sbom = decode_json($text);
my %component = map { $_->{name} => $_ } @{ $sbom->{components} };
is(join(', ', sbom_defects($sbom)), '', 'the bill of materials is complete');
foreach my $change ([ sub { delete $_[0]{specVersion} }, 'specVersion' ],
	[ sub { delete $_[0]{metadata}{timestamp} }, 'timestamp' ],
	[ sub { $_[0]{components}[1]{version} = '' }, 'PostgreSQL: version, PostgreSQL: version, PostgreSQL: purl, PostgreSQL: cpe' ],
	[ sub { delete $_[0]{components}[2]{licenses} }, 'libcurl: license' ],
	[ sub { $_[0]{dependencies}[0]{dependsOn} = ['none'] }, 'no none' ])
{
	my $changed = decode_json($text);

	$change->[0]->($changed);
	is(join(', ', sbom_defects($changed)), $change->[1],
		"... the check finds: $change->[1]");
}
is("$sbom->{metadata}{component}{name} $sbom->{metadata}{component}{version}",
	"hibob_fdw $full", '... of this version');
is($component{hibob_roster}{version}, $full, '... of both extensions');
my ($server) = `pg_config --version` =~ /^PostgreSQL (\S+)/;
is($component{PostgreSQL}{version}, $server, '... with the version of PostgreSQL');
my $modversion = `pkg-config --modversion libcurl`;
chomp $modversion;
is($component{libcurl}{version}, $modversion, '... and of libcurl');

# It has all that the library is linked with; a sanitizer is none of the product.
my %known = ('libcurl' => 'libcurl', 'libc' => 'glibc');
my @linked = grep { !/^lib(?:asan|ubsan|tsan)$/ }
  map { /\(NEEDED\).*\[([\w+-]+)\.so/ ? $1 : () }
  split /\n/, (run_command([ 'readelf', '-d', "$temporary/image$libdir/hibob_fdw.so" ]))[0];
is_deeply([ sort map { $known{$_} // "unknown: $_" } @linked ],
	[ sort grep { $_ !~ /^(?:PostgreSQL|hibob_roster)$/ } keys %component ],
	'... and with what the library is linked with');
my @again = map { shell("SOURCE_DATE_EPOCH=1000000000 TZ=$_ LC_ALL=$_ packaging/sbom.sh") }
  'UTC', 'Pacific/Kiritimati';
like($again[0], qr/"timestamp": "2001-09-09T01:46:40Z"/, '... at SOURCE_DATE_EPOCH');
is($again[1], $again[0], '... the same everywhere');
my $failed = IPC::Run::run([ 'packaging/sbom.sh' ], '<', \undef, '>', \my $printed,
	'2>', \my $error, init => sub { $ENV{PKG_CONFIG} = 'false' });
ok(!$failed && $printed eq '', 'without a version there is no bill of materials');

# --- make dist -------------------------------------------------------------

my $zip;
SKIP:
{
	skip 'no git', 6 if system('git --version >/dev/null 2>&1') != 0;
	my $name = "hibob_fdw-$full";
	my $output = shell(q{
		mkdir "$0"
		tar --exclude='*.o' --exclude='*.so' --exclude='*.bc' --exclude=./tmp_check \
			--exclude=./results -cf - . | tar -C "$0" -xf -
		cd "$0"
		git init -q
		git add .
		git -c user.name=t -c user.email=t@t.invalid commit -q -m t
		make -s dist PG_CONFIG=/nowhere/pg_config PKG_CONFIG=false},
		"$temporary/clone");

	$zip = "$temporary/clone/$name.zip";
	ok(-s $zip, 'make dist writes a zip file, without a server or libraries');
	my ($list) = run_command([ 'python3', '-c', 'import sys, zipfile
for name in zipfile.ZipFile(sys.argv[1]).namelist(): print(name)', $zip ]);
	my @names = split /\n/, $list;
	is(join(' ', grep { !m{^\Q$name\E/} } @names), '', '... with one top directory');
	my %there = map { s{^\Q$name\E/}{}r => 1 } @names;
	is(join(' ', grep { !$there{$_} } qw(META.json Makefile README.md CHANGELOG.md
				LICENSE src/hibob_fdw.c sql/people.sql packaging/sbom.sh
				expected/people.out test/simulator/__main__.py),
			glob('*.control *--*.sql'), map { ($_->{file}, $_->{docfile}) }
			values %{ $meta->{provides} }), '', '... with all sources');
	is(join(' ', grep { m{\.(?:o|so|bc|pyc|cdx\.json)$|/\.git/} } @names), '',
		'... and no built files');
	is($output, '', '... without output');

	# The clone of another user, who has another configuration.
	shell(q{git clone -q "$0" "$1"; cd "$1"; umask 007; export TZ=Pacific/Kiritimati
		git config core.autocrlf true
		make -s dist PG_CONFIG=/nowhere/pg_config PKG_CONFIG=false
		cmp "$2" *.zip}, "$temporary/clone", "$temporary/another clone", $zip);
	pass('... the same bytes from another clone');
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

# rpmbuild fails if the lists of the spec differ from what make installs.  The
# directories of the server are those of PGDG's packages, below another root.
# Without symbols there is no package of debugging information.
SKIP:
{
	skip 'no rpmbuild, unzip or git', 4
	  if !$zip || system('rpmbuild --version >/dev/null 2>&1 && unzip -v >/dev/null') != 0;
	my $pginstdir = "$temporary/pgsql-17";
	my $bindir = `pg_config --bindir`;

	chomp $bindir;
	script("$pginstdir/bin/pg_config", qq{case \$1 in
		--pkglibdir) echo $pginstdir/lib ;;
		--sharedir) echo $pginstdir/share ;;
		*) exec $bindir/pg_config "\$@" ;;
		esac});
	my $make = script("$temporary/bin/make", 'exec /usr/bin/make -s "CFLAGS=-O0 -fPIC" "$@"');
	shell(q{rpmbuild -bb --nodeps --define 'pgmajorversion 17' --define 'llvm 0' \
		--define 'debug_package %{nil}' --define "pginstdir $1" --define "__make $2" --define "_topdir $0" \
		--define "_sourcedir $(dirname "$3")" packaging/hibob_fdw.spec
		find "$0" -name '*.rpm' -exec rpm -qlp {} + >"$0/list"},
		"$temporary/rpm", $pginstdir, $make, $zip);
	my @listed = map { s{^\Q$pginstdir\E}{}r } grep { m{^\Q$pginstdir\E/} }
	  split /\n/, slurp_file("$temporary/rpm/list");
	is_deeply([ sort @listed ], [ sort map { s{^\Q$libdir\E}{/lib}r =~ s{^\Q$sharedir\E}{/share}r }
			@$installed ], 'rpmbuild: the files of make install');

	# The pages are in the package where they are in the tree.
	my %documents = map { m{/doc/[^/]+/(.*)} ? ($1 => 1) : () }
	  split /\n/, slurp_file("$temporary/rpm/list");
	my @broken;
	foreach my $page (grep { /\.md$/ } sort keys %documents)
	{
		my $directory = $page =~ s{[^/]*$}{}r;

		foreach my $link (slurp_file($page) =~ /\]\((?!https?:)([^)#\s]+)/g)
		{
			my $target = "$directory$link" =~ s{/$}{}r;

			1 while $target =~ s{[^/]+/\.\./}{};
			push @broken, "$page: $link" unless grep { m{^\Q$target\E(?:/|$)} } keys %documents;
		}
	}
	ok($documents{'doc/reference.md'}, '... and the documentation');
	is(join(', ', @broken), '', '... whose links lead to files of the package');
	is(join(', ', grep { /\.sh$/ } keys %documents), '', '... without scripts');
}
my $container = slurp_file('packaging/Containerfile');
like($container, qr/^ARG PG_MAJOR=(?:15|17|18)\n(?:.*\n)*?FROM postgres:\$\{PG_MAJOR\}/m,
	'the container uses the official image');
unlike($container, qr{^FROM \S+\.\S+/}m, '... and names no registry');

done_testing();
