what = The invariant 'record' is broken on purpose: its check must fail.
cmdline = break=record test=all
end = fail
