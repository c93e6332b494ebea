"""How many images of a batch go through a network at a time.

What lies between the layers of a large batch goes to memory and comes back. Where each image is for itself, as many
at a time as the cache holds leave it there; each time the weights are read anew. Both costs are counted in bytes.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from clconv import config
from clconv.errors import ClconvWarning, DeviceMemoryError
from clconv.graph.batch_split import Apart, batch_of, take_apart
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.specialise.specialise import specialise
from clconv.planning.plan import Plan

MakePlan = Callable[[Graph, Mapping[str, TensorSpec]], Plan]

# The rest is for the weights that pass through. Fewer images are faster on a quiet machine, more wait less for a core
# that is busy with something else.
_CACHE_SHARE = 0.75
# A byte of weights read anew costs what this many of values do: Winograd's are four times the file's, all of them
# come from memory, and small products use each less often. Between 4 and 8 the same of ten networks gained by it
# (benchmarks/results/batch_images.md).
_WEIGHTS = 6


def plan_images(
    make: MakePlan,
    graph: Graph,
    specs: Mapping[str, TensorSpec],
    values: Mapping[str, np.ndarray] | None = None,
) -> tuple[Plan, Apart | None]:
    """The plan for these inputs; where fewer images at a time take less, or the device has no memory for all of
    them, the plan for so many and what they are.

    make: plans a graph for specs. values: inputs whose content is known already, also to make. CLCONV_IMAGES says
    how many instead. Raises what make raises.
    """
    asked = config.IMAGES.get()
    try:
        plan, apart = make(graph, specs), None
        whole = plan.graph
    except DeviceMemoryError as too_large:
        settled = specialise(graph, specs, values)
        if settled.cut is not None:
            raise
        whole = settled.graph
        plan, apart = _that_fit(make, whole, asked, too_large)
    if plan.cut is not None or asked == 0:
        return plan, apart
    count = _count(plan) if asked is None else asked
    if count >= batch_of(plan.graph):
        return plan, apart
    fewer = take_apart(whole, count)
    if fewer is not None:
        return make(fewer.graph, fewer.specs), fewer
    if asked is not None:
        warnings.warn(
            f"{config.IMAGES.name}={asked}: '{graph.name}' gets its {batch_of(whole)} images at once, because it is "
            f"not certain that none looks at another",
            ClconvWarning,
            stacklevel=2,
        )
    return plan, apart


def _that_fit(
    make: MakePlan, whole: Graph, asked: int | None, too_large: DeviceMemoryError
) -> tuple[Plan, Apart]:
    """The plan for as many images as the device has memory for: half of them, a quarter and so on, or those asked
    for. too_large: why it is not all of them, raised where no other count helps."""
    for count in _halves(batch_of(whole)) if asked is None else (asked,):
        apart = take_apart(whole, count)
        if apart is None:
            break
        with contextlib.suppress(DeviceMemoryError):
            return make(apart.graph, apart.specs), apart
    raise too_large


def _halves(batch: int) -> Iterator[int]:
    while batch > 1:
        batch = -(-batch // 2)
        yield batch


def _count(plan: Plan) -> int:
    """How many images at a time take least, as far as bytes to and from memory tell."""
    cache, batch = plan.device.cache, batch_of(plan.graph)
    if batch < 2 or not plan.device.is_cpu or not cache or plan.memory.total <= cache:
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
