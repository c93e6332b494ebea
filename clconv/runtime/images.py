"""How many images of a batch go through a network at a time.

What lies between the layers of a large batch goes to memory and comes back. Where each image is for itself, as many
at a time as the cache holds leave it there; each time the weights are read anew. Both costs are counted in bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

from clconv import config
from clconv.errors import ClconvWarning
from clconv.graph.images import Apart, batch_of, take_apart
from clconv.graph.ir import Graph, TensorSpec
from clconv.runtime.plan import Plan

MakePlan = Callable[[Graph, Mapping[str, TensorSpec]], Plan]

# The rest is for the weights that pass through. Fewer images are faster on a quiet machine, more wait less for a core
# that is busy with something else.
_CACHE_SHARE = 0.75
# A byte of weights read anew costs what this many of values do: Winograd's are four times the file's, all of them
# come from memory, and small products use each less often. Between 4 and 8 the same of ten networks gained by it
# (benchmarks/results/batch_images.md).
_WEIGHTS = 6


def plan_images(
    make: MakePlan, graph: Graph, specs: Mapping[str, TensorSpec]
) -> tuple[Plan, Apart | None]:
    """The plan for these inputs; where fewer images at a time take less, the plan for so many and what they are.

    make: plans a graph for specs. CLCONV_IMAGES says how many instead.
    """
    plan = make(graph, specs)
    apart = _apart(plan)
    return (plan, None) if apart is None else (make(apart.graph, apart.specs), apart)


def _apart(plan: Plan) -> Apart | None:
    batch, asked = batch_of(plan.graph), config.IMAGES.get()
    if plan.cut is not None or batch < 2 or asked == 0:
        return None
    if asked is None:
        count = _count(plan, batch)
        return None if count == batch else take_apart(plan.graph, count)
    if asked >= batch:
        return None
    found = take_apart(plan.graph, asked)
    if found is None:
        warnings.warn(
            f"{config.IMAGES.name}={asked}: '{plan.graph.name}' gets its {batch} images at once, because it is not "
            f"certain that none looks at another",
            ClconvWarning,
            stacklevel=2,
        )
    return found


def _count(plan: Plan, batch: int) -> int:
    """How many images at a time take least, as far as bytes to and from memory tell."""
    cache = plan.device.cache
    if not plan.device.is_cpu or not cache or plan.memory.total <= cache:
        return batch
    graph = plan.graph
    used = [name for node in graph.nodes for name in (*node.inputs, *node.outputs) if name]
    values = sum(graph.spec(name).nbytes for name in used if name not in graph.constants)
    weights = sum(graph.constants[name].spec.nbytes for name in {*used} & graph.constants.keys())
    most = max(int(_CACHE_SHARE * cache * batch / plan.memory.total), 1)
    # What the last run takes once more is lost: from the upper half, the count that loses least.
    runs = {count: -(-batch // count) for count in range(most // 2 + 1, most + 1)}
    count = min(runs, key=lambda c: (runs[c] * c, runs[c]))
    return count if values > _WEIGHTS * weights * (runs[count] - 1) else batch
