what = A flat bitmap finds the frames of each of two nodes: the same owners, checks and ledger, and every test that is not about the tiers.
memory = 1G
smp = 2
nodes = 2
cmdline = pmm=flat test=all
expect = P15 SKIP name=a_run_that_does_not_exist_is_quoted_and_made reason=the price of a run is worked out from the tiers
expect = P1 PASS name=random_operations_agree_with_the_model
expect = V26 PASS name=a_storm_of_requests_leaves_memory_as_it_was engine=flat
