what = All features forced off that can be.
cmdline = test=all nofeat=smep,smap,umip,pge,pdpe1gb
check = memory
