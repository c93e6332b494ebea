"""Another input size compiles nothing, also where it takes other kernels, and keeps what it can."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest

from clconv.api import load, read_model
from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.lower import lower_graph
from clconv.lowering.model.arguments import Argument, Local
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.planning import persistent
from clconv.planning.other_sizes import calls_at, other_sizes
from clconv.runtime import opencl
from clconv.session.session import Session
from tests.graph.graph_builder import Builder, specialised
from tests.lowering.support import AVX2
from tests.runtime.support import SAME, assert_agrees, assert_runs_right, counted, picture


def classifier() -> Graph:
    """Winograd for large pictures, other sums for small ones; a dense layer of one or many rows."""
    b = Builder()
    x = b.input("n", 32, "h", "w")
    y = b.node("Relu", b.conv(x, 64, 32, 3, **SAME))
    y = b.node("Relu", b.conv(y, 64, 64, 3, strides=(2, 2), **SAME))
    pooled = b.node("GlobalAveragePool", b.conv(y, 96, 64, 3, **SAME))
    flat = b.node("Flatten", pooled, axis=1)
    weights = b.constant(b.rng.standard_normal((96, 40)) / 10)
    return b.graph(
        b.node("Gemm", flat, weights, out="result", alpha=1.0, beta=1.0, transA=0, transB=0)
    )


SIZES = ((1, 32, 56, 56), (3, 32, 56, 40), (1, 32, 9, 11), (2, 32, 7, 64), (1, 32, 120, 88))


@pytest.mark.parametrize("first", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_no_size_after_the_first_compiles(
    device: DeviceInfo, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not persistent.is_wanted(device):
        pytest.skip(f"{device} compiles kernel by kernel: what another size takes comes with it")
    graph = classifier()
    session = Session(graph, device)
    assert_runs_right(session, graph, {"x": picture(*SIZES[first])})
    variants = set()
    with counted(monkeypatch, (opencl.Compiler, "_build")) as built:
        for size in SIZES:
            assert_runs_right(session, graph, {"x": picture(*size)})
            choices = session.prepare({"x": size}).plan.lowered.choices
            variants |= {(node, choice.variant.name) for node, choice in choices.items()}
    assert built == []
    assert len(variants) > len({node for node, _ in variants}), "no size took another variant"


def quantised_rows(*shape: object) -> bytes:
    """A layer as exporters quantise it dynamically; groups of work-items find the range of some inputs."""
    node = onnx.helper.make_node
    weights = np.random.default_rng(0).integers(0, 255, (8, 5)).astype(np.uint8)
    graph = onnx.helper.make_graph(
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("MatMulInteger", ["q", "w", "z"], ["product"]),
            node("Cast", ["product"], ["steps"], to=onnx.TensorProto.FLOAT),
            node("Mul", ["steps", "s"], ["y"]),
        ],
        "rows",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opset = onnx.helper.make_opsetid("", 18)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


@pytest.mark.parametrize("first", [1, 4, 2000])
def test_kernels_of_other_sizes_join_only_if_they_can(device: DeviceInfo, first: int) -> None:
    """One that has local memory, or a work-group of its own, is compiled when its size comes."""
    session = load(quantised_rows("n", 8), device)
    for batch in (first, 1, 300, 30000):
        x = picture(batch, 8)
        expected = run_reference(read_model(quantised_rows(batch, 8)), {"x": x})
        assert_agrees(session.run({"x": x}), expected)


def test_a_persistent_launch_leaves_out_what_cannot_join() -> None:
    def call(name: str, local: tuple[int, ...], *arguments: tuple[str, Argument]) -> KernelCall:
        return KernelCall("n", Kernel.of("elementwise/cast.cl.mako", name), arguments, (64,), local)

    mine, another = call("mine", (1,)), call("another", (1,))
    others = [another, call("group", (64,)), call("local", (1,), ("l", Local(64)))]
    launch = persistent.persistent_call([mine, mine], [(), (0,)], AVX2, (), others)
    assert {k.entry for k in persistent.kernels_of(launch.kernel)} == {"mine", "another"}


def test_a_node_keeps_its_variant_unless_another_is_clearly_faster() -> None:
    b = Builder()
    x = b.input(1, 192, 14, 14)
    graph = specialised(b.graph(b.conv(x, 192, 192, 3, **SAME)))
    (node,) = graph.nodes

    def chosen(known: str) -> str:
        choices = lower_graph(graph, AVX2, known={node.name: known}).choices
        return choices[node.name].variant.name

    # F(2, 3) takes a quarter more than F(4, 3) by its estimate, the direct sum twice as long.
    assert [chosen(name) for name in ("", "winograd2", "direct", "none")] == [
        "winograd4", "winograd2", "winograd4", "winograd4",
    ]  # fmt: skip


def spec(*shape: object) -> TensorSpec:
    return TensorSpec(tuple(shape), DType.FLOAT32)  # type: ignore[arg-type]


def test_sizes_to_come() -> None:
    declared = {"x": spec("n", 3, "h", None), "k": spec(4)}
    found = other_sizes(declared, {"x": spec(2, 3, 10, 20), "k": spec(4)})
    assert found == [
        {"x": spec(4, 3, 20, 40), "k": spec(4)},
        {"x": spec(1, 3, 10, 20), "k": spec(4)},
    ]
    assert other_sizes(declared, {"x": spec(1, 3, 10, 20)}) == [{"x": spec(2, 3, 20, 40)}]
    assert other_sizes({"x": spec(1, 3)}, {"x": spec(1, 3)}) == []


def test_sizes_that_cannot_be_are_left_out() -> None:
    from clconv.errors import ShapeError

    def lower(specs: object) -> object:
        raise ShapeError("too large")

    assert calls_at([{"x": spec(1)}], lower) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize("quirk", ["", "prefetch-does-nothing"])
def test_no_images_are_a_size(quirk: str) -> None:
    """Estimates of all variants are numbers then, too."""
    device = dataclasses.replace(AVX2, quirks=frozenset(filter(None, [quirk])))
    graph = specialise(classifier(), {"x": TensorSpec((0, 32, 56, 56))}).graph
    lowered = lower_graph(graph, device, alternatives=True)
    assert not lowered.calls
