"""Small pieces of OpenCL C that templates ask for by name.

`stored` is the element type in memory: where it is half, arithmetic is done in float nonetheless, and reading
and writing are functions of kernels/half.mako.
"""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.elementwise.row import c_number
from clconv.lowering.model.c_types import C_TYPES

# Vectors for which prelude.cl.mako has limits of their own.
_LIMITED = {f"float{width}": width for width in (4, 8, 16)}


def with_limits(text: str, vector: str) -> str:
    """C text with the limits CLCONV_AT_LEAST and CLCONV_AT_MOST as they are for this type."""
    if vector in _LIMITED:
        text = text.replace("CLCONV_AT_LEAST(", f"CLCONV_AT_LEAST_{_LIMITED[vector]}(")
        text = text.replace("CLCONV_AT_MOST(", f"CLCONV_AT_MOST_{_LIMITED[vector]}(")
    return text


def vector_type(width: int, base: str = "float") -> str:
    """float, float2, float4..."""
    return base if width == 1 else f"{base}{width}"


def load(vector: str, address: str, stored: str = "float", aligned: bool = False) -> str:
    """Reads a scalar or a float vector, by default unaligned: a dereference, because vload is slow on PoCL.
    GPUs read an unaligned vector float by float."""
    if stored == "half":
        return (
            f"{'load' if aligned and vector != 'float' else 'read'}_half{_width(vector)}({address})"
        )
    suffix = "" if aligned or vector == "float" else "_u"
    return f"(*(global const {vector}{suffix}*)({address}))"


def store(vector: str, address: str, aligned: bool = False) -> str:
    """The place that an assignment writes a scalar or a float vector, by default unaligned, to."""
    suffix = "" if aligned or vector == "float" else "_u"
    return f"(*(global {vector}{suffix}*)({address}))"


def assign(
    vector: str, address: str, value: str, stored: str = "float", aligned: bool = False
) -> str:
    """Statement that stores a scalar or a float vector, by default unaligned."""
    if stored == "half":
        name = "store" if aligned and vector != "float" else "write"
        return f"{name}_half{_width(vector)}({address}, {value});"
    return f"{store(vector, address, aligned)} = {value};"


def element(array: str, index: str, stored: str = "float") -> str:
    """Reads the element at an index."""
    return f"read_half({array} + ({index}))" if stored == "half" else f"{array}[{index}]"


def set_element(array: str, index: str, value: str, stored: str = "float") -> str:
    """Statement that stores the element at an index."""
    if stored == "half":
        return f"write_half({array} + ({index}), {value});"
    return f"{array}[{index}] = {value};"


def neighbours(before: str, now: str, after: str, by: int, block: int) -> str:
    """The vector of `block` lanes that begins `by` lanes behind the begin of `now`, which lies between two others."""
    names = (before, now, after)
    places = (lane + by + block for lane in range(block))
    lanes = ", ".join(f"{names[p // block]}.s{p % block:x}" for p in places)
    return f"({vector_type(block)})({lanes})"


def saturated(value: str, source: DType, target: DType) -> str:
    """A scalar float, in C text that is evaluated more than once, cut to an integer: what lies outside ends at the limits,
    NaN is 0. In C itself that has no meaning."""
    limits, kind = np.iinfo(target.numpy), C_TYPES[target.value]
    low, high = (c_number(float(end), source) for end in (limits.min, limits.max))
    least, most = (c_number(end, target) for end in (limits.min, limits.max))
    # Limits of so few bits are floats: cut as such, which is less work for vectors of bytes.
    if limits.bits <= 16:
        inside = f"({value} > {low} ? {value} : {low})"
        inside = f"({inside} < {high} ? {inside} : {high})"
        number = "" if limits.min == 0 else f"{value} != {value} ? ({kind})0 : "
        return f"({number}({kind})(int){inside})"
    return (
        f"({value} >= {high} ? ({kind}){most} : {value} <= {low} ? ({kind}){least} : "
        f"{value} == {value} ? ({kind})({value}) : ({kind})0)"
    )


def _width(vector: str) -> str:
    return vector.removeprefix("float")
