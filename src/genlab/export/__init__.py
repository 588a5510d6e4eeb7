"""A folder to take away: what a run has learnt, for programs that know nothing of genlab."""
