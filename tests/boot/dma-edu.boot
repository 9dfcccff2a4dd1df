what = Devices that reach 256 MiB copy 1 MiB within their reach, on a machine with RAM above 4 GiB.
memory = 5G
devices = edu edu edu edu edu edu edu edu
cmdline = test=P6
type = pci
expect = P6 PASS name=a_device_copies_within_its_reach .*bytes=1048576 devices=8 .*above_4g=[1-9]
expect = P6 PASS name=both_ways_to_configuration_space_agree
expect = 1234:11e8
silence = 150
timeout = 300
