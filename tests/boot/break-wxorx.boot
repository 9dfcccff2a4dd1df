what = The invariant 'wxorx' is broken on purpose: its check must fail.
cmdline = break=wxorx test=all
end = fail
