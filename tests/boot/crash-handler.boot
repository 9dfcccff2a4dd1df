what = An interrupt's handler that asks for memory is caught in the act.
smp = 2
cmdline = crash=handler panic=exit
end = text
expect = \*\*\* PANIC: an interrupt's handler asks for a lock
expect = #\d+ +crash_on_tick\+0x
expect = #\d+ +crash_(handler|run)\+0x
status = 3
