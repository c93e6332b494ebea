"""Cases of sampling operators."""
