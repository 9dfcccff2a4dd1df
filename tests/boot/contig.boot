what = A run that does not exist is quoted and made, byte for byte; pools keep their promise.
cmdline = test=P15
expect = P15 PASS name=a_run_that_does_not_exist_is_quoted_and_made moves=[1-9]
expect = P15 PASS name=a_pinned_frame_stops_it_and_nothing_has_moved
expect = P15 PASS name=compaction_makes_every_2_mib_frame_that_is_possible .*made=[1-9]
