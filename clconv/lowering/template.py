"""Finds and renders the kernel templates; errors show the numbered source."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from pathlib import Path

import mako
from mako.lookup import TemplateLookup
from mako.template import Template

import clconv
from clconv import config
from clconv.errors import TemplateError
from clconv.lowering.kernel import Kernel

PRELUDE = "prelude.cl.mako"
MATH = "math.mako"
HALF = "half.mako"
_USES_HALF = re.compile(r"\b(read|write|load|store)_half\d*\(")


@functools.cache
def kernel_folder() -> Path:
    """Folder of the templates: clconv/kernels in a wheel, kernels/ beside the package in a checkout."""
    package = Path(clconv.__file__).resolve().parent
    for folder in (package / "kernels", package.parent / "kernels"):
        if (folder / PRELUDE).is_file():
            return folder
    raise TemplateError(f"no kernel templates in {package}; install clconv again")


@functools.cache
def _lookup() -> TemplateLookup:
    return TemplateLookup(
        [str(kernel_folder())],
        module_directory=_compiled_folder(),
        strict_undefined=True,
        input_encoding="utf-8",
    )


def _compiled_folder() -> str | None:
    """Where Mako keeps the Python code that it makes of templates, which takes it a fifth of a load; None if nothing
    can be kept. By the templates' content: Mako itself looks at their age alone, and an older clconv may come back."""
    content = hashlib.sha256(mako.__version__.encode())
    for path in sorted(kernel_folder().rglob("*.mako")):
        content.update(path.name.encode() + path.read_bytes())
    folder = config.CACHE_DIR.get() / "templates" / content.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(folder) if os.access(folder, os.W_OK) else None


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


@functools.lru_cache(maxsize=4096)
def render(kernel: Kernel) -> str:
    """OpenCL C of one kernel, without the prelude. Raises TemplateError.

    A template finds in `stored(name, type)` the element type that pointer `name` has: half where the
    kernel's parameter `halves` names it, else the type, float by default.
    """
    return _render(kernel.template, dict(kernel.parameters) | {"entry": kernel.symbol})


@functools.cache
def prelude() -> str:
    """What every program starts with: types and macros."""
    return _render(PRELUDE, {})


@functools.cache
def _math() -> str:
    """The functions that expressions call, for the programs that call one."""
    return _render(MATH, {})


@functools.cache
def _half() -> str:
    """The functions that read and write half, for the programs that call one."""
    return _render(HALF, {})


def _render(name: str, parameters: dict[str, object]) -> str:
    halves = parameters.get("halves", ())
    assert isinstance(halves, tuple)

    def stored(pointer: str, type: str = "float") -> str:
        return "half" if pointer in halves else type

    parameters = {"stored": stored, **parameters}
    try:
        template: Template = _lookup().get_template(name)
    except Exception as reason:  # Mako raises its own, Python's SyntaxError and OSError
        raise TemplateError(f"template {name}: {reason}") from reason
    try:
        return str(template.render(**parameters))
    except Exception as reason:
        from mako import exceptions  # only now: it imports a highlighter

        trace = exceptions.text_error_template().render()
        raise TemplateError(
            f"template {name} with {parameters}: {reason}\n{trace}\n{numbered(template.source)}"
        ) from reason


def program_source(kernels: tuple[Kernel, ...]) -> str:
    """One program with all these kernels."""
    bodies = [render(k) for k in kernels]
    functions = [_math()] if any("clconv_" in body for body in bodies) else []
    if any(_USES_HALF.search(body) for body in bodies):
        functions.insert(0, _half())
    return "\n".join([prelude(), *functions, *bodies])
