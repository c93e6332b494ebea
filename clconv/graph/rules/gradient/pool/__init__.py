"""Gradient rules of pooling and its reverse."""
