"""Programs for processors with wider vectors than PoCL's compiler takes them for: every function is compiled for AVX-512.

PoCL generates code for the processor that its LLVM knows, such as AVX2 for one that came later. Clang's attribute `target`
makes functions of AVX-512 all the same, but not kernels (LLVM fails on them) and not calls with vectors of 512 bits
between functions with the attribute and without it: these pass vectors in other registers. So a kernel becomes a function
of numbers and addresses that a kernel calls, and the built-in functions, which are compiled already, are called with
halves of a vector.
"""

from __future__ import annotations

import itertools
import re

_DECLARED = re.compile(
    r"(?P<result>\w+) __attribute__\(\([^;]*?\)\) (?P<name>\w+)\((?P<arguments>[^;{}]*)\);"
)
_BITS = {"char": 8, "short": 16, "half": 16, "int": 32, "float": 32, "long": 64, "double": 64}
_VECTOR = re.compile(r"u?(char|short|half|int|float|long|double)(\d+)")
_LARGEST = 256  # bits of a vector that is passed alike with the attribute and without it
_KERNEL = re.compile(
    r"(?<!\w)kernel\b(?P<attributes>[^;{]*?)\bvoid\s+(?P<name>\w+)\s*\((?P<parameters>[^{]*?)\)\s*\{"
)
_HINT = re.compile(r"__attribute__\(\(vec_type_hint\(\w+\)\)\)")
_OF_GROUPS = re.compile(r"\b(get_group_id|get_local_id|get_local_size|barrier|local)\b")
_DEFINED = re.compile(r"\b(\w+)\s*\([^;{}]*?\)\s*\{")
_CALLED = re.compile(r"\b(\w+)\s*\(")
_WORDS = {"if", "for", "while", "switch"}
_PLACES = [f"global_{what}_{d}" for what in ("id", "size") for d in range(3)]
_HALF = {"8": "4", "16": "8"}
_NAMED = re.compile(
    r"((?:convert_u?[a-z]+|vload|vstore|vloada?_half|vstorea?_half))(8|16)((?:_\w+)?)"
)
_FLAGS = {"all": "&", "any": "|", "dot": "+"}  # how what is found of halves is one again


_END = "#pragma clang attribute pop"


def _begin(features: str) -> str:
    """With the names by which Clang says what it compiles for, which the attribute does not define."""
    names = [f"#define __{name.upper()}__ 1" for name in features.split(",")]
    attribute = f'__attribute__((target("{features}")))'
    return "\n".join([*names, f"#pragma clang attribute push({attribute}, apply_to = function)"])


def halved_names(names: set[str]) -> set[str]:
    """The functions that those of these names that name a width are made of."""
    found = set[str]()
    for name in names:
        while match := _NAMED.fullmatch(name):
            name = f"{match[1]}{_HALF[match[2]]}{match[3]}" if match[2] in _HALF else ""
            found.add(name)
    return found


def wide_functions(declarations: list[str], features: str) -> list[str]:
    """Declarations of built-in functions, one each or lines for the preprocessor, with those of wide vectors as functions
    that call the others for halves."""
    narrow, promised, defined = list[str](), list[str](), list[str]()
    for line in declarations:
        match = _DECLARED.fullmatch(line)
        if line.startswith("#"):
            for lines in (narrow, promised, defined):
                lines.append(line)
        elif match and any(map(_is_wide, (match["result"], *_arguments(match["arguments"])))):
            head = f"static __attribute__((overloadable, always_inline)) {match['result']} {match['name']}"
            promised.append(f"{head}({match['arguments']});")
            defined.append(head + _by_halves(match))
        else:
            narrow.append(line)
    if all(line.startswith("#") for line in promised):
        return narrow  # Clang warns of an attribute for nothing
    return [*narrow, _begin(features), *promised, *defined, _END]


def _arguments(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _lanes(kind: str) -> int:
    match = _VECTOR.fullmatch(kind)
    return int(match[2]) if match else 1


def _is_wide(kind: str) -> bool:
    match = _VECTOR.fullmatch(kind)
    return match is not None and _BITS[match[1]] * int(match[2]) > _LARGEST


def _by_halves(match: re.Match[str]) -> str:
    result, kinds = match["result"], _arguments(match["arguments"])
    lanes = max(map(_lanes, (result, *kinds)))
    named = _NAMED.fullmatch(match["name"])
    name = f"{named[1]}{_HALF[named[2]]}{named[3]}" if named else match["name"]
    places = {kind: i for i, kind in enumerate(kinds)}.get("size_t", -1) if named else -1

    def call(half: int) -> str:
        parts = []
        for i, kind in enumerate(kinds):
            part = f"x{i}"
            if _lanes(kind) == lanes:
                part = f"x{i}.{('lo', 'hi')[half]}"
            elif i == places:
                part = f"2 * x{i} + {half}"
            parts.append(part)
        return f"{name}({', '.join(parts)})"

    parameters = ", ".join(f"{kind} x{i}" for i, kind in enumerate(kinds))
    low, high = call(0), call(1)
    body = f"return ({result})({low}, {high});"
    if result == "void":
        body = f"{low}; {high};"
    elif _lanes(result) == 1:
        body = f"return {low} {_FLAGS[match['name']]} {high};"
    return f"({parameters}) {{ {body} }}"


def widened(source: str, features: str) -> str:
    """The text of a program's functions and kernels, compiled for the features (as clang's attribute names them) but for
    what the work-items of a group do together; as it is where that cannot be told apart."""
    kernels = list(_KERNEL.finditer(source))
    if not kernels:
        return source
    ends = [*(k.start() for k in kernels[1:]), len(source)]
    together = [
        bool(_OF_GROUPS.search(source, k.start(), stop))
        for k, stop in zip(kernels, ends, strict=True)
    ]
    if not any(together):
        return (
            "\n".join([_begin(features), _as_functions(source), _END, *map(_caller, kernels)])
            + "\n"
        )
    last = kernels[-1].start()
    own = set(_DEFINED.findall(source[:last])) - _WORDS
    if not own or len(kernels) > 1 or own & set(_CALLED.findall(source, last)):
        return source
    return f"{_begin(features)}\n{source[:last]}\n{_END}\n{source[last:]}"


def _as_functions(source: str) -> str:
    place = ", ".join(f"const size_t {name}" for name in _PLACES)

    def head(kernel: re.Match[str]) -> str:
        attributes = _HINT.sub("", kernel["attributes"])
        return (
            f"static __attribute__((noinline, min_vector_width(512))) {attributes}void {kernel['name']}_items("
            f"{place}, {kernel['parameters']}) {{"
        )

    defined = [f"#define get_global_{w}(d) global_{w}_##d" for w in ("id", "size")]
    undefined = [f"#undef get_global_{w}" for w in ("id", "size")]
    return "\n".join([*defined, _KERNEL.sub(head, source), *undefined])


def _caller(kernel: re.Match[str]) -> str:
    asked = [f"get_global_{w}({d})" for w, d in itertools.product(("id", "size"), range(3))]
    names = [p.split()[-1].lstrip("*") for p in kernel["parameters"].split(",")]
    return (
        f"kernel void {kernel['name']}({kernel['parameters']}) {{\n"
        f"  {kernel['name']}_items({', '.join([*asked, *names])});\n}}"
    )
