# The pages of the documentation: their blocks, and what a reader who types them
# into psql sees.
#
# A page is a list of blocks:
#
#   ```sql     statements.  They may have prompts, "hr_owner=> ", which name the
#              role that types them; further lines of a statement are indented.
#   ```        directly after them (only blank lines between): what psql prints.
#   ```sh      commands of a shell, with the prompt "$ " or, of root, "# "
#   ```text    anything else
#
# HTML comments directly before a ```sql block change how it is tested; the tests
# that use them explain them.
package DocPage;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(read_page comments_of typed is_silent same_output);

# The blocks of a page, as hashes: type, line (where it begins), lines, comments
# as [what, server, value], and of SQL the output, a block of its own, if any.
sub read_page
{
	my ($file) = @_;
	my (@blocks, @comments, $block, $before);
	my $line = 0;

	foreach (split /\n/, slurp_file($file))
	{
		$line++;
		if (defined $block)
		{
			if (/^```$/)
			{
				$block->{end} = $line;
				undef $block;
			}
			else
			{
				push @{ $block->{lines} }, $_;
			}
		}
		elsif (/^```(\w*)$/)
		{
			$block = { type => $1 || 'output', line => $line, lines => [],
				comments => [@comments] };
			@comments = ();
			if ($block->{type} eq 'output')
			{
				die "$file:$line: this output follows no SQL" unless $before;
				$before->{output} = $block;
				undef $before;
			}
			else
			{
				push @blocks, $block;
				$before = $block->{type} eq 'sql' ? $block : undef;
			}
		}
		elsif (/^<!-- (not output|\w+)(?: (\w+))?: (.*) -->$/)
		{
			push @comments, [ $1, $2 // 'bob', $3 ];
		}
		else
		{
			die "$file:$line: what is this?" if @comments or /^<!--/ or /^```/;
			undef $before if /\S/;
		}
	}
	die "$file: the last block does not end" if defined $block;
	return @blocks;
}

# The values of a block's comments of one kind.
sub comments_of
{
	my ($block, $what) = @_;
	return map { $_->[2] } grep { $_->[0] eq $what } @{ $block->{comments} };
}

# What is typed in a block: a list of [who, text].  Without prompts it is the
# default who types.
sub typed
{
	my ($block, $default) = @_;
	my @typed = ([ $default, '' ]);

	foreach (@{ $block->{lines} })
	{
		if ($block->{type} eq 'sh' ? /^([\$#]) (.*)$/ : /^(\w+)=[>#] (.*)$/)
		{
			push @typed, [ $1, "$2\n" ];
		}
		else
		{
			$typed[-1][1] .= "$_\n";
		}
	}
	return grep { $_->[1] =~ /\S/ } @typed;
}

# Whether psql printed nothing but command tags, for which a page shows no output.
sub is_silent
{
	my ($output) = @_;
	return !grep { !/^[A-Z][A-Z ]+(?: \d+)*$/ } grep { /\S/ } split /\n/, $output;
}

# The comment "varies" of a block names what differs each time it runs.
my %VARIES = (
	dates => qr/\b\d{4}-\d\d-\d\d\b/,
	times => qr/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::\d\d)?)?/,
	durations => qr/\b(?:\d+ days? )?\d\d:\d\d:\d\d(?:\.\d+)?\b/,
	numbers => qr/-?\b\d[\d.]*\b/,
	versions => qr/\b\d+\.\d+(?:\.\d+)?\b/);

# An output in the form in which two of them are compared.
sub comparable
{
	my ($output, @varies) = @_;
	my @lines = map { s/\s+$//r } split /\n/, $output;

	# EXPLAIN (ANALYZE) shows buffers by default since PostgreSQL 18.
	@lines = grep { !/^ *(?:Buffers: .*|Planning:)$/ } @lines;
	foreach my $what (@varies)
	{
		my $regex = $VARIES{$what} or die "varies: $what";
		s/$regex/<$what>/g foreach @lines;
	}
	# The width of columns depends on such values.
	if (@varies)
	{
		s/ +/ /g, s/-{2,}/--/g, s/^ // foreach @lines;
	}
	shift @lines while @lines && $lines[0] eq '';
	pop @lines while @lines && $lines[-1] eq '';
	return join "\n", @lines;
}

# Both outputs in this form.
sub same_output
{
	my ($got, $expected, $block) = @_;
	my @varies = map { split / / } comments_of($block, 'varies');

	return map { comparable($_, @varies) } $got, $expected;
}

1;
