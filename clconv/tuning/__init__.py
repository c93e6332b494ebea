"""`clconv tune`: the fastest kernels for a device, measured."""
