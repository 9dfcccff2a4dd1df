what = The pointers to ACPI tables, memory attributes and the maker's name lead beyond the CPU's addresses.
shim = acpi-at=0x800000000000, attributes-at=0xfffffffffff0, vendor-at=0x800000000000
end = pass
