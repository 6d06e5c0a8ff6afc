# The manual and the licence recipes a week ago and in a week: what they show does
# not depend on the date.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use DocStory;
use Test::More;

# Time zones with another date: 167 hours is the largest offset.
foreach my $zone ('<+167>-167', '<-167>+167')
{
	local $ENV{PGTZ} = $zone;
	my $story = DocStory->new($zone =~ /^<\+/ ? 'next_week' : 'last_week');

	$story->follow($_, 'hr_owner')
	  foreach 'doc/manual.md', 'doc/recipes/licences.md';
}

done_testing();
