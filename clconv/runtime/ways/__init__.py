"""How a plan's launches are done at each run: by the device's queue, or as machine code in the thread that asks."""
