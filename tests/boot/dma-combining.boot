what = Write-combining memory for a device: the CPU's tables say so, for exactly these frames, and afterwards not any more.
cmdline = test=P6 log=info
expect = P6 PASS name=write_combining_memory_is_so_in_the_tables_and_nowhere_else frames=600
check = pat
