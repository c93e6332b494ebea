"""What else a session may be fed: the same numbers held in another way, and what is no input at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.values import pick


class _Subclass(np.ndarray):
    """An array of another class."""


def _locked(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _strided(array: np.ndarray) -> np.ndarray:
    if not array.ndim:
        return array
    return np.repeat(array, 2, axis=-1)[..., ::2]


def _unaligned(array: np.ndarray) -> np.ndarray:
    room = np.zeros(array.nbytes + 1, np.uint8)
    moved = room[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


# The same numbers: the answer has to be the same.
SAME: dict[str, Callable[[np.ndarray], Any]] = {
    "Fortran order": lambda a: np.asfortranarray(a).reshape(a.shape),
    "strides": _strided,
    "negative strides": lambda a: a[..., ::-1].copy()[..., ::-1] if a.ndim else a,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": _locked,
    "unaligned": _unaligned,
    "subclass": lambda a: a.view(_Subclass),
    "masked array": lambda a: np.ma.masked_array(a),
}

# What does not fit: an InputError, or an answer where it happens to fit.
ODD: dict[str, Callable[[np.ndarray], Any]] = {
    "None": lambda a: None,
    "object array": lambda a: np.full(a.shape, None, object),
    "objects that are numbers": lambda a: a.astype(object),
    "text": lambda a: "text",
    "array of text": lambda a: np.full(a.shape, "a"),
    "bytes": lambda a: b"bytes",
    "a dictionary": lambda a: {"a": 1},
    "a set": lambda a: {1, 2},
    "a function": lambda a: len,
    "an exception": lambda a: ValueError("x"),
    "ragged lists": lambda a: [[1.0], [1.0, 2.0]],
    "nested None": lambda a: [None, 1.0],
    "lists": lambda a: a.tolist(),
    "complex": lambda a: a.astype(complex),
    "dates": lambda a: np.zeros(a.shape, "datetime64[s]"),
    "records": lambda a: np.zeros(a.shape, [("a", "f4")]),
    "another float": lambda a: a.astype(np.float64 if a.dtype == np.float32 else np.float32),
    "bool": lambda a: a.astype(bool),
    "an axis more": lambda a: a[None],
    "an axis less": lambda a: a.reshape(-1),
    "scalar": lambda a: a.dtype.type(0),
    "a Python number": lambda a: 1.5,
    "a large Python number": lambda a: 10**400,
    "nothing": lambda a: a.reshape(-1)[:0],
    "an empty axis": lambda a: a[..., :0] if a.ndim else a,
    "one more": lambda a: np.concatenate([a, a[:1]]) if a.ndim else a,
    "NaN": lambda a: np.full_like(a, np.nan) if a.dtype.kind == "f" else a,
    "a nested list without end": lambda a: _endless(),
}


def _endless() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def wrong_feed(feeds: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[str, Any, bool]:
    """What it is in words, what to feed, and whether the answer has to be that to the right feeds."""
    name = pick(rng, list(feeds))
    way = rng.random()
    if way < 0.1:
        return "an unknown name", {**feeds, "no such input": np.zeros(1)}, False
    if way < 0.2:
        return "nothing for an input", {n: a for n, a in feeds.items() if n != name}, False
    if way < 0.25:
        return "names that are no text", {**feeds, 3: np.zeros(1), None: 1}, False
    if way < 0.3:
        return "no mapping", pick(rng, [None, [*feeds.values()], 3, "x"]), False
    if way < 0.6:
        what = pick(rng, list(SAME))
        return f"{what} for '{name}'", {**feeds, name: SAME[what](feeds[name])}, True
    what = pick(rng, list(ODD))
    return f"{what} for '{name}'", {**feeds, name: ODD[what](feeds[name])}, False
