"""Holds whole networks whose kernels go as one launch against the reference: what `clconv doctor` runs last.

Kernel by kernel everything may be right and a joined launch still wrong: a worker that reads what another has
not written yet. Such races show rarely, so each network runs many times.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.diagnosis.doctor import Result, failed_result
from clconv.frontend.layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dense,
    GlobalAvgPool2d,
    HardSwish,
    Layer,
    MaxPool2d,
    Multiply,
    Relu,
    Relu6,
    Sequential,
    Sigmoid,
    Softmax,
    Upsample,
)
from clconv.graph.ir import Graph
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.planning.joining import JOINED, may_join
from clconv.planning.planner import Planner
from clconv.runtime.check import TOLERANCE, relative_error
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.worker import Failed, Worker, WorkerError

RUNS = 30  # of each network; every other one is fed other values, so that what is left of the last run shows
_SECONDS = 300.0  # for one network, most of them for compiling


def _same(filters: int, window: int, stride: int = 1, groups: int = 1) -> Conv2d:
    return Conv2d(filters, window, stride, "same", groups=groups)


def _residual(channels: int) -> Layer:
    return Sequential(
        Add(Sequential(_same(channels, 3), Relu(), _same(channels, 3)), Sequential()), Relu()
    )


def _inverted(channels: int, wide: int) -> Layer:
    """MobileNet's block: wide, each channel on its own, narrow, and what came in."""
    return Add(
        Sequential(
            _same(wide, 1), Relu6(), _same(wide, 3, groups=wide), Relu6(), _same(channels, 1)
        ),
        Sequential(),
    )


def _scaled(channels: int) -> Layer:
    """A squeeze and excitation."""
    return Multiply(
        Sequential(GlobalAvgPool2d(), _same(channels // 4, 1), Relu(), _same(channels, 1), Sigmoid()),
        Sequential(),
    )  # fmt: skip


def _networks() -> dict[str, tuple[Layer, tuple[int, ...], int]]:
    """A layer, the volume that it is fed, and the batch, by name: kernels of every kind behind each other."""
    return {
        "residual": (
            Sequential(_same(24, 3, 2), Relu(), _residual(24), _residual(24)), (3, 44, 36), 2,
        ),
        "winograd": (Sequential(_same(64, 3), Relu(), _residual(64)), (64, 28, 28), 1),
        "depthwise": (
            Sequential(_same(16, 3, 2), _inverted(16, 96), _inverted(16, 96), _same(40, 3, 2)), (3, 40, 56), 1,
        ),
        "pooled": (
            Sequential(
                _same(20, 5), MaxPool2d(2), HardSwish(), _same(32, 3), _scaled(32), AvgPool2d(2), Dense(50), Relu(),
                Dense(10), Softmax(),
            ), (3, 32, 32), 3,
        ),
        "branches": (
            Sequential(
                _same(16, 1), Concat(_same(8, 1), _same(16, 3), _same(24, 5), MaxPool2d(3, 1, 1)), _same(32, 1),
                Concat(Sequential(), Sequential(_same(8, 3), Relu())), _same(9, 3),
            ), (8, 24, 20), 1,
        ),
        "up and down": (
            Sequential(
                _same(16, 3), Relu(),
                Concat(
                    Sequential(), Sequential(MaxPool2d(2), _same(32, 3), Relu(), ConvTranspose2d(16, 2, 2)),
                    Sequential(AvgPool2d(2), Upsample(2)),
                ), _same(4, 3), Sigmoid(),
            ), (3, 48, 48), 1,
        ),
    }  # fmt: skip


NETWORKS: tuple[str, ...] = tuple(_networks())


def network(name: str) -> Graph:
    """One of NETWORKS as a graph with known shapes."""
    layer, volume, batch = _networks()[name]
    return layer.build(volume, batch, name=name)


def examine_network(name: str, device: DeviceInfo, findings: Findings = NOTHING_FOUND) -> Result:
    """The largest error of a network over all its runs in one launch. Where that is too large, `failure` says what
    the same kernels give launch by launch."""
    graph = network(name)
    (fed,) = graph.inputs
    spec = graph.specs[fed]
    rng = np.random.default_rng(0)
    feeds = [{fed: rng.uniform(-1, 1, spec.shape).astype(np.float32)} for _ in range(2)]
    expected = [run_reference(graph, feed) for feed in feeds]
    optimised = run_passes(graph)
    prepared = PreparedDevice(device)
    # The result of earlier trials of joining itself is what is to be determined again.
    kernels = dataclasses.replace(findings, quarantined=findings.quarantined - {JOINED})

    def largest_error(joined: bool, runs: int) -> float:
        planner = Planner(device, PlanOptions(images_at_once=0, joining=joined), kernels)
        bound = prepared.bind(planner.plan(optimised, {fed: spec}))
        return max(_difference(bound.run(feeds[i % 2]), expected[i % 2]) for i in range(runs))

    error = largest_error(True, RUNS)
    failure = ""
    if not error <= TOLERANCE:
        separate_error = largest_error(False, len(feeds))
        failure = f"error {error:.3g}, and {separate_error:.3g} with a launch for each kernel"
    return Result(*JOINED, name, error, TOLERANCE, failure)


def _difference(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    return max(relative_error(found[name], reference) for name, reference in expected.items())


def examine_joined(
    device: DeviceInfo, worker: Worker, findings: Findings = NOTHING_FOUND
) -> Iterator[Result]:
    """One result a network, as of a variant JOINED; none where launches are never joined. findings: kernels that are
    wrong on their own, to keep away from."""
    for name in NETWORKS if may_join(device, PlanOptions.from_config()) else ():
        try:
            yield worker.call(examine_network, name, device, findings, limit=_SECONDS)
        except (WorkerError, Failed) as reason:
            yield failed_result(*JOINED, name, TOLERANCE, str(reason))
