"""Cases of indexing operators."""
