"""`clconv train`: a network learns from a folder of pictures."""
