what = The partition on NVMe.
disk = nvme
check = memory
