what = A CPU with LA57 that is not asked for: four levels.
cpu = max,la57=on
config = paging 4
check = memory levels4
