what = INV-5 is broken on purpose: its check must fail and name it.
cmdline = break=counter test=P10
end = fail
expect = P10 FAIL name=mm_check_finds_nothing .*invariant=5\b
