"""Benchmarks of arrays that stay on the device."""
