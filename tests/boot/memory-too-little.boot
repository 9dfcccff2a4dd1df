what = Too little memory: the loader says how much it needs.
memory = 24M
end = text
timeout = 60
