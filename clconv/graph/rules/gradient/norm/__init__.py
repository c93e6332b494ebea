"""Gradients of normalisations."""
