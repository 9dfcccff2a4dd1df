what = A map sorted downwards, doubled, with a stride of 64 bytes, rubbish in VirtualStart, runtime memory without its attribute, and device memory at 56 TiB and up to 2^64; a framebuffer at 448 GiB.
shim = map-reverse, map-duplicate, map-virtual, map-stride=64, map-runtime-bare, map-mmio, map-top, map-wrap, map-busy, gop-base, gop-pitch=0
end = pass
expect = ^\[T\] K1 PASS name=what_the_firmware_lent screen=1280x800 stride=1280 .*base=high
