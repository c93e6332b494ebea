"""Gradient graphs of single operators on every device: element-wise, reducing, moving, indexing, products."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

import clconv
from clconv.cases import CASES, Case
from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference

NAMES = [
    "LeakyRelu-steep",
    "PRelu-channel",
    "Clip-both",
    "Clip-bounds_at_run_time",
    "Sigmoid-image",
    "HardSwish-image",
    "Tanh-vector",
    "Celu-image",
    "Selu-image",
    "Softplus-image",
    "Mish-image",
    "Swish-alpha",
    "Gelu-image",
    "Gelu-tanh",
    "FakeQuantize-image",
    "Div-image",
    "Pow-literal_2.5",
    "Pow-int64_exponent",
    "Max-3_that_broadcast",
    "Min-7_operands",
    "Where-float_channel",
    "Mul-gate",
    "Add-mask",
    "Atan-image",
    "Tan-vector",
    "SigmoidGradient-image",
    "SwishGradient-image",
    "GeluGradient-image",
    "HardSwishGradient-image",
    "PReluGradient-channel",
]
FAMILIES = [
    "Cast",
    "CastLike",
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "TopK",
    "CumSum",
    "CumProd",
    "Transpose",
    "Concat",
    "Split",
    "Slice",
    "Expand",
    "Tile",
    "Pad",
    "CenterCropPad",
    "DepthToSpace",
    "SpaceToDepth",
    "Trilu",
    "ReverseSequence",
    "Flatten",
    "Squeeze",
    "Dropout",
    "Gather",
    "GatherElements",
    "GatherND",
    "OneHot",
    "ScatterElements",
    "ScatterND",
    "Einsum",
    "MatMul",
    "Gemm",
]
MOST_OF_A_FAMILY = 4
LARGEST = 20000  # elements: the references are naive


def chosen() -> list[Any]:
    """The cases of those names, and the first few of each family that have a gradient and are not large.

    One of each family is quick, and every third name: the rules are tested without a device, over all cases."""
    named = [case for case in CASES if case.name in NAMES]
    found = [pytest.param(c, marks=[pytest.mark.slow] * (i % 3 > 0)) for i, c in enumerate(named)]
    for op in FAMILIES:
        fitting = [case for case in CASES if case.op == op and _fits(case)]
        step = max(1, len(fitting) // MOST_OF_A_FAMILY)
        few = fitting[::step][:MOST_OF_A_FAMILY]
        found += [pytest.param(c, marks=[pytest.mark.slow] * (i > 0)) for i, c in enumerate(few)]
    return found


def _fits(case: Case) -> bool:
    given = [o for o in case.inputs if o is not None]
    sizes = [int(np.prod(o.shape)) for o in given]
    plain = all(o.values is None or o.constant or o.dtype != "float32" for o in given)
    if not plain or given[0].dtype != "float32" or not sizes[0] or max(sizes) >= LARGEST:
        return False
    graph, _ = case.build()
    return graph.spec(graph.outputs[0]).dtype.is_float


def weighted(case: Case) -> tuple[Graph, dict[str, np.ndarray], list[str]]:
    """The gradient graph of random sums of a case's results, what it is fed, and what it is asked for."""
    graph, feeds = case.build()
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    nodes, constants, results = list(graph.nodes), dict(graph.constants), []
    for i, name in enumerate(graph.outputs):
        if graph.spec(name).dtype.is_float:
            weights = rng.standard_normal(graph.spec(name).shape)
            constants[f"weights{i}"] = Constant(weights.astype(graph.spec(name).dtype.numpy))
            nodes.append(make_node("Mul", [name, f"weights{i}"], [f"weighted{i}"]))
            results.append(f"weighted{i}")
    sources = [n for n in (*graph.inputs, *graph.constants) if graph.spec(n).dtype.is_float]
    specs: dict[str, TensorSpec] = {n: graph.specs[n] for n in graph.inputs}
    whole = graph.replace(nodes=tuple(nodes), constants=constants, specs=specs)
    found = gradients(whole, results, sources)
    wanted = [f"{n}.grad" for n in sources]
    return found.replace(outputs=tuple(wanted)), feeds, wanted


def test_the_names_are_cases() -> None:
    assert {case.name for case in CASES}.issuperset(NAMES)


@pytest.mark.parametrize("case", chosen(), ids=lambda c: c.name)
def test_gradients_on_a_device(case: Case, device: clconv.DeviceInfo) -> None:
    graph, feeds, names = weighted(case)
    wanted = run_reference(graph, feeds)
    found = clconv.Session(graph, device).run({n: feeds[n] for n in graph.inputs})
    for name in names:
        largest = max(1e-3, float(np.abs(wanted[name]).max(initial=0)))
        np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=1e-4 * largest)


@pytest.mark.parametrize("op", ["Gather", "GatherElements", "GatherND"])
def test_sums_at_indices_have_the_same_bits_at_every_run(
    op: str, device: clconv.DeviceInfo
) -> None:
    """Many updates of few places, of very different sizes: another order would give other bits."""
    rng = np.random.default_rng(3)
    shape = {"Gather": (5000,), "GatherElements": (5000, 8), "GatherND": (5000, 1)}[op]
    indices = rng.integers(0, 7, shape)
    x = rng.standard_normal((7, 8)).astype(np.float32)
    dy = (rng.standard_normal((5000, 8)) * 10.0 ** rng.integers(-4, 5, (5000, 8))).astype(
        np.float32
    )
    nodes = (make_node(op, ["x", "i"], ["y"]), make_node("Mul", ["y", "dy"], ["z"]))
    feeds = {"x": x, "i": indices, "dy": dy}
    specs = {n: TensorSpec.of(a) for n, a in feeds.items()}
    graph = gradients(Graph("g", nodes, tuple(feeds), ("z",), specs), ["z"], ["x"])
    session = clconv.Session(graph, device)
    first = session.run(feeds)["x.grad"].copy()
    for _ in range(5):
        np.testing.assert_array_equal(session.run(feeds)["x.grad"], first)
    np.testing.assert_array_equal(clconv.Session(graph, device).run(feeds)["x.grad"], first)
    wanted = run_reference(graph, feeds)["x.grad"]
    np.testing.assert_allclose(first, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
