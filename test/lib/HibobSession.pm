# A psql process that a test keeps.  Statements are sent without waiting for
# them, so that many sessions work at the same time; their output is read later.
package HibobSession;

use strict;
use warnings;
use IO::Select;
use IPC::Open3;
use POSIX ();
use Symbol qw(gensym);
use Time::HiRes qw(time);

my $count = 0;

# Options: app, the application_name; set, statements to run first.
sub new
{
	my ($class, $node, %options) = @_;
	my $app = $options{app} // 'session' . $count++;
	my $self = bless { err => gensym, app => $app, text => {}, sent => 0,
		received => 0 }, $class;

	$self->{pid} = open3($self->{in}, $self->{out}, $self->{err}, 'psql', '-XAtq',
		'-v', 'VERBOSITY=verbose', '-d',
		$node->connstr('postgres') . " application_name='$app'");
	$self->{in}->autoflush(1);
	$self->{files} = { out => $self->{out}, err => $self->{err} };
	($self->{backend}) = $self->run('SELECT pg_backend_pid();');
	die "no session: $self->{backend}" unless $self->{backend} =~ /^\d+$/;
	$self->run($options{set}) if defined $options{set};
	return $self;
}

sub backend { return $_[0]->{backend} }
sub app { return $_[0]->{app} }

# Each statement ends in a semicolon, or is a command of psql.
sub send
{
	my ($self, $sql) = @_;
	my $mark = $self->mark(++$self->{sent});

	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$sql\n\\echo $mark\n\\warn $mark\n";
	return;
}

sub mark { return "--end of $_[1]--" }

# The output and the errors of the next statements that were sent.  If they do
# not end within $seconds, or if psql ends, the third value is "hung" or
# "gone".
sub receive
{
	my ($self, $seconds) = @_;
	my $mark = $self->mark(++$self->{received});
	my $end = time + ($seconds // 180);
	my %text;
	my $trouble;

	foreach my $name ('out', 'err')
	{
		$self->{text}{$name} //= '';
		until (defined $trouble || $self->{text}{$name} =~ /^\Q$mark\E\n/m)
		{
			$trouble = $self->read_more($end - time);
		}
		($text{$name}, $self->{text}{$name}) =
		  split /^\Q$mark\E\n/m, $self->{text}{$name}, 2;
		chomp($text{$name} //= '');
	}
	return ($text{out}, $text{err}, $trouble);
}

# Waits for output or errors, and reads them.
sub read_more
{
	my ($self, $seconds) = @_;
	my %files = %{ $self->{files} };

	return 'gone' unless %files;
	return 'hung' if $seconds <= 0;
	my %ready = map { $_ => 1 } IO::Select->new(values %files)->can_read($seconds);
	foreach my $name (grep { $ready{ $files{$_} } } keys %files)
	{
		my $bytes = sysread $files{$name}, $self->{text}{$name}, 65536,
		  length($self->{text}{$name} // '');

		delete $self->{files}{$name} unless $bytes;
	}
	return;
}

sub run
{
	my ($self, $sql, $seconds) = @_;
	$self->send($sql);
	return $self->receive($seconds);
}

# Ends psql, and with it the session.
sub finish
{
	my ($self) = @_;

	return unless defined $self->{pid};
	close $self->{in};
	kill 'KILL', $self->{pid};
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
