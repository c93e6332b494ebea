"""Cases of elementwise operators."""
