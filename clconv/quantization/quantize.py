"""quantize(): from a network and samples to the same network in 8 bits, and what that changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clconv.api import Source, load, read_model
from clconv.errors import InputError, UnsupportedError
from clconv.graph.ir import Graph
from clconv.graph.passes.fold_batch_norm import fold_batch_norm
from clconv.graph.passes.fold_constants import fold_constants
from clconv.graph.passes.remove_dead import remove_dead
from clconv.graph.passes.remove_identity import remove_identity
from clconv.quantization.points import find_points
from clconv.quantization.ranges import check_method, find_ranges, observed
from clconv.quantization.report import Change
from clconv.quantization.write import with_rounding
from clconv.runtime.device import Wanted

Sample = Mapping[str, np.ndarray]
Progress = Callable[[str, int, int], None]  # what, how many are done, of how many

_COMPARED = 5  # of so many samples one is kept for the comparison
_ENOUGH = 10  # samples, from which on those that are compared give no ranges


@dataclasses.dataclass(frozen=True)
class Quantized:
    """graph: the network in 8 bits. changes: of each output, on the samples that `held_out` says. products: how many
    convolutions and full connections are quantised, of how many. held_out: whether the samples that were compared took
    no part in choosing the ranges."""

    graph: Graph
    changes: tuple[Change, ...]
    products: int
    of_products: int
    calibrated: int
    compared: int
    held_out: bool


def quantize(
    model: Source,
    samples: Sequence[Sample],
    method: str = "minmax",
    percentile: float = 99.99,
    device: Wanted | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Quantized:
    """The network in 8 bits: uint8 values, int8 weights with a scale for each filter, int32 sums, as an ONNX network with
    QuantizeLinear and DequantizeLinear, which other runtimes take, too.

    samples: inputs by name, as the network is fed; each of them is run on the device. From ten on every fifth gives no
    ranges but is compared. method, percentile: see ranges.find_ranges. progress: called as the work goes on.
    Raises ConfigError, InputError, UnsupportedError where nothing in the network can be quantised, and what load() raises.
    """
    check_method(method, percentile)
    imported = read_model(model)
    graph = imported
    for graph_pass in (fold_constants, remove_dead, remove_identity, fold_batch_norm, remove_dead):
        graph = graph_pass(graph)
    points = find_points(graph)
    if not points.products:
        raise UnsupportedError(
            f"'{graph.name}' has no convolution or full connection of float32 with constant weights to quantise"
        )
    held_out, every = len(samples) >= _ENOUGH, range(len(samples))
    compared = [i for i in every if not held_out or not i % _COMPARED]
    taken = [i for i in every if not held_out or i % _COMPARED]
    passes = 1 if method == "minmax" else 2
    done = 0
    # The inputs themselves are values, too, but no session can give them back.
    inside = tuple(n for n in points.rounded if n not in graph.inputs)
    with load(graph.replace(outputs=inside), device) as session:

        def run(index: int) -> dict[str, np.ndarray]:
            nonlocal done
            sample = samples[index]
            _check_finite(sample, index)
            given = {n: a for n, a in sample.items() if n in points.rounded}
            found = {**session.run(sample), **given}
            done += 1
            progress("taking ranges", done, passes * len(taken))
            # Where sizes are open, types are known only now: numbers that sizes are computed with get no grid.
            return {name: array for name, array in found.items() if array.dtype == np.float32}

        ranges = find_ranges(observed(taken, run), method, percentile)
    made = with_rounding(graph, points, ranges)
    changes = _changes(imported, made, samples, compared, device, progress)
    all_products = sum(
        node.op in ("Conv", "ConvTranspose", "Gemm", "MatMul") for node in graph.nodes
    )
    return Quantized(
        made, changes, len(points.products), all_products, len(taken), len(compared), held_out
    )


def _check_finite(sample: Sample, index: int) -> None:
    for name, values in sample.items():
        array = np.asarray(values)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                f"sample {index + 1} of those given: its '{name}' holds NaN or infinity, so there is no range to take from it"
            )


def _changes(
    before: Graph,
    after: Graph,
    samples: Sequence[Sample],
    compared: Sequence[int],
    device: Wanted | None,
    progress: Progress,
) -> tuple[Change, ...]:
    changes = {name: Change(name) for name in before.returned}
    progress("comparing answers", 0, len(compared))  # both are compiled first
    with load(before, device) as floats, load(after, device) as rounded:
        for number, index in enumerate(compared):
            sample = samples[index]
            expected, found = floats.run(sample), rounded.run(sample)
            for name, change in changes.items():
                change.add(expected[name], found[name])
            progress("comparing answers", number + 1, len(compared))
    return tuple(changes.values())
