"""A layer as the Python that makes it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_WIDTH = 80


def written(kind: type, args: Sequence[Any], named: Mapping[str, Any]) -> str:
    """`Conv2d(16, 3, padding=1)`: what was given and is no default; layers of layers over several lines if long."""
    signature = inspect.signature(kind.__init__)  # type: ignore[misc]
    try:
        given = signature.bind(None, *args, **named)
    except TypeError:  # a subclass that takes what its own __init__ does not
        parts = [_value(a) for a in args] + [f"{n}={_value(v)}" for n, v in named.items()]
        return _call(kind.__name__, parts)
    parts = []
    for name, value in list(given.arguments.items())[1:]:
        parameter = signature.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            parts += [_value(one) for one in value]
        elif parameter.kind is parameter.VAR_KEYWORD:
            parts += [f"{key}={_value(one)}" for key, one in value.items()]
        elif parameter.default is parameter.empty:
            parts.append(_value(value))
        elif not _same(value, parameter.default):
            parts.append(f"{name}={_value(value)}")
    return _call(kind.__name__, parts)


def _call(name: str, parts: Sequence[str]) -> str:
    line = f"{name}({', '.join(parts)})"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    return f"{name}(\n" + textwrap.indent("".join(f"{part},\n" for part in parts), "    ") + ")"


def _value(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{value.dtype.name} array of {value.shape}>"
    return repr(value)


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
