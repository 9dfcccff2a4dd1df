what = Four CPUs: those with nothing to do fill the stock of zeroed frames, by order of the tick, and again after it was called in.
smp = 4
cmdline = zero.stock=4M test=P17
type = mem
type = check
type = test P17
expect = P17 PASS name=other_cpus_fill_the_stock_of_their_node_when_idle node_0=[1-3] fillers=[1-3] frames=768
expect = P17 PASS name=nobody_fills_the_stock_while_all_is_paused
expect = holds.*INV-21
