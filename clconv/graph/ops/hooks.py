"""What the passes need to know of an operator, said where the operator is: Op.hooks.

Each field must be given: a forgotten one would fail no test, it would only cost speed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from clconv.graph.rules.images import ImageRule
from clconv.graph.rules.known import KnownRule
from clconv.graph.rules.transposed import TransposeRule

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

# Writes the gradients of a node's inputs; their names, "" for an input that has none.
GradientRule = Callable[["Backward"], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Half:
    """What becomes of an operator in a network of which parts are stored in float16; see passes/half.py.

    kind: "exact" where the result depends on the dtype itself: it runs as it is. "moves": it only moves data, in the
    type in which they lie there. "kept": on halves only where the network says so. "narrowed": on halves too where
    a float32 network is to be stored in float16.
    inputs: those that are narrowed, all if none are named. follows: it takes what it finds, because a conversion would cost as much as it does, or it tells apart less; only
        behind another that is on halves.
    """

    kind: str
    inputs: tuple[int, ...] = ()
    follows: bool = False

    EXACT: ClassVar[Half]
    MOVES: ClassVar[Half]
    KEPT: ClassVar[Half]

    @classmethod
    def narrowed(cls, *inputs: int, follows: bool = False) -> Half:
        return cls("narrowed", inputs, follows)


Half.EXACT, Half.MOVES, Half.KEPT = Half("exact"), Half("moves"), Half("kept")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hooks:
    """known: what its first output is known to be before the input sizes are (passes/facts.py); None if nothing is.
    shape_input: which input names the result's shape, None if none does.
    transposed: how it reads a transposed input (passes/push_transposes.py); None if it cannot.
    images: when it keeps the images of a batch apart (graph/batch_split.py); None if it mixes them, or nobody knows.
    half: what becomes of it in float16.
    epilogue: whether its kernels apply element-wise steps to their results (passes/fuse_epilogue.py).
    pad: whether a Pad before it can become a part of it (passes/fuse_pad.py).
    keeps_elements: whether each element of its result is one of its first input's, so that it can change places with a
        quantisation (passes/quantised.py).
    gradient: writes the gradients of its inputs (graph/rules/gradient); None if nobody has said how.
    """

    known: KnownRule | None
    shape_input: int | None
    transposed: TransposeRule | None
    images: ImageRule | None
    half: Half
    epilogue: bool
    pad: bool
    keeps_elements: bool
    gradient: GradientRule | None


NO_HOOKS = Hooks(
    known=None,
    shape_input=None,
    transposed=None,
    images=None,
    half=Half.KEPT,
    epilogue=False,
    pad=False,
    keeps_elements=False,
    gradient=None,
)
"""Of an operator that runs on the host only, or is always written with others."""
