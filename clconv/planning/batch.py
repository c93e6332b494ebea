"""How many images of a batch go through a network at a time.

What lies between the layers of a large batch goes to memory and comes back. Where each image is for itself, as many
at a time as the cache holds leave it there; each time the weights are read anew. Both costs are counted in bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from clconv.graph.batch_split import batch_of
from clconv.planning.plan import Plan

# The rest is for the weights that pass through. Fewer images are faster on a quiet machine, more wait less for a core
# that is busy with something else.
_CACHE_SHARE = 0.75
# A byte of weights read anew costs what this many of values do: Winograd's are four times the file's, all of them
# come from memory, and small products use each less often. Between 4 and 8 the same of ten networks gained by it
# (benchmarks/results/batch_images.md).
_WEIGHTS = 6


def halves_of(batch: int) -> Iterator[int]:
    """Half as many images, a quarter and so on down to one: what to try where the device has no room for all."""
    while batch > 1:
        batch = -(-batch // 2)
        yield batch


def images_at_a_time(plan: Plan) -> int:
    """How many images of a plan's batch at a time take least, as far as bytes to and from memory tell."""
    cache, batch = plan.device.cache, batch_of(plan.graph)
    if batch < 2 or not plan.device.is_cpu or not cache or plan.memory.total <= cache:
        return batch
    graph = plan.graph
    held = graph.constants.keys() | graph.state.keys()
    used = [name for node in graph.nodes for name in (*node.inputs, *node.outputs) if name]
    values = sum(graph.spec(name).nbytes for name in used if name not in held)
    weights = sum(graph.spec(name).nbytes for name in {*used} & held)
    most = max(int(_CACHE_SHARE * cache * batch / plan.memory.total), 1)
    # What the last run takes once more is lost: from the upper half, the count that loses least.
    runs = {count: -(-batch // count) for count in range(most // 2 + 1, most + 1)}
    count = min(runs, key=lambda c: (runs[c] * c, runs[c]))
    return count if values > _WEIGHTS * weights * (runs[count] - 1) else batch
