what = The same on a board without PCI Express: no MCFG, configuration space through the old ports.
board = pc
memory = 5G
devices = edu edu edu edu edu edu edu edu
cmdline = test=P6 log=info
type = pci
expect = functions, through ports
expect = P6 PASS name=a_device_copies_within_its_reach .*bytes=1048576 devices=8 .*above_4g=[1-9]
expect = P6 SKIP name=both_ways_to_configuration_space_agree
expect = 1234:11e8
silence = 150
timeout = 300
