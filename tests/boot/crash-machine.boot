what = A machine check while the stack is gone: it has one of its own.
cmdline = crash=machine panic=exit
end = text
expect = ^\*\*\* PANIC: machine check \*\*\*
expect = #[0-9]+ +crash_run\+
expect = mm_check  all invariants hold
status = 3
