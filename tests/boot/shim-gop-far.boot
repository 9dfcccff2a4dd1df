what = A framebuffer at 448 GiB and a pitch of 0.
shim = gop-base, gop-pitch=0
end = pass
expect = ^\[T\] K1 PASS name=what_the_firmware_lent screen=1280x800 stride=1280 .*base=high
