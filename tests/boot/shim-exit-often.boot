what = ExitBootServices fails 99 times, and the map grows by 12 descriptors each time.
shim = ebs-fails=99, ebs-grow=12
end = pass
expect = ^\[T\] K1 PASS name=what_the_firmware_lent .*ebs_tries=100
