"""What other input sizes will need of a network whose sizes are open, found out with its first plan."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping

from clconv.errors import ClconvError
from clconv.graph.ir import TensorSpec
from clconv.lowering.lower import LoweredGraph
from clconv.lowering.model.call import Kernel, KernelCall

Specs = Mapping[str, TensorSpec]
CallsByNode = Mapping[str, tuple[KernelCall, ...]]

_MOST_BYTES = 1 << 26  # of inputs: larger ones take the kernels of half their size


def other_sizes(declared: Specs, specs: Specs) -> list[Specs]:
    """Sizes that stand for those to come: everything open twice as large, and a batch of one."""

    def changed(size_of: Callable[[int, int], int]) -> Specs:
        return {
            name: dataclasses.replace(
                spec,
                shape=tuple(
                    size if isinstance(open_size, int) else size_of(axis, size)
                    for axis, (open_size, size) in enumerate(
                        zip(declared[name].shape, spec.shape, strict=True)
                    )
                ),
            )
            for name, spec in specs.items()
        }

    def is_small(sizes: Specs) -> bool:
        return sum(spec.nbytes for spec in sizes.values()) <= _MOST_BYTES

    doubled = changed(lambda axis, size: 2 * size)
    single = changed(lambda axis, size: 1 if axis == 0 else size)
    found: list[Specs] = []
    for sizes in (doubled, single):
        if sizes != specs and sizes not in found and is_small(sizes):
            found.append(sizes)
    return found


def calls_at(sizes: list[Specs], lower: Callable[[Specs], LoweredGraph]) -> CallsByNode:
    """The calls that each node makes, or may make, at these sizes, one for each kernel. Sizes that the network
    cannot have are left out: whoever asks for them gets the error."""
    found: dict[str, dict[Kernel, KernelCall]] = {}
    for specs in sizes:
        try:
            lowered = lower(specs)
        except ClconvError:
            continue
        for call in (*lowered.calls, *itertools.chain(*lowered.alternatives.values())):
            found.setdefault(call.node, {})[call.kernel] = call
    return {node: tuple(calls.values()) for node, calls in found.items()}
