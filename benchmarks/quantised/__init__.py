"""Networks of 8 bits."""
