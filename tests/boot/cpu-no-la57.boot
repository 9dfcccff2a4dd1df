what = Five levels asked for on a CPU without LA57: four, and a warning.
cpu = max,la57=off
config = paging 5
check = memory levels4
expect = paging = 5, but this CPU has four
