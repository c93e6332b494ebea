"""Quantised networks on bytes: for devices that multiply those faster than floats. See place.py."""

from clconv.graph.passes.bytes.place import place_bytes

__all__ = ["place_bytes"]
