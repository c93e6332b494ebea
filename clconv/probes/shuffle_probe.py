"""Whether work-items side by side exchange values right without local memory: asked once a process, before it is used."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvError
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.variants import VARIANTS
from clconv.probes.trial import outputs_of

_LINES = (40, 1000)  # shared by as many items as exchange values, and by more


def with_verified_shuffles(graph: Graph | None, device: DeviceInfo) -> DeviceInfo:
    """The device, with shuffles known to work if they do and a network has operators whose groups share lines.

    Unchanged for other networks and devices, also for CPUs, where no group shares a line; then nothing is tried. None:
    any network.
    """
    wanted = device.shuffle and not device.is_cpu and (graph is None or _shares_lines(graph))
    return verified_shuffles(device) if wanted else device


def _shares_lines(graph: Graph) -> bool:
    return any(
        any(variant.name == "group" for variant in VARIANTS.get(node.op, ()))
        or any(isinstance(v, Graph) and _shares_lines(v) for v in node.attrs.values())
        for node in graph.nodes
    )


@functools.cache
def verified_shuffles(device: DeviceInfo) -> DeviceInfo:
    """The device, with its shuffles known to work if sums with them come out exactly right."""
    if not device.shuffle:
        return device
    able = dataclasses.replace(device, shuffle_verified=True)
    try:
        if all(sums_right(able, length) for length in _LINES):
            return able
        reason = "they give wrong sums"
    except ClconvError as refused:
        reason = str(refused)
    say(1, f"{device}: shuffles are not used: {reason}")
    return device


def sums_right(device: DeviceInfo, length: int) -> bool:
    """Sums of small integers, in which no rounding excuses a difference."""
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, (37, length)).astype(np.float32)
    node = make_node("ReduceSum", ["x", "axes"], ["y"], "probe of shuffles", keepdims=0)
    specs = {"x": TensorSpec.of(x), "y": TensorSpec((37,))}
    constants = {"axes": Constant(np.array([1], np.int64))}
    graph = Graph("probe", (node,), ("x",), ("y",), specs, constants)
    found = outputs_of(graph, {"x": x}, device, {"reducesum": "group"})
    return bool(np.array_equal(found["y"], x.sum(axis=1)))
