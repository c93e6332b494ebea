"""Gradient rules of sampling images at other places."""
