what = The machine of make run.
memory = 512M
check = memory screen
expect = pmm: refused to free frame 0x[0-9a-f]+ for user: it is allocated, owner tests \(ERR_OWNER\), by ktest_frames_are_not_freed_twice
expect = pmm: refused to free frame 0x[0-9a-f]+ for tests: it is free, owner free \(ERR_STATE\), by ktest_frames_are_not_freed_twice
expect = pmm: refused to free frame 0 for low memory: it is firmware, owner low memory \(ERR_RANGE\), by ktest_frames_are_not_freed_twice
