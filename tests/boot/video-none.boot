what = No GOP at all.
video = none
check = memory
