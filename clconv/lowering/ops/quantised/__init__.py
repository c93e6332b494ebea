"""Variants of quantised operators."""
