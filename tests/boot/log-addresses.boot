what = log=addresses is the only way to see a kernel address.
cmdline = log=verbose,addresses
type = layout
expect = image +ffff[89a-f][0-9a-f]{11}
