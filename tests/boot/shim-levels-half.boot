what = Of the two frames for a change of levels only the first is to be had: the number of levels stays.
cpu = max,la57=on
shim = alloc-below-fails=2
config = paging 5
expect = from 4 to 5 levels of page tables; using 4
check = memory levels4
