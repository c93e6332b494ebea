"""What the passes need to know about an operator, stated where the operator is defined: Op.hooks.

Each field must be given: a forgotten one would fail no test and only cost speed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from clconv.graph.rules.images import ImageRule
from clconv.graph.rules.known import KnownRule
from clconv.graph.rules.transposed import TransposeRule
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

# Writes the gradients of a node's inputs; their names, "" for an input that has none.
GradientRule = Callable[["Backward"], Sequence[str]]


@record(frozen=True)
class Half:
    """How an operator runs in a network that is partly stored in float16; see passes/half.py.

    kind: "exact" if the result depends on the dtype itself: it stays as it is. "moves": it only moves data, in whatever
    type they are stored. "kept": on halves only where the network declares them. "narrowed": also on halves where a
    float32 network is to be stored in float16.
    inputs: those that are narrowed; all if none are named. follows: it takes the type that it finds, because a
        conversion would cost as much as the operator, or because halves would round differences away: on halves only
        after another operator that is.
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
    """known: what is known of its first output before the input sizes are (passes/facts.py); None if nothing is.
    shape_input: the input that holds the result's shape, None if there is none.
    transposed: how it works on a transposed input (passes/push_transposes.py); None if it cannot.
    images: when it treats the images of a batch independently (graph/batch_split.py); None if it mixes them, or if
        that is unknown.
    half: how it runs in float16.
    epilogue: whether its kernels can apply element-wise steps to their results (passes/fuse_epilogue.py).
    pad: whether a Pad before it can be fused into it (passes/fuse_pad.py).
    keeps_elements: whether each element of its result is one of its first input's, so that it can be swapped with a
        quantisation (passes/quantised.py).
    gradient: writes the gradients of its inputs (graph/rules/gradient); None if there is no rule.
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
"""For operators that run on the host only, or are always written with others."""
