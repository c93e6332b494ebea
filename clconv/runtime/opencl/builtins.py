"""Declarations of the types and built-in functions of OpenCL C that a program uses, in the place of a header.

PoCL reads Clang's opencl-c.h, 18,000 lines, for every program, also for one whose machine code it has: 0.15 s, and a
program's own text takes 0.02. built.NO_HEADER leaves that header out. What stands here follows the OpenCL C 1.2
specification, sections 6.1 and 6.12: of each function that is declared all overloads are, so that a call means the same. A
program that uses anything else is refused by the compiler, and can be built with the header, beside which these
declarations do no harm.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable

from clconv.runtime.opencl.builtin_types import (
    ALL_WIDTHS,
    INTEGERS,
    REALS,
    WIDTHS,
    if_defined,
    types,
)
from clconv.runtime.opencl.wide import halved_names, wide_functions, widened

_CONST = "__attribute__((overloadable, const))"
_PURE = "__attribute__((overloadable, pure))"
_PLAIN = "__attribute__((overloadable))"
_SPACES = ("global", "local", "constant", "private")

_UNARY = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "exp10",
    "expm1",
    "fabs",
    "floor",
    "log",
    "log2",
    "log10",
    "log1p",
    "rint",
    "round",
    "rsqrt",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
    "sign",
    "degrees",
    "radians",
]
_BINARY = ["atan2", "copysign", "fdim", "fmod", "hypot", "nextafter", "pow", "remainder"]
_TERNARY = ["fma", "mad"]
_TESTS = ["isfinite", "isinf", "isnan", "isnormal", "signbit"]
_WORDS = re.compile(r"\b([a-z]\w*)\s*\(")


def declared(source: str, features: str = "") -> str:
    """The program with what it uses declared in front. features: what its functions are to be compiled for besides, see
    wide.py."""
    source = widened(source, features) if features else source
    names = set(_WORDS.findall(source))
    if features:
        names |= halved_names(names)
    found = list(itertools.chain.from_iterable(map(_declarations, sorted(names))))
    if features:
        found = wide_functions(found, features)
    return "\n".join([types(), *found, "#pragma OPENCL EXTENSION all : disable", source])


@functools.cache
def _declarations(name: str) -> tuple[str, ...]:
    """All overloads of a built-in function; nothing for any other name."""
    known = _table().get(name)
    if known is not None:
        return tuple(known(name))
    for pattern, lines in _PATTERNS:
        match = re.fullmatch(pattern, name)
        if match:
            return tuple(lines(match))
    return ()


@functools.cache
def _table() -> dict[str, Callable[[str], list[str]]]:
    found: dict[str, Callable[[str], list[str]]] = {}
    found.update(dict.fromkeys(_UNARY, functools.partial(_of_reals, 1)))
    found.update(dict.fromkeys(_BINARY, functools.partial(_of_reals, 2)))
    found.update(dict.fromkeys(_TERNARY, functools.partial(_of_reals, 3)))
    found.update(dict.fromkeys(_TESTS, _test))
    found.update(dict.fromkeys(("fmax", "fmin"), _with_scalar))
    found.update(dict.fromkeys(("max", "min"), functools.partial(_limits, 1)))
    found.update(clamp=functools.partial(_limits, 2), abs=_abs, dot=_dot, select=_select)
    found.update(dict.fromkeys(("all", "any"), _all))
    found.update(dict.fromkeys(("mul_hi", "rotate", "add_sat", "sub_sat"), _of_integers))
    found.update(dict.fromkeys(("popcount", "clz"), functools.partial(_of_integers, count=1)))
    places = [
        "global_id",
        "global_size",
        "group_id",
        "local_id",
        "local_size",
        "num_groups",
        "global_offset",
    ]
    found.update({f"get_{place}": lambda n: [f"size_t {_CONST} {n}(uint);"] for place in places})
    found["get_work_dim"] = lambda n: [f"uint {_CONST} {n}(void);"]
    found["barrier"] = lambda n: [
        f"void __attribute__((overloadable, convergent)) {n}(cl_mem_fence_flags);"
    ]
    found["mem_fence"] = lambda n: [f"void {_PLAIN} {n}(cl_mem_fence_flags);"]
    return found


def _function(name: str, result: str, *arguments: str, attributes: str = _CONST) -> str:
    return f"{result} {attributes} {name}({', '.join(arguments)});"


def _of_reals(count: int, name: str) -> list[str]:
    lines = []
    for kind, condition, _ in REALS:
        vectors = (kind + n for n in ALL_WIDTHS)
        lines += if_defined(condition, [_function(name, v, *[v] * count) for v in vectors])
    return lines


def _of_integers(name: str, count: int = 2) -> list[str]:
    vectors = [kind + n for kind in INTEGERS for n in ALL_WIDTHS]
    return [_function(name, v, *[v] * count) for v in vectors]


def _test(name: str) -> list[str]:
    lines = []
    for kind, condition, result in REALS:
        overloads = [_function(name, "int", kind)]
        overloads += [_function(name, result + n, kind + n) for n in WIDTHS]
        lines += if_defined(condition, overloads)
    return lines


def _with_scalar(name: str) -> list[str]:
    lines = _of_reals(2, name)
    for kind, condition, _ in REALS:
        lines += if_defined(condition, [_function(name, kind + n, kind + n, kind) for n in WIDTHS])
    return lines


def _limits(count: int, name: str) -> list[str]:
    """max, min and clamp: the limits may be scalars."""
    kinds = [(kind, "") for kind in INTEGERS] + [(kind, condition) for kind, condition, _ in REALS]
    lines = []
    for kind, condition in kinds:
        overloads = [_function(name, kind + n, *[kind + n] * (count + 1)) for n in ALL_WIDTHS]
        overloads += [_function(name, kind + n, kind + n, *[kind] * count) for n in WIDTHS]
        lines += if_defined(condition, overloads)
    return lines


def _abs(name: str) -> list[str]:
    kinds = [(kind, kind if kind.startswith("u") else f"u{kind}") for kind in INTEGERS]
    return [_function(name, result + n, kind + n) for kind, result in kinds for n in ALL_WIDTHS]


def _all(name: str) -> list[str]:
    kinds = [kind for kind in INTEGERS if not kind.startswith("u")]
    return [_function(name, "int", kind + n) for kind in kinds for n in ALL_WIDTHS]


def _dot(name: str) -> list[str]:
    lines = []
    for kind, condition, _ in REALS:
        vectors = [kind + n for n in ALL_WIDTHS]
        lines += if_defined(condition, [_function(name, kind, v, v) for v in vectors])
    return lines


def _select(name: str) -> list[str]:
    sizes = [("char", ""), ("short", ""), ("int", ""), ("long", "")]
    kinds = [(kind, mask, c) for mask, c in sizes for kind in (mask, f"u{mask}")]
    kinds += [(kind, mask, condition) for kind, condition, mask in REALS]
    lines = []
    for kind, mask, condition in kinds:
        overloads = [
            _function(name, kind + n, kind + n, kind + n, choice + n)
            for choice in (mask, f"u{mask}")
            for n in ALL_WIDTHS
        ]
        lines += if_defined(condition, overloads)
    return lines


def _convert(match: re.Match[str]) -> list[str]:
    n = match["width"]
    lines = [_function(match[0], match["kind"] + n, kind + n) for kind in INTEGERS]
    for kind, condition, _ in REALS:
        lines += if_defined(condition, [_function(match[0], match["kind"] + n, kind + n)])
    own = {kind: condition for kind, condition, _ in REALS}.get(match["kind"], "")
    return if_defined(own, lines)


def _load(match: re.Match[str]) -> list[str]:
    n = match["width"]
    lines = []
    for kind, condition in [*((t, "") for t in INTEGERS), *((t, c) for t, c, _ in REALS)]:
        lines += if_defined(
            condition, [_from(match[0], kind + n, kind, space) for space in _SPACES]
        )
    return lines


def _from(name: str, result: str, kind: str, space: str) -> str:
    return _function(name, result, "size_t", f"const {space} {kind}*", attributes=_PURE)


def _store(match: re.Match[str]) -> list[str]:
    n = match["width"]
    lines = []
    for kind, condition in [*((t, "") for t in INTEGERS), *((t, c) for t, c, _ in REALS)]:
        lines += if_defined(condition, [_to(match[0], kind + n, kind, space) for space in _SPACES])
    return lines


def _to(name: str, value: str, kind: str, space: str) -> str:
    if space == "constant":
        return ""
    return _function(name, "void", value, "size_t", f"{space} {kind}*", attributes=_PLAIN)


def _load_half(match: re.Match[str]) -> list[str]:
    return [_from(match[0], f"float{match['width']}", "half", space) for space in _SPACES]


def _store_half(match: re.Match[str]) -> list[str]:
    lines = []
    for kind, condition, _ in REALS[:2]:
        overloads = [_to(match[0], kind + match["width"], "half", space) for space in _SPACES]
        lines += if_defined(condition, overloads)
    return lines


_VECTOR = "(?P<width>2|3|4|8|16)"
_WIDTH = "(?P<width>|2|3|4|8|16)"
_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], list[str]]], ...] = (
    (
        rf"convert_(?P<kind>u?(char|short|int|long)|float|double|half){_WIDTH}(_sat)?(_rt[ezpn])?",
        _convert,
    ),
    (rf"vload{_VECTOR}", _load),
    (rf"vstore{_VECTOR}", _store),
    (rf"vloada?_half{_WIDTH}", _load_half),
    (rf"vstorea?_half{_WIDTH}(_rt[ezpn])?", _store_half),
)
