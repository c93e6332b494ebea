"""Cases of movement operators."""
