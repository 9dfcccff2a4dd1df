what = INV-21 is broken on purpose: its check must fail and name it.
cmdline = break=stock test=P10
end = fail
expect = P10 FAIL name=mm_check_finds_nothing .*invariant=21\b
