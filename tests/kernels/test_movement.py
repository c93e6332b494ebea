"""Data movement in graphs: views of other values' memory, outputs without a name, indices out of range."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.planning.plan import Plan
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run

rng = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return rng.uniform(-1, 1, shape).astype(np.float32)


def graph_of(
    nodes: list[Node],
    feeds: dict[str, np.ndarray],
    outputs: list[str],
    constants: dict[str, np.ndarray] | None = None,
) -> Graph:
    specs = {name: TensorSpec.of(array) for name, array in feeds.items()}
    known = {name: Constant(array) for name, array in (constants or {}).items()}
    graph = Graph("test", tuple(nodes), tuple(feeds), tuple(outputs), specs, known)
    return specialise(graph, specs).graph


def agrees(graph: Graph, feeds: dict[str, np.ndarray], device: DeviceInfo) -> Plan:
    """Runs the graph and compares every output with the reference."""
    plan = plan_for(graph, device, {})
    found = run(plan, feeds)
    for name, expected in run_reference(graph, feeds).items():
        assert found[name].dtype == expected.dtype
        assert relative_error(found[name], expected) <= 2e-5, name
    return plan


def test_a_view_of_an_input_is_an_output(device: DeviceInfo) -> None:
    feeds = {"x": floats(2, 3, 4)}
    nodes = [
        make_node("Reshape", ["x", "shape"], ["a"]),
        make_node("Unsqueeze", ["a", "axes"], ["b"]),
    ]
    constants = {"shape": np.array([6, 4]), "axes": np.array([0])}
    plan = agrees(graph_of(nodes, feeds, ["a", "b"], constants), feeds, device)
    assert not plan.calls


def test_a_view_keeps_its_source_alive(device: DeviceInfo) -> None:
    feeds = {"x": floats(1, 16, 9, 9)}
    nodes: list[Node] = [
        make_node("Transpose", ["x"], ["first"], perm=(0, 2, 1, 3)),
        make_node("Flatten", ["first"], ["view"]),
    ]
    previous = "x"
    for i in range(4):
        nodes.append(make_node("Transpose", [previous], [f"t{i}"], perm=(0, 1, 3, 2)))
        previous = f"t{i}"
    nodes.append(make_node("Reshape", [previous, "shape"], ["late"]))
    nodes.append(make_node("Concat", ["view", "late"], ["y"], axis=1))
    graph = graph_of(nodes, feeds, ["y"], {"shape": np.array([1, -1])})
    agrees(graph, feeds, device)


@pytest.mark.parametrize("channels", [16, 13])
def test_views_and_copies_between_convolutions(device: DeviceInfo, channels: int) -> None:
    feeds = {"x": floats(1, 3, 8, 8)}
    settings = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
    constants = {
        "w0": floats(channels, 3, 3, 3),
        "w1": floats(7, 2 * channels + 4, 3, 3),
        "flat": np.array([1, channels, 64]),
        "square": np.array([1, channels, 8, 8]),
        "starts": np.array([2]),
        "ends": np.array([6]),
        "channel": np.array([1]),
        "pads": np.array([1, 1, 0, 1]),
        "spatial": np.array([2, 3]),
    }
    nodes = [
        make_node("Conv", ["x", "w0"], ["c"], **settings),
        make_node("Reshape", ["c", "flat"], ["f"]),
        make_node("Reshape", ["f", "square"], ["s"]),
        make_node("Slice", ["c", "starts", "ends", "channel"], ["part"]),
        make_node("Concat", ["s", "c", "part"], ["cat"], axis=1),
        make_node("Pad", ["cat", "pads", "", "spatial"], ["p"], mode="edge"),
        make_node("Conv", ["p", "w1"], ["y"], **settings),
        make_node("Transpose", ["f"], ["heads"], perm=(0, 2, 1)),
    ]
    graph = graph_of(nodes, feeds, ["y", "heads", "f"], constants)
    plan = agrees(graph, feeds, device)
    if device.is_cpu:
        layouts = {name: plan.lowered.specs[name].layout for name in ("c", "f", "s", "part", "cat")}
        assert len(set(layouts.values())) == 1, layouts
        assert plan.root("s") == plan.root("f") == plan.root("c")


def test_a_mask_that_keeps_everything(device: DeviceInfo) -> None:
    feeds = {"x": floats(3, 5)}
    nodes = [make_node("Dropout", ["x"], ["", "mask"])]
    agrees(graph_of(nodes, feeds, ["mask"]), feeds, device)


def test_outputs_without_a_name(device: DeviceInfo) -> None:
    feeds = {"x": floats(2, 24, 5)}
    nodes = [
        make_node("Split", ["x", "parts"], ["", "middle", ""], axis=1),
        make_node("TopK", ["x", "k"], ["", "places"], axis=2),
        make_node("TopK", ["x", "k"], ["values", ""], axis=1),
    ]
    constants = {"parts": np.array([7, 9, 8]), "k": np.array([3])}
    graph = graph_of(nodes, feeds, ["middle", "places", "values"], constants)
    agrees(graph, feeds, device)
    for variant in ("heap", "rank"):
        if variant == "heap" and not device.is_cpu:
            continue
        found = run(plan_for(graph, device, {"topk": variant}), feeds)
        expected = run_reference(graph, feeds)
        np.testing.assert_array_equal(found["places"], expected["places"])
        np.testing.assert_array_equal(found["values"], expected["values"])


def test_values_without_elements_pass_through(device: DeviceInfo) -> None:
    feeds = {"x": floats(2, 3)}
    nodes = [
        make_node("Slice", ["x", "zero", "zero", "zero"], ["none"]),
        make_node("Reshape", ["none", "shape"], ["still_none"], allowzero=1),
        make_node("Concat", ["x", "none"], ["y"], axis=0),
    ]
    constants = {"zero": np.array([0]), "shape": np.array([3, 0])}
    agrees(graph_of(nodes, feeds, ["none", "still_none", "y"], constants), feeds, device)


def test_gathers_clamp_indices_that_are_out_of_range(device: DeviceInfo) -> None:
    feeds = {"x": floats(4, 3), "i": np.array([-(2**40), -5, 4, 2**40, 2])}
    nodes = [
        make_node("Gather", ["x", "i"], ["rows"]),
        make_node("Unsqueeze", ["i", "last"], ["vectors"]),
        make_node("GatherND", ["x", "vectors"], ["nd"]),
        make_node("GatherElements", ["x", "columns"], ["elements"]),
    ]
    feeds["columns"] = np.array([[9, -9, 1]])
    graph = graph_of(nodes, feeds, ["rows", "nd", "elements"], {"last": np.array([1])})
    found = run(plan_for(graph, device, {}), feeds)
    x = feeds["x"]
    np.testing.assert_array_equal(found["rows"], x[[0, 0, 3, 3, 2]])
    np.testing.assert_array_equal(found["nd"], x[[0, 0, 3, 3, 2]])
    np.testing.assert_array_equal(found["elements"], [[x[3, 0], x[0, 1], x[1, 2]]])


def test_scatters_leave_out_updates_that_are_out_of_range(device: DeviceInfo) -> None:
    feeds = {
        "x": floats(4, 3),
        "i": np.array([[4, -5, 2**40]]),
        "j": np.array([[1, -4], [7, 0], [-1, -1]]),
        "row": floats(1, 3),
        "three": floats(3),
    }
    nodes = [
        make_node("ScatterElements", ["x", "i", "row"], ["elements"]),
        make_node("ScatterND", ["x", "j", "three"], ["nd"]),
    ]
    found = run(plan_for(graph_of(nodes, feeds, ["elements", "nd"]), device, {}), feeds)
    np.testing.assert_array_equal(found["elements"], feeds["x"])
    expected = feeds["x"].copy()
    expected[-1, -1] = feeds["three"][2]
    np.testing.assert_array_equal(found["nd"], expected)


def test_what_is_too_large_to_fold_is_made_on_the_device(device: DeviceInfo) -> None:
    count = (1 << 22) + 5
    nodes = [
        make_node("ConstantOfShape", ["shape"], ["full"], value=7, dtype="uint8"),
        make_node("Range", ["start", "limit", "delta"], ["range"]),
    ]
    constants = {
        "shape": np.array([count]),
        "start": np.array(-3, np.int32),
        "limit": np.array(3 * count - 3, np.int32),
        "delta": np.array(3, np.int32),
    }
    graph = graph_of(nodes, {}, ["full", "range"], constants)
    assert [n.op for n in graph.nodes] == ["ConstantOfShape", "Range"]
    assert len(agrees(graph, {}, device).calls) == 2
    assert graph.specs["full"].dtype is DType.UINT8


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "int64"])
@pytest.mark.parametrize("shape", [(9, 8), (16, 37), (19, 64), (32, 130), (50, 67)])
def test_two_axes_change_places(device: DeviceInfo, shape: tuple[int, int], dtype: str) -> None:
    """Fewer than a tile holds, as many, and more, of each size of elements."""
    feeds = {"x": rng.integers(0, 200, (3, *shape)).astype(dtype)}
    graph = graph_of([make_node("Transpose", ["x"], ["y"], perm=(0, 2, 1))], feeds, ["y"])
    found = run(plan_for(graph, device, {}), feeds)
    np.testing.assert_array_equal(found["y"], feeds["x"].transpose(0, 2, 1))


@pytest.mark.parametrize("size", [(1, 3), (1, 4), (7, 7), (5, 10)])
@pytest.mark.parametrize("width", [4, 8, 16])
def test_layouts_change_for_blocks_that_are_not_full(
    device: DeviceInfo, width: int, size: tuple[int, int]
) -> None:
    """Around a convolution that copies its channels: 38 of them fill no last block of any width."""
    if not device.is_cpu:
        pytest.skip("only CPUs compute in blocks of channels")
    feeds = {"x": rng.integers(-99, 99, (2, 38, *size)).astype(np.float32)}
    settings = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    constants = {"w": np.eye(38, dtype=np.float32)[:, :, None, None]}
    nodes = [make_node("Conv", ["x", "w"], ["y"], group=1, **settings)]
    graph = graph_of(nodes, feeds, ["y"], constants)
    plan = plan_for(graph, dataclasses.replace(device, vector_width=width), {"conv": "direct"})
    changes = [
        dict(c.kernel.parameters)["to_plain"] for c in plan.calls if c.kernel.entry == "reorder"
    ]
    assert changes == [False, True]
    np.testing.assert_array_equal(run(plan, feeds)["y"], feeds["x"])
