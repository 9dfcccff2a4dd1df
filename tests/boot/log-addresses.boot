what = log=addresses is the only way to see a kernel address.
cmdline = log=verbose,addresses
type = layout
type = log
