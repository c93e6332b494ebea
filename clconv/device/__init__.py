"""Facts of a device, as plain data: what it says of itself, its quirks, what was found out about it."""
