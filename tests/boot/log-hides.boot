what = Without log=addresses no kernel address is printed.
cmdline = log=verbose
type = map
type = log
type = mem
type = cpu
forbid = 0x(ffff[89a-f]|ff[01])[0-9a-f]{8}
