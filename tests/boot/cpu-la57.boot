what = Five levels of page tables, as boot.cfg asks.
cpu = max,la57=on
config = paging 5
check = memory levels5
