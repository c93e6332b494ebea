"""One mutant from its number to what became of it."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

import clconv
from clconv.errors import (
    CheckError,
    ClconvError,
    InputError,
    InternalError,
    KernelBuildError,
    TemplateError,
)
from clconv.graph.ir import ANY_SHAPE, TensorSpec
from tests.fuzz.compare import difference
from tests.fuzz.feeds import wrong_feed
from tests.fuzz.mutators import MUTATORS
from tests.fuzz.seeds import Seed, random_seed
from tests.fuzz.values import pick

_MOST_FED = 1 << 20  # elements of an input; what wants more is loaded and not run

# What an outcome may be. The first three are right.
ANSWERED, REFUSED, NOT_RUN = "answered", "refused", "not run"
FAULT, DIFFERS = "fault", "differs"
Stage = Callable[[str, str], None]
Load = Callable[[Any], Any]
_BUGS = (InternalError, TemplateError, KernelBuildError, CheckError)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a mutant. detail: the error, or how it differs. history: its seed and what was done to it."""

    status: str
    detail: str
    history: str

    @property
    def is_right(self) -> bool:
        return self.status in (ANSWERED, REFUSED, NOT_RUN)


def mutant(number: int) -> tuple[Seed, bytes, str, np.random.Generator]:
    """The mutant of a number: the same on every machine. Its parts, its bytes, and how it came about."""
    rng = np.random.default_rng(number)
    seed = random_seed(rng)
    done = [seed.name]
    for _ in range(int(rng.integers(1, 4))):
        change = pick(rng, MUTATORS)
        # What protobuf does not take, or not so deep, is left undone.
        with contextlib.suppress(ValueError, TypeError, OverflowError, DecodeError):
            change(seed, rng)
            done.append(change.__name__)
    data = seed.model.SerializeToString()
    if rng.random() < 0.03:
        data = _garbled(data, rng)
        done.append("garbled")
    return seed, data, " ".join(done), rng


def _garbled(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(changed) + 1))
        way = rng.integers(3)
        if way == 0:
            changed[place : place + 1] = bytes([int(rng.integers(256))])
        elif way == 1:
            del changed[place : place + int(rng.integers(1, 40))]
        else:
            changed = changed[:place]
    return bytes(changed)


def attempt(
    number: int, stage: Stage = lambda name, history: None, load: Load = clconv.load
) -> Outcome:
    """Loads and runs a mutant, feeds it something wrong, and compares its answer with onnxruntime's.

    stage(name, history) hears who works on it from now on. load: clconv's, or what does with less.
    """
    seed, data, history, rng = mutant(number)
    stage("clconv", history)
    with tempfile.TemporaryDirectory() as folder:
        source: Any = data
        if seed.files:
            source = Path(folder) / "model.onnx"
            source.write_bytes(data)
            for name, content in seed.files.items():
                (Path(folder) / name).write_bytes(content)
        status, detail, feeds, results = _run(source, seed, rng, load)
        if status == ANSWERED:
            stage("onnxruntime", history)  # if that one dies, clconv is not to blame
            differs = difference(source, feeds, results)
            if differs:
                status, detail = DIFFERS, differs
    return Outcome(status, detail, history)


def _run(
    source: Any, seed: Seed, rng: np.random.Generator, load: Load
) -> tuple[str, str, dict[str, np.ndarray], dict[str, np.ndarray]]:
    try:
        session = load(source)
        feeds = feeds_for(session.inputs, seed.feeds, rng)
        if feeds is None:
            return NOT_RUN, "an input is large", {}, {}
        results = session.run(feeds)
        if feeds and rng.random() < 0.3:
            fault = _feed_wrongly(session, feeds, results, rng)
            if fault:
                return FAULT, fault, {}, {}
    except _BUGS as reason:
        return FAULT, f"{type(reason).__name__}: {reason}", {}, {}
    except ClconvError as reason:
        return REFUSED, f"{type(reason).__name__}: {reason}", {}, {}
    except Exception as reason:
        return FAULT, f"{type(reason).__name__}: {reason}", {}, {}
    return ANSWERED, "", feeds, results


def feeds_for(
    specs: Mapping[str, TensorSpec], given: Mapping[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray] | None:
    """What the seed was fed where it still fits, else something small; None if an input is too large."""
    sizes: dict[Any, int] = {}
    for name, array in given.items():
        if name in specs and specs[name].rank == array.ndim:
            sizes.update(
                (d, n)
                for d, n in zip(specs[name].shape, array.shape, strict=True)
                if isinstance(d, str)
            )
    feeds = {}
    for name, spec in specs.items():
        shape = tuple(d if isinstance(d, int) else sizes.get(d, 2) for d in spec.shape)
        if spec.shape == ANY_SHAPE:
            shape = given[name].shape if name in given else (2,)
        if TensorSpec(shape).size > _MOST_FED:
            return None
        array = given.get(name)
        if array is None or array.shape != shape or array.dtype != spec.dtype.numpy:
            array = rng.uniform(-2, 2, shape) if spec.dtype.is_float else rng.integers(0, 3, shape)
        feeds[name] = np.asarray(array).astype(spec.dtype.numpy)
    return feeds


def _feed_wrongly(
    session: Any,
    feeds: dict[str, np.ndarray],
    results: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> str:
    """What is wrong about the answer to something odd, "" if nothing is."""
    what, odd, same = wrong_feed(feeds, rng)
    try:
        found = session.run(odd)
    except InputError:
        return f"fed {what}: refused" if same else ""
    except ClconvError as reason:
        if isinstance(reason, _BUGS) or same:
            return f"fed {what}: {type(reason).__name__}: {reason}"
        return ""
    except Exception as reason:
        return f"fed {what}: {type(reason).__name__}: {reason}"
    if same and any(
        found[n].shape != r.shape or found[n].tobytes() != r.tobytes() for n, r in results.items()
    ):
        return f"fed {what}: another answer"
    return ""
