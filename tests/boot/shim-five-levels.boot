what = The firmware runs with five levels of page tables, four are wanted, and loader data cannot be executed.
cpu = max,la57=on
shim = five-levels, nx-data
config = paging 4
check = memory levels4
