"""Whether a processor's instructions for bytes give exact sums: tried by another process, which an instruction that is missing
would end, and remembered, before quantised networks use them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.probes.apart import found_apart
from clconv.probes.trial import outputs_apart
from clconv.runtime.quarantine import device_key
from clconv.version import __version__

_QUANTISED = frozenset(
    {
        *("FakeQuantize", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"),
    }
)
# What a device with one way to multiply bytes may have besides, where the first does not compile or is wrong.
WEAKER = {
    "vnni": ("words",),
    "usdot": ("sdot",),
    "nvidia k32": ("nvidia k16", "nvidia"),
    "nvidia k16": ("nvidia",),
    "intel 16 lanes": ("intel 8 lanes", "khr"),
    "amd matrix": ("amd unsigned",),
}


def with_verified_dot(graph: Graph | None, device: DeviceInfo, precision: str) -> DeviceInfo:
    """The device, with its products of bytes known to be exact if they are and a network is quantised; else unchanged, and
    nothing is tried. None: any network. Networks whose values are to be stored as halves take none."""
    wanted = device.dot and precision != "float16" and (graph is None or _is_quantised(graph))
    return verified_dot(device) if wanted else device


def _is_quantised(graph: Graph) -> bool:
    return any(
        node.op in _QUANTISED
        or any(step.op in _QUANTISED for step in node.epilogue)
        or any(isinstance(v, Graph) and _is_quantised(v) for v in node.attrs.values())
        for node in graph.nodes
    )


@functools.cache
def verified_dot(device: DeviceInfo) -> DeviceInfo:
    """The device, with the first of its ways to multiply bytes that is known to be exact, if a process that tried it said so,
    now or before."""
    if device.dot_verified or not device.dot:
        return device
    for dot in (device.dot, *WEAKER.get(device.dot, ())):
        one = dataclasses.replace(device, dot=dot)
        reason = found_apart("dot.json", _record(one), functools.partial(refusal, one))
        if not reason:
            return dataclasses.replace(one, dot_verified=True)
        say(1, f"{device}: products of bytes by {dot} are not used: {reason}")
    return device


def _record(device: DeviceInfo) -> dict[str, Any]:
    wide = device.wide if device.wide_verified else ""
    return {"device": device_key(device), "dot": device.dot, "wide": wide, "clconv": __version__}


def refusal(device: DeviceInfo) -> str:
    """Why the device's products of bytes are of no use, in words; "" if they are exact. Raises what outputs_apart raises."""
    able = dataclasses.replace(device, dot_verified=True)
    return "" if sums_exact(able) else "they give wrong sums"


def sums_exact(device: DeviceInfo) -> bool:
    """Whether convolutions of bytes are exact to the last bit: of any bytes, and of those with the largest sums, where
    instructions saturate that add products in 16 bits. Where words are multiplied, small weights are not: see pieces.mako."""
    largest = (128, 64) if device.dot == "words" else (128,)
    return all(_is_exact(device, size) for size in largest)


def _is_exact(device: DeviceInfo, largest: int) -> bool:
    """largest: magnitude of a weight."""
    rng = np.random.default_rng(0)
    most = min(largest, 127)
    x = rng.integers(0, 256, (1, 37, 6, 9))
    w = rng.integers(-largest, most + 1, (70, 37, 3, 3))
    x[:, 0::3], w[0::2, 0::3] = 255, most
    x[:, 1::3], w[1::2, 1::3] = 255, -largest
    x[:, 8:12], w[:2, 8:12] = 255, np.array([most, -largest])[:, None, None, None]
    constants = {
        "w": Constant(w.astype(np.int8)),
        "multiplier": Constant(np.full(70, 2.0**-10 / largest, np.float32)),
        "bias": Constant(rng.integers(-1 << 20, 1 << 20, 70).astype(np.int32)),
        "numbers": Constant(np.array([0, 0, 0, 0, 0, -128, 127, 128, 0], np.float32)),
    }
    window = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "x_zero": 129}
    node = make_node("ByteConv", ["x", *constants], ["y"], "probe of products of bytes", **window)
    feeds = {"x": x.astype(np.uint8)}
    y = TensorSpec((1, 70, 6, 9), TensorSpec.of(feeds["x"]).dtype)
    specs = {"x": TensorSpec.of(feeds["x"]), "y": y}
    graph = Graph("probe", (node,), ("x",), ("y",), specs, constants)
    expected = run_reference(graph, feeds)["y"]
    forced = {"byteconv": "dense" if device.is_cpu else "tiles"}
    found = outputs_apart(graph, feeds, device, forced)["y"]
    return bool(np.array_equal(found, expected)) and len(np.unique(expected)) > 50
