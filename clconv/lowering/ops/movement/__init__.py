"""Variants of movement operators."""
