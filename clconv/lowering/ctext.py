"""Small pieces of OpenCL C that templates ask for by name."""

from __future__ import annotations


def vector_type(width: int, base: str = "float") -> str:
    """float, float2, float4..."""
    return base if width == 1 else f"{base}{width}"


def load(vector: str, address: str) -> str:
    """Reads a scalar or an unaligned float vector: a dereference, because vload is slow on PoCL."""
    suffix = "" if vector == "float" else "_u"
    return f"(*(global const {vector}{suffix}*)({address}))"


def store(vector: str, address: str) -> str:
    """The place that an assignment writes a scalar or an unaligned float vector to."""
    suffix = "" if vector == "float" else "_u"
    return f"(*(global {vector}{suffix}*)({address}))"
