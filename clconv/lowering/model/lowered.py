"""What lowering makes of a graph: its calls, and which variant each node got. A plan on the disk is read as this, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clconv.graph.ir import TensorSpec
from clconv.lowering.model.call import KernelCall
from clconv.records import record

if TYPE_CHECKING:
    from clconv.lowering.model.kernel import Variant

Named = tuple[tuple[str, Any], ...]


@record(frozen=True)
class Choice:
    """The variant of one node, where it came from, and why the better ones were passed over.

    alternatives: variants that only the sizes of this problem made slower.
    """

    variant: Variant
    # "forced", "tuned: " and the level of Measurements.find, "heuristic", "empty": nothing to compute, or "quarantined":
    # wrong, but nothing else applies
    source: str
    refused: tuple[tuple[str, str], ...] = ()
    parameters: Named = ()
    alternatives: tuple[Variant, ...] = ()

    @property
    def name(self) -> str:
        """The variant and the parameters that are not as it would choose them."""
        return " ".join(
            [self.variant.name, *(f"{name}={value}" for name, value in self.parameters)]
        )

    def __str__(self) -> str:
        refused = "".join(f"; not {name}: {why}" for name, why in self.refused)
        return f"{self.name} ({self.source}{refused})"


@record(frozen=True)
class LoweredGraph:
    """What a device has to do for a graph.

    calls: launches in order. specs: every value with its layout, conversions included. scratch: bytes of
    buffers that only one node uses. aliases: value -> value whose memory it shares. placed_inside: value -> the
    value it lies inside of, and how many bytes behind its beginning. stored: where each
    graph output lies (a converted value stands in for it under another name). ends: for each node of the
    graph, how many calls there are once it is done. alternatives: calls that a node may make at another size.
    late: values that are made after their node's calls, or not at all, as packings read what they are made of.
    """

    calls: tuple[KernelCall, ...]
    specs: Mapping[str, TensorSpec]
    scratch: Mapping[str, int]
    aliases: Mapping[str, str]
    stored: Mapping[str, str]
    choices: Mapping[str, Choice]
    ends: tuple[int, ...] = ()
    placed_inside: Mapping[str, tuple[str, int]] = dataclasses.field(default_factory=dict)
    alternatives: Mapping[str, tuple[KernelCall, ...]] = dataclasses.field(default_factory=dict)
    late: frozenset[str] = frozenset()

    def place(self, value: str) -> tuple[str, int]:
        """The value that owns the memory in which a value lies, and how many bytes behind its beginning."""
        offset = 0
        while True:
            if value in self.aliases:
                value = self.aliases[value]
            elif value in self.placed_inside:
                value, further = self.placed_inside[value]
                offset += further
            else:
                return value, offset
