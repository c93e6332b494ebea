"""What mutants are made of: the models of clconv.cases, and hand-made ones for what single nodes do not show."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import onnx

from clconv.cases import CASES, Case
from clconv.errors import ClconvError
from clconv.frontend.onnx import export_onnx
from tests.fuzz.hand_made import HAND_MADE

# Cases of more elements say nothing more, and take longer.
_LARGEST = 1 << 15


@dataclasses.dataclass(frozen=True)
class Seed:
    """A sound model, what to feed it, and the external files it has: name -> content."""

    name: str
    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    files: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def copy(self) -> Seed:
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        return dataclasses.replace(self, model=model, files=dict(self.files))


@functools.cache
def _small_cases() -> tuple[Case, ...]:
    return tuple(
        case for case in CASES if sum(a.size for a in case.arrays() if a is not None) <= _LARGEST
    )


def seed_count() -> int:
    return len(_small_cases()) + len(HAND_MADE)


@functools.cache
def seed(index: int) -> Seed | None:
    """The seed of that index; None for a case that ONNX cannot say."""
    made = list(HAND_MADE.items())
    if index < len(made):
        name, build = made[index]
        model, feeds, *files = build()
        return Seed(name, model, feeds, *files)
    case = _small_cases()[index - len(made)]
    try:
        graph, feeds = case.build()
        model = onnx.load_from_string(export_onnx(graph))
    except ClconvError:
        return None
    return Seed(case.name, model, feeds)


def random_seed(rng: np.random.Generator) -> Seed:
    """A seed of its own; one in four is hand-made."""
    while True:
        hand_made = rng.random() < 0.25
        low, high = (0, len(HAND_MADE)) if hand_made else (len(HAND_MADE), seed_count())
        found = seed(int(rng.integers(low, high)))
        if found is not None:
            return found.copy()
