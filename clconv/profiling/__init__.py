"""Where a network's time goes: `clconv.profile`, and what its results look like; whole runs in rounds: `clconv bench`."""
