"""Variants of sampling operators."""
