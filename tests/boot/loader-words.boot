what = The loader's own words of the command line win over boot.cfg; those that make no sense are warned about.
cpu = max,la57=on
config = paging 4
cmdline = test=all paging=5 kaslr debug=now kaslr_seed
check = memory levels5
expect = loader: command line: bad value in 'debug=now'; expected wait
expect = loader: command line: bad value in 'kaslr_seed'; expected a number
forbid = bad value in 'paging
forbid = bad value in 'kaslr'
