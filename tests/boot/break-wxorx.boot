what = A page is made writable and executable behind the kernel's back: its check must fail.
cmdline = break=wxorx test=K3
end = fail
expect = K3 FAIL name=no_page_is_writable_and_executable
