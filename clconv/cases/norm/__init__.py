"""Cases of norm operators."""
