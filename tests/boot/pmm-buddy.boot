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
expect = ^Nothing is moved here: prices are worked out from the tiers, and pmm=buddy finds the frames\.  Boot with pmm=tier
expect = ^a run of 200 MiB failed: such a run is free now, but with pmm=buddy a run is found inside one free block alone
