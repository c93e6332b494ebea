"""`clconv doctor`: which kernels a device computes wrongly, and what it can do at most."""
