what = 512 MiB of RAM and device memory at 56 TiB: bookkeeping follows RAM.
shim = map-mmio=56
end = pass
expect = P9 PASS name=bookkeeping_is_a_small_part_of_ram frames=\d+ of=13\d+ per_100000=(39|40)\d$
