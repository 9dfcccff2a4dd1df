what = INV-20 is broken on purpose: its check must fail and name it.
memory = 1G
smp = 2
nodes = 2
cmdline = break=nodes test=P10
end = fail
expect = P10 FAIL name=mm_check_finds_nothing .*invariant=20\b
