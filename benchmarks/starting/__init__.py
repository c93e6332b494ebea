"""How long networks take to start."""
