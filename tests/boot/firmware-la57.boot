what = Five levels are on when the loader starts, four are wanted.
cpu = max,la57=on
quirks = la57
config = paging 4
check = memory levels4
