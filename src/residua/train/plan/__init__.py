"""Before the first update: what fits the memory, how long it takes, which learning rate."""
