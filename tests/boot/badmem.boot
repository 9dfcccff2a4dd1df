what = Bad memory is never handed out.
cmdline = test=P badmem=0x12345000,8K
expect = P12 PASS .*=bad
type = mem
expect = ^ . Cairn \d+\.\d MiB \d\.\d% +. firmware 6\.\d MiB 1\.2% +. broken 8\.0 KiB <0\.1% +. free 
