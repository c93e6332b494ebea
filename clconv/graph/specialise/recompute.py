"""Values of the way forward that are computed anew on the way back, so that they need no memory in between.

The way is cut into segments of about the same size. What crosses from one to the next is kept; all else of a segment is
computed again when the way back reaches it (Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory
Cost", 2016). The last segment is kept whole: the way back begins there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

from clconv.graph.ir import Node, TensorSpec


class Recomputation:
    """way: the nodes that are differentiated, in order. forward: all nodes before. kept: values that stay whoever reads
    them."""

    def __init__(
        self,
        way: Sequence[Node],
        forward: Sequence[Node],
        segments: int,
        kept: Collection[str],
        specs: Mapping[str, TensorSpec],
        fresh: Callable[[str], str],
    ) -> None:
        self._fresh = fresh
        self._segment = _segments(way, segments, specs)
        self._nodes: dict[int, list[Node]] = {}
        for node in way:
            self._nodes.setdefault(self._segment[node.name], []).append(node)
        self._last = max(self._nodes, default=0)
        self._kept = {*kept, *_crossing(forward, self._segment)}
        self._again: dict[str, str] = {}
        self._done: set[int] = set()

    def __contains__(self, name: str) -> bool:
        """Whether a node of that name is on the way."""
        return name in self._segment

    def before(self, node: Node) -> list[Node]:
        """What is computed anew before the way back goes through a node: its segment, the first time."""
        segment = self._segment[node.name]
        if segment == self._last or segment in self._done:
            return []
        self._done.add(segment)
        written = []
        for old in self._nodes[segment]:
            if all(o in self._kept for o in old.outputs if o):
                continue
            outputs = tuple(self._fresh(f"{o}.again") if o else "" for o in old.outputs)
            written.append(
                dataclasses.replace(
                    self.seen(old), name=self._fresh(f"{old.name}.again"), outputs=outputs
                )
            )
            for name, again in zip(old.outputs, outputs, strict=True):
                if name and name not in self._kept:
                    self._again[name] = again
        return written

    def seen(self, node: Node) -> Node:
        """The node as the way back sees it, with values that are there by then."""
        inputs, outputs = (
            tuple(self._again.get(n, n) for n in names) for names in (node.inputs, node.outputs)
        )
        return dataclasses.replace(node, inputs=inputs, outputs=outputs)


def _segments(way: Sequence[Node], count: int, specs: Mapping[str, TensorSpec]) -> dict[str, int]:
    """The segment of each node: about the same bytes in each."""
    sizes = [sum(specs[o].nbytes for o in node.outputs if o) for node in way]
    whole, passed, found = max(sum(sizes), 1), 0, {}
    for node, size in zip(way, sizes, strict=True):
        found[node.name] = min(count - 1, passed * count // whole)
        passed += size
    return found


def _crossing(forward: Sequence[Node], segment: Mapping[str, int]) -> set[str]:
    """Values that are read outside the segment they come from."""
    made = {o: segment.get(node.name, -1) for node in forward for o in node.outputs if o}
    return {
        name
        for node in forward
        for name in node.inputs
        if name in made and made[name] != segment.get(node.name, -1)
    }
