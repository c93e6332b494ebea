"""What is fused behind a node: constants by channel, a residual sum, an activation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.variants import VARIANTS
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run

rng = np.random.default_rng(11)
SAME: dict[str, Any] = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1), "group": 1}
WINDOW: dict[str, Any] = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1)}  # fmt: skip

# variant: (operator, attributes, shape of x, shapes of the constants)
NODES: dict[str, tuple[str, dict[str, Any], tuple[int, ...], tuple[tuple[int, ...], ...]]] = {
    "local": ("Gemm", {"alpha": 0.5}, (37, 45), ((45, 70), (70,))),
    "local, split": ("Gemm", {"transB": 1, "beta": 2.0}, (9, 700), ((22, 700), (22,))),
    "vector": ("Gemm", {"transB": 1}, (3, 130), ((21, 130), (21,))),
    "implicit_gemm": ("Conv", SAME, (2, 5, 7, 9), ((6, 5, 3, 3), (6,))),
    "implicit_gemm, split": ("Conv", SAME, (1, 300, 3, 3), ((6, 300, 3, 3), (6,))),
    "winograd4_gpu": ("Conv", SAME, (1, 5, 7, 9), ((6, 5, 3, 3), (6,))),
    "winograd2_gpu": ("Conv", SAME, (1, 5, 7, 9), ((6, 5, 3, 3), (6,))),
    "winograd2_fused": ("Conv", SAME, (2, 13, 7, 9), ((37, 13, 3, 3), (37,))),
    "winograd4_fused": ("Conv", SAME, (2, 13, 7, 9), ((37, 13, 3, 3), (37,))),
    "depthwise_gpu": ("Conv", {**SAME, "group": 6}, (1, 6, 7, 9), ((6, 1, 3, 3), (6,))),
    "stem": ("Conv", SAME, (2, 3, 7, 9), ((6, 3, 3, 3), (6,))),
    "local, a pool": ("AveragePool", WINDOW, (2, 5, 7, 9), ()),
    "register": ("AveragePool", WINDOW, (2, 5, 7, 9), ()),
    "group": ("GlobalMaxPool", {}, (2, 5, 7, 9), ()),
    "split": ("GlobalAveragePool", {}, (2, 5, 37, 41), ()),
    "simple": ("Conv", SAME, (2, 5, 7, 9), ((6, 5, 3, 3), (6,))),
}
FIVE, TWO = {**SAME, "pads": (2, 2, 2, 2)}, {**SAME, "strides": (2, 2)}
CONVOLUTIONS_ON_CPUS: dict[
    str, tuple[str, dict[str, Any], tuple[int, ...], tuple[tuple[int, ...], ...]]
] = {
    "direct": ("Conv", SAME, (2, 5, 7, 9), ((37, 5, 3, 3), (37,))),
    "narrow": ("Conv", FIVE, (2, 5, 90, 13), ((3, 5, 5, 5), (3,))),
    "depthwise": ("Conv", {**SAME, "group": 21}, (2, 21, 7, 9), ((21, 1, 3, 3), (21,))),
    "winograd4": ("Conv", SAME, (2, 21, 7, 9), ((37, 21, 3, 3), (37,))),
    "winograd2": ("Conv", SAME, (2, 21, 7, 9), ((37, 21, 3, 3), (37,))),
    "winograd2_5x5": ("Conv", FIVE, (2, 21, 7, 9), ((37, 21, 5, 5), (37,))),
    "winograd4_stride2": ("Conv", TWO, (2, 21, 15, 9), ((37, 21, 3, 3), (37,))),
    "winograd2_stride2": ("Conv", TWO, (2, 21, 15, 9), ((37, 21, 3, 3), (37,))),
}


def floats(shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(-1, 1, shape).astype(np.float32)


def test_every_convolution_is_here() -> None:
    wanted = {
        v.name for v in VARIANTS["Conv"] if not v.name.startswith("matrix_")
    }  # they have a file each
    assert {n.split(",")[0] for n in (*NODES, *CONVOLUTIONS_ON_CPUS)} >= wanted


@pytest.mark.parametrize("name", [*NODES, *CONVOLUTIONS_ON_CPUS])
def test_fused_steps_agree_with_the_reference(name: str, device: DeviceInfo) -> None:
    if name in CONVOLUTIONS_ON_CPUS and not device.is_cpu:
        pytest.skip("a variant for CPUs")
    op, attrs, x, constants = {**NODES, **CONVOLUTIONS_ON_CPUS}[name]
    known = {f"w{i}": floats(shape) for i, shape in enumerate(constants)}
    first = make_node(op, ["x", *known], ["a"], "first", **attrs)
    feeds = {"x": floats(x)}
    specs = {"x": TensorSpec.of(feeds["x"])}
    shaped = specialise(
        Graph("s", (first,), ("x",), ("a",), specs, {n: Constant(a) for n, a in known.items()}), specs
    ).graph.specs["a"].shape  # fmt: skip
    feeds["r"] = floats(shaped)
    known["scale"] = floats((shaped[1], *(1,) * (len(shaped) - 2)))
    nodes = (
        first,
        make_node("Mul", ["a", "scale"], ["m"], "scaled"),
        make_node("Add", ["m", "r"], ["s"], "summed"),
        make_node("Relu", ["s"], ["y"], "rectified"),
    )
    specs = {n: TensorSpec.of(a) for n, a in feeds.items()}
    constants_of = {n: Constant(a) for n, a in known.items()}
    graph = Graph("fused", nodes, tuple(feeds), ("y",), specs, constants_of)
    graph = run_passes(specialise(graph, specs).graph)
    assert len(graph.nodes) == 1 and graph.nodes[0].epilogue, "the steps are fused"
    plan = plan_for(graph, device, {op.lower(): name.split(",")[0]})
    parts = [c for c in plan.calls if "split" in c.kernel.entry or "parts" in c.kernel.entry]
    assert bool(parts) == ("split" in name)
    expected = run_reference(graph, feeds)["y"]
    assert relative_error(run(plan, feeds)["y"], expected) <= 2e-5
