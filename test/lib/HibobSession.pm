# A psql that stays: statements are sent without waiting, so that many sessions
# are at work at once, and what it prints is fetched later.
package HibobSession;

use strict;
use warnings;
use IO::Select;
use IPC::Open3;
use POSIX ();
use Symbol qw(gensym);
use Time::HiRes qw(time);

my $count = 0;

# Options: app, a name for pg_stat_activity; set, statements to begin with.
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

# The statements end in a semicolon each, or are commands of psql.
sub send
{
	my ($self, $sql) = @_;
	my $mark = $self->mark(++$self->{sent});

	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$sql\n\\echo $mark\n\\warn $mark\n";
	return;
}

sub mark { return "--end of $_[1]--" }

# What the next of the statements sent printed, and complained of.  It stops
# waiting after so many seconds, or when psql ends: then the third value says
# which, "hung" or "gone".
sub receive
{
	my ($self, $seconds) = @_;
	my $mark = $self->mark(++$self->{received});
	my $end = time + ($seconds // 60);
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

# Waits for either of the pipes.
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
