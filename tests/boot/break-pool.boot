what = INV-24 is broken on purpose: its check must fail and name it.
cmdline = break=pool test=P10
end = fail
expect = P10 FAIL name=mm_check_finds_nothing .*invariant=24\b
