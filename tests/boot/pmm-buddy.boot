what = A buddy system finds the frames: the same owners, checks and ledger, and every test that is not about the tiers.
memory = 512M
cmdline = pmm=buddy test=all
expect = V26 PASS name=a_storm_of_requests_leaves_memory_as_it_was engine=buddy
expect = P4 SKIP name=contiguous_runs_are_aligned_and_below_their_limit reason=a run is found inside one free block alone
type = alloc 200M
type = quote 2M
type = compact
type = alloc 200M moves=9
type = check
type = ledger
expect = balanced to the frame
expect = holds +INV-08
expect = ^Nothing\sis\smoved\swith\spmm=buddy:\sprices\sare\sworked\sout\sfrom\sthe\stiers\.
expect = ^a\srun\sof\s200\sMiB\sfailed:\ssuch\sa\srun\sis\sfree\snow,\sbut\swith\spmm=buddy\sa\srun\sis\sfound\sinside\sone\sfree\sblock\salone
