what = One more random placement.
memory = 128M
cmdline =
check = memory
