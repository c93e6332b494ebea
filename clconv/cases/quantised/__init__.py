"""Cases of quantised operators."""
