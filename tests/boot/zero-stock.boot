what = An idle prompt fills the stock of zeroed frames, which has its row in the ledger and is called in by a test.
cmdline = zero.stock=4M
check = screen
type = mem
type = test P17
type = test P7
type = check
expect = zeroed stock +768
expect = P17 PASS name=a_freed_secret_is_never_seen_again rounds=10000 leaks=0
expect = P17 PASS name=the_stock_fills_when_idle_and_counts_as_available frames=256 blocks=1
expect = P7 PASS
