"""Cases of reduce operators."""
