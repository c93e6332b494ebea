"""The types and constants of OpenCL C, as its header has them: see builtins.py."""

from __future__ import annotations

import functools
from collections.abc import Iterable

WIDTHS = ("2", "3", "4", "8", "16")
ALL_WIDTHS = ("", *WIDTHS)
INTEGERS = ("char", "uchar", "short", "ushort", "int", "uint", "long", "ulong")
# Real types, the condition of each, and the integers that a comparison of its vectors gives.
REALS = (
    ("float", "", "int"),
    ("double", "cl_khr_fp64", "long"),
    ("half", "cl_khr_fp16", "short"),
)


@functools.cache
def types() -> str:
    """All of them, unless the header was read."""
    lines = ["#ifndef _OPENCL_BASE_H_", "#define _OPENCL_BASE_H_"]
    lines += [f"typedef unsigned {t} u{t};" for t in ("char", "short", "int", "long")]
    lines += [
        f"typedef __{name.upper()}_TYPE__ {name}_t;"
        for name in ("size", "ptrdiff", "intptr", "uintptr")
    ]
    for kind, condition in [*((t, "") for t in INTEGERS), *((t, c) for t, c, _ in REALS)]:
        lines += if_defined(condition, _vector_types(kind))
    lines += [*_CONSTANTS.strip().splitlines(), "#endif"]
    return "\n".join(lines)


def _vector_types(kind: str) -> list[str]:
    vectors = [f"typedef {kind} {kind}{n} __attribute__((ext_vector_type({n})));" for n in WIDTHS]
    casts = [f"#define as_{kind}{n}(x) __builtin_astype((x), {kind}{n})" for n in ALL_WIDTHS]
    return [*vectors, *casts]


_CONSTANTS = """
#define NULL ((void*)0)
#define INFINITY (__builtin_inff())
#define NAN as_float(INT_MAX)
#define CHAR_BIT 8
#define SCHAR_MAX 127
#define SCHAR_MIN (-128)
#define CHAR_MAX SCHAR_MAX
#define CHAR_MIN SCHAR_MIN
#define UCHAR_MAX 255
#define SHRT_MAX 32767
#define SHRT_MIN (-32768)
#define USHRT_MAX 65535
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 0xffffffff
#define LONG_MAX 0x7fffffffffffffffL
#define LONG_MIN (-0x7fffffffffffffffL - 1)
#define ULONG_MAX 0xffffffffffffffffUL
#define FLT_MAX 0x1.fffffep127f
#define FLT_MIN 0x1.0p-126f
#define FLT_EPSILON 0x1.0p-23f
#define DBL_MAX 0x1.fffffffffffffp1023
#define DBL_MIN 0x1.0p-1022
#define DBL_EPSILON 0x1.0p-52
typedef uint cl_mem_fence_flags;
#define CLK_LOCAL_MEM_FENCE 1
#define CLK_GLOBAL_MEM_FENCE 2
"""


def if_defined(condition: str, lines: Iterable[str]) -> list[str]:
    """The lines, where a device has an extension; always, where none is named."""
    if not condition:
        return list(lines)
    return [
        f"#ifdef {condition}",
        f"#pragma OPENCL EXTENSION {condition} : enable",
        *lines,
        "#endif",
    ]
