"""Measurements of clconv serve."""
