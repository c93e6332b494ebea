"""A kernel's text as a plain function, and the text that calls it with arguments from a table of words."""

from __future__ import annotations

import re
from typing import NamedTuple

from clconv.errors import TemplateError
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.template import render
from clconv.lowering.shared.epilogue import CHOICE
from clconv.planning.merging import MergedFunction

DIMENSIONS = 3

_PLACE = [f"global_{what}_{d}" for what in ("id", "size") for d in range(DIMENSIONS)]
_BYTES = {"float": 4, "int": 4, "uint": 4, "long": 8, "ulong": 8, "double": 8}
_HINT = re.compile(r"vec_type_hint\((float|int|uint|long|ulong|double)(\d*)\)")


def function_text(kernel: Kernel) -> str:
    """The kernel as a function that takes its place in the index space as arguments.

    Not inlined: register allocation stays that of the kernel alone. The vector hint, which only kernels may
    have, becomes the attribute that clang derives from it.
    """
    text = _kernel_text(kernel)
    attributes = _HINT.sub(
        lambda hint: f"min_vector_width({8 * _BYTES[hint[1]] * int(hint[2] or 1)})",
        text.attributes,
    )
    place = ", ".join(f"const size_t {name}" for name in _PLACE)
    return (
        f"{text.helpers}static __attribute__((noinline)) {attributes}void {kernel.symbol}("
        f"{place}, {text.parameters}) {{{text.body}"
    )


def call_text(function: MergedFunction, words: str) -> str:
    """A call of a function for one of its kernels, with that kernel's arguments from an array of 64-bit words: a number's
    bits or an address."""
    arguments, place = [], 0
    for declaration in _kernel_text(function.kernel).parameters.split(","):
        name = declaration.split()[-1].lstrip("*")
        if name == CHOICE:
            arguments.append(str(function.choice))
        elif name in function.absent:
            arguments.append(_from_word(declaration, "0"))
        else:
            arguments.append(_from_word(declaration, f"{words}[{place}]"))
            place += 1
    return f"{function.kernel.symbol}({', '.join([*_PLACE, *arguments])})"


def _from_word(declaration: str, word: str) -> str:
    kind = " ".join(w for w in declaration.split()[:-1] if w not in ("const", "restrict"))
    if "*" in declaration.split()[-1]:  # the star stands by the name
        kind += "*"
    match kind:
        case "float":
            return f"as_float((uint){word})"
        case "double":
            return f"as_double({word})"
    return f"({kind}){word}"


class _KernelText(NamedTuple):
    """helpers kernel attributes void symbol(parameters) { body"""

    helpers: str
    attributes: str
    parameters: str
    body: str


def _kernel_text(kernel: Kernel) -> _KernelText:
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", render(kernel), flags=re.S)
    match = re.fullmatch(
        r"(?P<helpers>.*?)\bkernel\b(?P<attributes>[^;{]*?)\bvoid\s+"
        + re.escape(kernel.symbol)
        + r"\s*\((?P<parameters>[^{]*?)\)\s*\{(?P<body>.*)",
        text,
        re.S,
    )
    if match is None:
        raise TemplateError(f"template {kernel.template} makes no kernel {kernel.symbol}")
    return _KernelText(**match.groupdict())
