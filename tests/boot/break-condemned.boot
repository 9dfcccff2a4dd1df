what = INV-22 is broken on purpose: its check must fail and name it.
cmdline = break=condemned test=P10
end = fail
expect = P10 FAIL name=mm_check_finds_nothing .*invariant=22\b
