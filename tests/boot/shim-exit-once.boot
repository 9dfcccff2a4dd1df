what = ExitBootServices fails once; reads come in thirds; random numbers are not ready at first.
shim = ebs-fails=1, read-short, rng-not-ready=3
end = pass
expect = ^\[T\] K1 PASS name=what_the_firmware_lent .*ebs_tries=2
expect = ^\[T\] K1 PASS name=what_the_firmware_lent .*entropy_sources=[0-9]*[13579]\b
