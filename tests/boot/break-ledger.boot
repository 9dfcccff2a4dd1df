what = The invariant 'ledger' is broken on purpose: its check must fail.
cmdline = break=ledger test=all
end = fail
