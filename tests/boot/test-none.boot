what = A filter that no test matches is a failure.
cmdline = test=bogus test.exit
end = text
expect = ^\[T\] # no test begins with bogus
expect = ^\[T\] SUMMARY pass=0 fail=1
status = 3
