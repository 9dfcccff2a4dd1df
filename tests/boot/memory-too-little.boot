what = Too little memory: the loader says how much it needs.
memory = 40M
end = text
expect = not enough memory: \d+ MiB are usable, at least \d+ MiB are needed
