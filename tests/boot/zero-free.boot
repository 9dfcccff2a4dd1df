what = zero=free: all of free memory is zeros, before and after a secret was freed ten thousand times.
cmdline = test=all zero=free
expect = zero=free: free memory is zeros
expect = P17 PASS name=a_freed_secret_is_never_seen_again rounds=10000 leaks=0
expect = P17 PASS name=with_clearing_on_free_all_free_memory_is_zeros dirty=0
type = test P17
type = ledger
