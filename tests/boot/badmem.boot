what = Bad memory is never handed out.
cmdline = test=P badmem=0x12345000,8K
expect = P12 PASS .*=bad
