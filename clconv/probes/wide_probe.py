"""Whether functions for AVX-512 are right, and multiply no slower, where PoCL's compiler takes the processor for one without: tried
by another process, which LLVM may end, and remembered, before the device's vectors are taken for 16 lanes wide. See known.py, too."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import Any

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo, widened
from clconv.device.options import PlanOptions
from clconv.errors import ClconvError
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.lowering.model.arguments import Write
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.peak_kernels import CHAINS, peak_arithmetic_call
from clconv.planning.memory import Slot
from clconv.planning.planner import Planner
from clconv.probes.apart import found_apart, found_before
from clconv.runtime.opencl import Helper, give_back, open_device, taken
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.quarantine import device_key
from clconv.runtime.trials.job import Launches
from clconv.runtime.trials.run import Apart, PlanApart
from clconv.version import __version__

# Element-wise operators whose kernels call functions of their own and PoCL's, which are compiled for other vectors.
_FUNCTIONS = ("Sqrt", "Sin", "Erf", "Exp")
# Times as long for a multiply-add. Convolutions take two thirds or less of their time by twice as many registers that are twice
# as wide where multiply-adds take as long as before: so they gain up to here.
_SLOWER = 1.25
# Multiply-adds of one work-item, a tenth of a millisecond; and how often each launch is timed: the least time of one thread is found
# on busy cores, too.
_ROUNDS, _TURNS = 1 << 16, 40
_AGAIN = 10  # so many times as many turns where it seems slower
_SUM = CHAINS * 0.5  # of what the multiply-adds tend to

_FILE = "wide.json"
_begun: dict[DeviceInfo, Trial] = {}
_found: dict[DeviceInfo, DeviceInfo] = {}  # what is known of each, for the life of the process
_lock = threading.Lock()


def begin(device: DeviceInfo) -> None:
    """To be called when a network is going to be planned and compiled: what has to be tried for verified_wide() is tried
    meanwhile."""
    with _lock, contextlib.suppress(OSError, ClconvError):  # the same comes where it can be told
        if device in _begun or device in _found or not _is_open(device):
            return
        if found_before(_FILE, _key(device)) is None:
            _begun[device] = Trial(device)


def verified_wide(device: DeviceInfo) -> DeviceInfo:
    """The device, with vectors of 16 lanes if they are known to be right and of use: a process that tried it said so, now or
    before."""
    if not _is_open(device):
        return device
    with _lock:
        if device not in _found:
            reason = found_apart(_FILE, _key(device), lambda: _tried(device))
            if reason:
                say(1, f"{device}: vectors of 16 lanes are not used: {reason}")
            _found[device] = device if reason else widened(device)
        return _found[device]


def _is_open(device: DeviceInfo) -> bool:
    """Whether there is something to be tried."""
    return device.is_cpu and bool(device.wide) and not device.wide_verified


def _key(device: DeviceInfo) -> dict[str, Any]:
    return {"device": device_key(device), "wide": device.wide, "clconv": __version__}


def _tried(device: DeviceInfo) -> str:
    trial = _begun.pop(device, None) or Trial(device)
    return trial.refusal()


class Trial:
    """What a process tries of a device's vectors of 16 lanes, at work from now on. Raises OSError if there is no process, and what
    planning raises."""

    def __init__(self, device: DeviceInfo) -> None:
        self._graph = _network(channels=35, size=(9, 13))
        rng = np.random.default_rng(0)
        x = rng.integers(-4, 5, self._graph.specs["x"].shape).astype(np.float32)
        self._feeds = {"x": x}
        wide = widened(device)
        options = PlanOptions(forced={"conv": "direct"}, images_at_once=0, joining=True, parts=1)
        plan = Planner(wide, options).plan(self._graph, {"x": self._graph.specs["x"]})
        self._helper = taken(device)
        self._network = PlanApart(self._helper, plan, self._feeds, PreparedDevice(wide))
        self._device, self._speed = device, _Speed(device, self._helper, _TURNS)

    def refusal(self) -> str:
        """Why vectors of 16 lanes are of no use, in words; "" if they are. Raises KernelBuildError if the process died, or was
        refused. Others may have the process then."""
        expected = run_reference(self._graph, self._feeds)
        try:
            right = _agree(self._network.outputs(), expected)
            ratio, sums = self._speed.ratio()
            if (
                right and sums and ratio > _SLOWER
            ):  # others may have had the cores, and what is said is remembered
                ratio, sums = _Speed(self._device, self._helper, _TURNS * _AGAIN).ratio()
        finally:
            give_back(self._helper)
        return _in_words(right and sums, ratio)


def _agree(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    """Whether a convolution of small integers is exact, and functions of its results are as the reference has them."""
    return np.array_equal(found["sums"], expected["sums"]) and all(
        np.allclose(found[name], expected[name], rtol=1e-5, atol=1e-5) for name in expected
    )


def _in_words(right: bool, ratio: float) -> str:
    if not right:
        return "they give wrong results"
    return f"a multiply-add takes {ratio:.2f} times as long" if ratio > _SLOWER else ""


def _network(channels: int, size: tuple[int, int]) -> Graph:
    """sums: a 3x3 convolution of x, whose results are integers if those of x are. The others: functions of sums, in 1..2."""
    rng = np.random.default_rng(1)
    spec = TensorSpec((1, channels, *size))
    w = rng.integers(-3, 4, (channels, channels, 3, 3)).astype(np.float32)
    w[:, channels // 2] = 0
    constants = {
        "w": Constant(w),
        "step": Constant(np.float32(2**-12)),
        "one": Constant(np.float32(1.5)),
    }
    window = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1)}
    nodes = [
        make_node("Conv", ["x", "w"], ["sums"], "probe of vectors", group=1, **window),
        make_node("Mul", ["sums", "step"], ["small"], "small"),
        make_node("Add", ["small", "one"], ["positive"], "positive"),
        *(make_node(op, ["positive"], [op], op) for op in _FUNCTIONS),
    ]
    specs = dict.fromkeys(("x", "sums", "small", "positive", *_FUNCTIONS), spec)
    return Graph("probe", tuple(nodes), ("x",), ("sums", *_FUNCTIONS), specs, constants)


class _Speed:
    """Multiply-adds in registers with the vectors that a device has and with those of 16 lanes, each a kernel with a launch of its
    own, which a process times in turn."""

    def __init__(self, device: DeviceInfo, helper: Helper, turns: int) -> None:
        calls: list[KernelCall] = []
        programs: dict[str, tuple[Kernel, ...]] = {}
        sizes: dict[str, int] = {}
        for number, one in enumerate((device, widened(device))):
            call = peak_arithmetic_call(one, _ROUNDS)
            arguments = (
                (n, Write(str(number)) if isinstance(a, Write) else a) for n, a in call.arguments
            )
            calls.append(dataclasses.replace(call, arguments=tuple(arguments), global_size=(1,)))
            programs |= open_device(one).compiler.sources([call.kernel])
            sizes[str(number)] = 4 * one.vector_width

        def place(value: str, offset: int = 0) -> Slot:
            return Slot(int(value), offset, sizes[value] - offset)

        launches = Launches(sizes.values(), place, {})
        self._operations = [call.cost.flops for call in calls]
        self._apart = Apart(helper, launches, calls, programs, [*map(place, sizes)], turns)

    def ratio(self) -> tuple[float, bool]:
        """How many times as long one takes with 16 lanes, and whether all sums are right. Raises what Apart.results raises."""
        contents, seconds = self._apart.results()
        before, now = (s / n for s, n in zip(seconds, self._operations, strict=True))
        sums = [np.frombuffer(content, np.float32) for content in contents]
        return now / before, all(bool(np.all(one == _SUM)) for one in sums)
