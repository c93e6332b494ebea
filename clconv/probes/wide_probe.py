"""Whether functions for AVX-512 are right, and no slower, where PoCL's compiler takes the processor for one without: tried in a
process of its own, which LLVM may end, and remembered, before the device's vectors are taken for 16 lanes wide."""

from __future__ import annotations

import functools
import sys
import time

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo, widened
from clconv.device.options import PlanOptions
from clconv.errors import ClconvError
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.planning.planner import Planner
from clconv.probes.apart import RIGHT, found_apart
from clconv.probes.trial import outputs_of
from clconv.runtime.device import devices
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.quarantine import device_key
from clconv.version import __version__

# Element-wise operators whose kernels call functions of their own and PoCL's, which are compiled for other vectors.
_FUNCTIONS = ("Sqrt", "Sin", "Erf", "Exp")
_SLOWER = 1.05  # times as long: more than what is measured again differs
_ROUNDS = 30
_AGAIN = 10  # so many times as many rounds, where other programs have the cores


@functools.cache
def verified_wide(device: DeviceInfo) -> DeviceInfo:
    """The device, with vectors of 16 lanes if they are known to be right and of use: a process that tried it said so, now or
    before."""
    if device.wide_verified or not device.wide or not device.is_cpu:
        return device
    key = {"device": device_key(device), "wide": device.wide, "clconv": __version__}
    reason = found_apart("wide.json", key, "clconv.probes.wide_probe", (str(device.index),))
    if not reason:
        return widened(device)
    say(1, f"{device}: vectors of 16 lanes are not used: {reason}")
    return device


def refusal(device: DeviceInfo) -> str:
    """Why vectors of 16 lanes are of no use, in words; "" if they are."""
    try:
        if not all(is_right(widened(device), joining) for joining in (False, True)):
            return "they give wrong results"
        ratio = times_as_long(device)
    except ClconvError as reason:
        return str(reason).splitlines()[0]
    return f"they take {ratio:.2f} times as long" if ratio > _SLOWER else ""


def is_right(device: DeviceInfo, joining: bool) -> bool:
    """Whether a convolution of small integers is exact, and functions of all its results are as the reference has them."""
    graph = _network(channels=35, size=(9, 13), functions=True)
    rng = np.random.default_rng(0)
    feeds = {"x": rng.integers(-4, 5, graph.specs["x"].shape).astype(np.float32)}
    expected = run_reference(graph, feeds)
    found = outputs_of(graph, feeds, device, {"conv": "direct"}, joining=joining)
    return np.array_equal(found["sums"], expected["sums"]) and all(
        np.allclose(found[name], expected[name], rtol=1e-5, atol=1e-5) for name in graph.outputs
    )


def _network(channels: int, size: tuple[int, int], functions: bool) -> Graph:
    """sums: a 3x3 convolution of x, whose results are integers if those of x are. functions: of sums in 1..2."""
    rng = np.random.default_rng(1)
    spec = TensorSpec((1, channels, *size))
    w = rng.integers(-3, 4, (channels, channels, 3, 3)).astype(np.float32)
    w[:, channels // 2] = 0
    window = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1)}
    nodes = [make_node("Conv", ["x", "w"], ["sums"], "probe of vectors", group=1, **window)]
    specs, outputs = {"x": spec, "sums": spec}, ["sums"]
    constants = {"w": Constant(w)}
    if functions:
        constants |= {"step": Constant(np.float32(2**-12)), "one": Constant(np.float32(1.5))}
        nodes.append(make_node("Mul", ["sums", "step"], ["small"], "small"))
        nodes.append(make_node("Add", ["small", "one"], ["positive"], "positive"))
        specs |= {"small": spec, "positive": spec}
        for op in _FUNCTIONS:
            nodes.append(make_node(op, ["positive"], [op], op))
            specs[op] = spec
            outputs.append(op)
    return Graph("probe", tuple(nodes), ("x",), tuple(outputs), specs, constants)


def times_as_long(device: DeviceInfo) -> float:
    """How much longer a network takes with vectors of 16 lanes than as the device is: by the least times of runs in turn, of
    more where it seems to take longer, for what the probe says is remembered."""
    graph = _network(channels=64, size=(28, 28), functions=False)
    feeds = {"x": np.ones(graph.specs["x"].shape, np.float32)}
    bound = []
    for one in (device, widened(device)):
        plan = Planner(one, PlanOptions(images_at_once=0)).plan(graph, {"x": graph.specs["x"]})
        bound.append(PreparedDevice(one).bind(plan))
    least = [float("inf")] * len(bound)
    for round_ in range(_ROUNDS * _AGAIN):
        if round_ % _ROUNDS == 0 and round_ and least[1] <= least[0] * _SLOWER:
            break
        for i, runs in enumerate(bound):
            began = time.perf_counter()
            runs.run(feeds)
            least[i] = min(least[i], time.perf_counter() - began)
    return least[1] / least[0]


def _main(index: str) -> None:
    device = next(d for d in devices() if d.index == int(index))
    print(refusal(device) or RIGHT)


if __name__ == "__main__":
    _main(*sys.argv[1:])
