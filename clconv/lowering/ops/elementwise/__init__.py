"""Variants of elementwise operators."""
