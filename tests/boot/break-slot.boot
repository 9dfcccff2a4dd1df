what = INV-9 is broken on purpose: its check must fail and name it.
cmdline = break=slot test=P10
end = fail
expect = P10 FAIL name=mm_check_finds_nothing .*invariant=9\b
