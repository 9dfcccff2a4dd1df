what = A map sorted downwards, doubled, with a stride of 64 bytes, rubbish in VirtualStart, runtime memory without its attribute, and device memory at 56 TiB and up to 2^64.
shim = map-reverse, map-duplicate, map-virtual, map-stride=64, map-runtime-bare, map-mmio, map-top, map-wrap, map-busy
end = pass
