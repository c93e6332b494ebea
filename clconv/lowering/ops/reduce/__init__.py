"""Variants of reduce operators."""
