"""Cases of spectral operators."""
