"""Interfaces of other packages over Session."""
