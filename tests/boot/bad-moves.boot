what = Broken frames in use: one moves with its bytes, one whose owner holds on to it is condemned, one is in the stock of zeros.
cmdline = test=P12
end = pass
expect = P12 PASS name=a_broken_frame_that_can_move_moves_with_its_bytes .*moved=1 condemned=1
expect = P12 PASS name=a_broken_frame_in_the_stock_of_zeros_leaves_it was=in-stock
