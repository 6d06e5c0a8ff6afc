# Readers who follow the documentation word by word: one the quick start of
# README, the other the manual and then the roster's page and the recipes, all in
# one database.  DocStory says how the pages are tested.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use DocStory;
use HibobTest qw(far_from_midnight);
use Test::More;

far_from_midnight();
foreach my $country (qw(UK FR US))
{
	$ENV{"HIBOB_${country}_SERVICE_USER_ID"} = 'SERVICE-5772';
	$ENV{"HIBOB_${country}_TOKEN"} = 'token of acme_' . lc $country;
}

DocStory->new('readme')->follow('README.md', 'postgres');

my $story = DocStory->new('manual');
$story->follow($_, 'hr_owner')
  foreach 'doc/manual.md', 'doc/roster.md', 'doc/recipes/licences.md',
  'doc/recipes/materialized-views.md', 'doc/recipes/several-accounts.md';

done_testing();
