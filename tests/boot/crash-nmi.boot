what = A non-maskable interrupt while the stack is gone: it has one of its own.
cmdline = crash=nmi panic=exit
end = text
expect = ^\*\*\* PANIC: non-maskable interrupt \*\*\*
expect = #[0-9]+ +crash_run\+
expect = mm_check  all invariants hold
status = 3
