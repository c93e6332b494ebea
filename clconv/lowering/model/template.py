"""Finds and renders the kernel templates; errors show the numbered source."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from clconv.errors import TemplateError
from clconv.lowering.model.call import Kernel
from clconv.store.kept import kept_text
from clconv.version import PACKAGE

if TYPE_CHECKING:
    from clconv.lowering.model.template_code import Templates

PRELUDE = "prelude.cl.mako"
MATH = "math.mako"
HALF = "half.mako"
_RESTRICT = re.compile(r"\brestrict ?")
_FUNCTION = "CLCONV_FUNCTION "
_CALLED = re.compile(r"\bclconv_\w+")
_USES_HALF = re.compile(r"\b(read|write|load|store)_half\d*\(")


@functools.cache
def kernel_folder() -> Path:
    """Folder of the templates: clconv/kernels in a wheel, kernels/ beside the package in a checkout."""
    for folder in (PACKAGE / "kernels", PACKAGE.parent / "kernels"):
        if (folder / PRELUDE).is_file():
            return folder
    raise TemplateError(f"no kernel templates in {PACKAGE}; install clconv again")


@functools.cache
def _templates() -> Templates:
    # Only now: most loads find all their sources rendered.
    from clconv.lowering.model.template_code import Templates

    return Templates(kernel_folder())


@functools.cache
def origin() -> bytes:
    """Changes with everything that rendered sources are made of: the templates, and the Python code they import. By
    content, not by age: an older clconv may come back."""
    content = hashlib.sha256()
    code = [p for room in ("lowering", "planning") for p in (PACKAGE / room).rglob("*.py")]
    for path in (*sorted(kernel_folder().rglob("*.mako")), *sorted(code)):
        content.update(path.name.encode() + path.read_bytes())
    return content.digest()


def template_names() -> list[str]:
    """Every template that makes a kernel, as paths below the folder."""
    folder = kernel_folder()
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.cl.mako"))


@functools.cache
def is_for_groups(name: str) -> bool:
    """Whether the work-items of a group work together in this template's kernel: it names the size of the group."""
    return "reqd_work_group_size" in (kernel_folder() / name).read_text(encoding="utf-8")


def numbered(text: str) -> str:
    return "\n".join(f"{i:4}  {line}" for i, line in enumerate(text.splitlines(), 1))


@functools.lru_cache(maxsize=512)
def render(kernel: Kernel) -> str:
    """OpenCL C of one kernel, without the prelude. Raises TemplateError.

    A template finds in `stored(name, type)` the element type that pointer `name` has: half where the
    kernel's parameter `halves` names it, else the type, float by default. With the parameter `in_place` no
    pointer promises that others do not lead to the same memory, and no element may be written twice.
    """
    parameters = dict(kernel.parameters) | {"entry": kernel.symbol}
    text = _render(kernel.template, parameters)
    return _RESTRICT.sub("", text) if parameters.get("in_place") else text


@functools.cache
def prelude() -> str:
    """What every program starts with: types and macros."""
    return _render(PRELUDE, {})


@functools.lru_cache(maxsize=64)
def _math(called: frozenset[str]) -> str:
    """The functions that expressions call, for the programs that call one: those alone, for reading all of them takes
    the compiler longer than most kernels."""
    parts = _math_parts()
    wanted, more = set[str](), set(called)
    while more:
        wanted |= more
        more = {
            other for name, text in parts if name in more for other in _CALLED.findall(text)
        } - wanted
    return "\n".join(text for name, text in parts if not name or name in wanted)


@functools.cache
def _math_parts() -> list[tuple[str, str]]:
    """Each function, overloads apart, with its name; what stands between them without."""
    parts: list[tuple[str, str]] = []
    inside: list[str] = []
    for line in _render(MATH, {}).splitlines():
        if not inside and not line.startswith(_FUNCTION):
            parts.append(("", line))
            continue
        inside.append(line)
        if line == "}" or (len(inside) == 1 and line.endswith("}")):
            parts.append((_CALLED.findall(inside[0])[0], "\n".join(inside)))
            inside = []
    return parts


@functools.cache
def _half() -> str:
    """The functions that read and write half, for the programs that call one."""
    return _render(HALF, {})


def _render(name: str, parameters: dict[str, object]) -> str:
    halves = parameters.get("halves", ())
    assert isinstance(halves, tuple)

    def stored(pointer: str, usual: str = "float") -> str:
        return "half" if pointer in halves else usual

    parameters = {"stored": stored, "in_place": False, **parameters}
    try:
        template = _templates().get_template(name)
    except Exception as reason:  # Mako raises its own, Python's SyntaxError and OSError
        raise TemplateError(f"template {name}: {reason}") from reason
    try:
        return str(template.render(**parameters))
    except Exception as reason:
        text, trace = _explained(name, parameters)
        raise TemplateError(
            f"template {name} with {parameters}: {reason}\n{trace}\n{numbered(text)}"
        ) from reason


def _explained(name: str, parameters: dict[str, object]) -> tuple[str, str]:
    """The text of a template that cannot be rendered, and where in it the reason is."""
    from mako import exceptions  # only now: it imports a highlighter

    template = _templates().read_anew(name)
    try:
        template.render(**parameters)
    except Exception:
        return template.source, exceptions.text_error_template().render()
    return template.source, ""


def program_source(kernels: tuple[Kernel, ...]) -> str:
    """One program with all these kernels. Kept on disk as text, because rendering takes a tenth of a load."""
    named = [(k.template, k.entry, k.parameters) for k in kernels]
    key = hashlib.sha256(origin() + repr(named).encode()).hexdigest()
    return kept_text("sources", key, lambda: _program_source(kernels))


def _program_source(kernels: tuple[Kernel, ...]) -> str:
    bodies = [render(k) for k in kernels]
    called = set(_CALLED.findall("\n".join(bodies)))
    functions = [_math(frozenset(called))] if called else []
    if any(_USES_HALF.search(body) for body in bodies):
        functions.insert(0, _half())
    return "\n".join([prelude(), *functions, *bodies])
