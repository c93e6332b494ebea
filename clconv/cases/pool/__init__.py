"""Cases of pool operators."""
