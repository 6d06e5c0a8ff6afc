# Pages of doc/recipes that stand alone.  Each has a database of its own, with the
# schema hr of a roster and of all other tables, and each of its ```sql blocks runs
# in its own psql, in order.  (documentation.pl is about the other pages.)
#
# HTML comments directly before a block contain the expected result:
#
#   <!-- rows: 3 -->            it prints 3 rows
#   <!-- result: a | b | * -->  the first row begins like this; * is any value
#   <!-- output: /regex/ -->    the output or the errors of psql match this
#   <!-- not output: /regex/ -->
#   <!-- fails: 42501 -->       only the last statement fails, with this SQLSTATE
#   <!-- requests: 1 -->        the block makes this number of requests
#   <!-- requests: 1 /people/search -->          ... all of them of this endpoint
#
# or what the test does before it:
#
#   <!-- simulator: config {"audience": "employed"} -->    config, fault, reset
#
# Several comments of one kind apply one after another.  An output below a block
# (```) is what psql prints there; "varies" is that of documentation.pl.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use DocPage;
use HibobTest qw(:DEFAULT far_from_midnight);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $database, $today, $sim);

sub run_page
{
	my ($page) = @_;
	my ($name) = $page =~ m{([^/]*)\.md$};

	($database = "recipes_$name") =~ tr/-/_/;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	reset_company();
	subtest $page => sub {
		quick_start();
		run_block($page, $_) foreach grep { $_->{type} eq 'sql' } read_page($page);
		ok(1, "$page ends");
	};
	return;
}

sub reset_company
{
	tell($sim, 'reset');
	tell($sim, 'config', { today => $today });
	return;
}

sub quick_start
{
	$node->safe_psql($database, qq{
		CREATE EXTENSION hibob_roster CASCADE;
		CREATE SERVER bob FOREIGN DATA WRAPPER hibob_fdw
			OPTIONS (base_url '$sim/v1');
		CREATE USER MAPPING FOR CURRENT_USER SERVER bob
			OPTIONS (service_user_id 'SERVICE-5772', token '$TOKEN');
		CREATE SCHEMA hr;
		IMPORT FOREIGN SCHEMA hibob FROM SERVER bob INTO hr;
	});
	return;
}

sub run_block
{
	my ($page, $block) = @_;
	my $name = "$page:$block->{line}";
	my $sql = join "\n", @{ $block->{lines} }, '';

	foreach (comments_of($block, 'simulator'))
	{
		my ($command, $what) = split / /, $_, 2;

		reset_company(), next if $command eq 'reset';
		tell($sim, $command, defined $what ? decode_json($what) : undef);
	}
	requests($sim);

	my @marks = ('-F', "\x1f", '-R', "\x1e");
	my ($status, $out, $err) = $node->psql($database,
		"\\set VERBOSITY verbose\n$sql",
		on_error_stop => 1, extra_params => \@marks);
	my @states = $err =~ /ERROR:  ([0-9A-Z]{5}):/g;
	my @rows = split /\x1e/, $out;

	is("@states", join(' ', comments_of($block, 'fails')), "$name: errors")
	  or diag($err);
	if (comments_of($block, 'fails'))
	{
		# The last statement fails: psql prints the line.
		my ($line) = $err =~ /^psql:<stdin>:(\d+): ERROR/m;
		is($line, @{ $block->{lines} } + 1, "$name: ... in the last statement");
	}
	foreach (@{ $block->{comments} })
	{
		my ($what, undef, $value) = @$_;

		is(scalar @rows, $value, "$name: rows") if $what eq 'rows';
		check_result($name, $value, $rows[0]) if $what eq 'result';
		check_requests($name, $value) if $what eq 'requests';
		like("$out\n$err", perl_regex($value), "$name: output")
		  if $what eq 'output';
		unlike("$out\n$err", perl_regex($value), "$name: not in the output")
		  if $what eq 'not output';
	}
	return;
}

sub perl_regex
{
	my ($regex, $flags) = $_[0] =~ m{^/(.*)/(s?)$} or die "no /regex/: $_[0]";
	return $flags ? qr/$regex/s : qr/$regex/;
}

sub check_result
{
	my ($name, $value, $row) = @_;
	my @expected = map { s/^\s+|\s+$//gr } split /\|/, $value;
	my @got = split /\x1f/, $row // '', -1;

	$#got = $#expected if @got > @expected;
	foreach (0 .. $#got)
	{
		$got[$_] = '*' if $expected[$_] eq '*';
	}
	is(join(' | ', @got), join(' | ', @expected), "$name: first row");
	return;
}

sub check_requests
{
	my ($name, $value) = @_;
	my ($count, $endpoint) = split / /, $value;
	my @seen = requests($sim);

	is(scalar @seen, $count, "$name: requests");
	is($_->{endpoint}, $endpoint, "$name: ... of the endpoint")
	  foreach defined $endpoint ? @seen : ();
	return;
}

far_from_midnight();
$node = new_cluster('recipes');
$today = $node->safe_psql('postgres', 'SELECT current_date');
$sim = start_simulator(today => $today, employees => 500);

my %story = map { ("doc/recipes/$_.md" => 1) }
  qw(licences materialized-views several-accounts);
my @pages = grep { !$story{$_} } sort glob 'doc/recipes/*.md';
ok(@pages >= 1, 'there are pages');
run_page($_) foreach @pages;

# Links between pages have targets, headings included.
my %anchors;
sub anchors
{
	my ($file) = @_;
	$anchors{$file} //= { map { (lc(s/[^\w\s-]//gr) =~ tr/ /-/r => 1) }
		  slurp_file($file) =~ /^#+ (.*)$/mg };
	return $anchors{$file};
}
foreach my $page ('README.md', sort glob('doc/*.md'), glob 'doc/recipes/*.md')
{
	my ($directory) = $page =~ m{^(.*/)?};
	$directory //= '';
	foreach my $link (slurp_file($page) =~ /\]\(([^)\s]*)\)/g)
	{
		my ($file, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;

		next if $link =~ /^https?:/;
		$file = $file eq '' ? $page : "$directory$file";
		ok(-e $file, "$page: link to $link") or next;
		ok(anchors($file)->{$anchor}, "$page: heading of $link")
		  if defined $anchor && $file =~ /\.md$/;
	}
}

done_testing();
