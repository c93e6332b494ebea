"""Lets mkdocstrings show docstrings as tests/tools/docstring_lists.py writes them: an extension that mkdocs.yml names."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import griffe

from tests.tools.docstring_lists import as_list


class Parameters(griffe.Extension):
    """Rewrites the docstrings of functions and classes."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        if func.docstring:
            func.docstring.value = as_list(func.docstring.value, {p.name for p in func.parameters})

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        if cls.docstring:
            names = {name for name, member in cls.members.items() if member.is_attribute}
            cls.docstring.value = as_list(cls.docstring.value, names | _arguments(cls))


def _arguments(cls: griffe.Class) -> set[str]:
    """What the class takes, inherited fields included."""
    found = getattr(importlib.import_module(cls.module.path), cls.name, None)
    try:
        return set(inspect.signature(found).parameters) if found else set()
    except ValueError:  # an exception: Python does not say what it takes
        return set()
