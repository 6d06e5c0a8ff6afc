# A psql into which a person types, one block after another.  Its output and its
# errors are one text, as on a terminal.
package TypedSession;

use strict;
use warnings;
use IPC::Open3;

my $MARK = '-- end of the block --';

sub new
{
	my ($class, $node, $database, $role) = @_;
	my $self = bless {}, $class;
	local $ENV{PGTZ} = $ENV{PGTZ} // 'UTC';

	$self->{pid} = open3($self->{in}, $self->{out}, undef, 'psql', '-X', '-d',
		$node->connstr($database) . " user='$role'");
	binmode $self->{in}, ':raw';
	$self->{in}->autoflush(1);
	return $self;
}

# What psql prints, and the SQLSTATE of the last error or "00000".
sub type
{
	my ($self, $text) = @_;
	my $output = '';

	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "\\set LAST_ERROR_SQLSTATE 00000\n$text\n"
	  . "\\echo '$MARK' :LAST_ERROR_SQLSTATE\n";
	while (defined(my $line = readline $self->{out}))
	{
		return ($output, $1) if $line =~ /^\Q$MARK\E (\w{5})$/;
		$output .= $line;
	}
	return ("${output}psql has ended", 'XXXXX');
}

sub finish
{
	my ($self) = @_;

	return unless defined $self->{pid};
	close $self->{in};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);
	$self->finish;
	return;
}

1;
