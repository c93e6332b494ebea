"""Cases of conv operators."""
