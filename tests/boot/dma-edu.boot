what = A device that reaches 256 MiB copies 1 MiB within its reach, on a machine with RAM above 4 GiB.
memory = 5G
devices = edu
cmdline = test=P6
type = pci
expect = P6 PASS name=a_device_copies_within_its_reach .*bytes=1048576 .*above_4g=[1-9]
expect = P6 PASS name=both_ways_to_configuration_space_agree
expect = 1234:11e8
silence = 150
timeout = 300
