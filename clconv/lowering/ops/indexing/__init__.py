"""Variants of indexing operators."""
