what = 9,000 descriptors, 3,000 of them pieces of RAM, and no attributes at all.
shim = map-fragments=3000, map-reserved=1500, map-duplicate, map-no-attributes
end = pass
