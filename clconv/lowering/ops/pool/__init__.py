"""Variants of pool operators."""
