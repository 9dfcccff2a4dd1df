what = A panic in the timer's interrupt: the backtrace goes on in what was interrupted.
cmdline = crash=tick panic=exit
end = text
expect = \*\*\* PANIC: crash=tick
expect = #\d+ +trap_dispatch\+0x
expect = #\d+ +crash_(tick|run)\+0x
expect = #\d+ +kmain\+0x
status = 3
