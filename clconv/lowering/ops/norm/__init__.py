"""Variants of norm operators."""
