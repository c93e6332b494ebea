"""Frozen dataclasses that are made without compiling code: what every start of a program imports.

Python 3.10 to 3.12 writes six functions as text for each frozen dataclass and compiles them, half a millisecond each. Those
here share a few functions; otherwise they are dataclasses: fields(), replace(), asdict(), pattern matching and pickles work.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, eq: bool = True, repr: bool = True) -> Callable[[type], type]:  # noqa: A002
        """Decorates a class like dataclasses.dataclass(frozen=True); frozen: True, for those who check types."""
        assert frozen
        return lambda cls: _made(cls, eq, shows=repr)


def _made(cls: Any, eq: bool, shows: bool) -> type:
    if cls.__doc__ is None:
        cls.__doc__ = ""  # else it is made of a signature that is none
    bases = [b.__dataclass_params__ for b in cls.__mro__[1:] if "__dataclass_params__" in vars(b)]
    for base in bases:
        base.frozen = False  # meanwhile: a subclass has to be as frozen, which comes below
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    for params in (*bases, cls.__dataclass_params__):
        params.frozen = True
    fields = dataclasses.fields(cls)
    own = dict(vars(cls))
    made: dict[str, Any] = {
        "__init__": _init(cls, fields), "__setattr__": _refuse_set, "__delattr__": _refuse_delete
    }  # fmt: skip
    if shows:
        made["__repr__"] = _repr
    if eq:
        values = _values(tuple(f.name for f in fields if f.compare))
        made["__eq__"], made["__hash__"] = _equal(values), lambda self: hash(values(self))
        if own.get("__hash__") is None:  # what Python puts beside a class's own __eq__
            own.pop("__hash__", None)
    for name, function in made.items():
        if name not in own:
            function.__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, function)
    return cls


def _init(cls: type, fields: tuple[Any, ...]) -> Callable[..., None]:
    names = tuple(f.name for f in fields)
    count, put = len(names), object.__setattr__
    given = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    made = {
        f.name: f.default_factory for f in fields if f.default_factory is not dataclasses.MISSING
    }
    known, has_post = frozenset(names), hasattr(cls, "__post_init__")
    # By how many values are given in order: those that follow, where none of them has to be made.
    rest = [
        tuple(given[name] for name in names[i:]) if given.keys() >= {*names[i:]} else None
        for i in range(count)
    ]

    def completed(args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        values = dict(zip(names, args, strict=False))
        twice, unknown = values.keys() & named.keys(), named.keys() - known
        if len(args) > count or twice or unknown:
            wrong = sorted(twice or unknown) or f"{len(args)} values"
            raise TypeError(f"{cls.__qualname__} takes {', '.join(names)}, once each; not {wrong}")
        values.update(named)
        found = []
        for name in names:
            if name in values:
                found.append(values[name])
            elif name in given:
                found.append(given[name])
            elif name in made:
                found.append(made[name]())
            else:
                raise TypeError(f"{cls.__qualname__} lacks '{name}'")
        return found

    def __init__(self: Any, /, *args: Any, **named: Any) -> None:
        if named or len(args) != count:
            more = None if named or len(args) > count else rest[len(args)]
            args = completed(args, named) if more is None else args + more  # type: ignore[assignment]
        for name, value in zip(names, args, strict=True):
            put(self, name, value)
        if has_post:
            self.__post_init__()

    return __init__


def _values(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """The values of these fields, in order."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    if not names:
        return lambda self: ()
    value = operator.attrgetter(*names)
    return lambda self: (value(self),)


def _equal(values: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def __eq__(self: Any, other: Any) -> Any:
        if self is other:
            return True
        return (
            values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented
        )

    return __eq__


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse_set(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
