"""Weights that a run brings: every variant takes them, and a launch packs them as the host packs constants."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.lower import lower_graph, problem_of
from clconv.lowering.model.arguments import PackedValue, Packing, Table
from clconv.lowering.ops.conv.transpose import blocked_filters, depthwise_filters
from clconv.lowering.ops.conv.weights import depthwise_weights, direct_weights
from clconv.lowering.shared.epilogue import channel_packing
from clconv.lowering.shared.packing import is_as_packed, packing_call
from clconv.lowering.variants import VARIANTS
from tests.lowering.support import AVX2, NVIDIA

WINDOWS = [case for case in CASES if case.op in ("Conv", "ConvTranspose")]
MADE_UP = pytest.mark.parametrize("made_up", [AVX2, NVIDIA], ids=lambda d: d.name)


@MADE_UP
@pytest.mark.parametrize("case", WINDOWS, ids=lambda case: case.name)
def test_every_variant_takes_fed_filters_where_it_takes_constant_ones(
    case: Case, made_up: DeviceInfo
) -> None:
    found = []
    for each in (case, case.all_fed()):
        graph, _ = each.build()
        problem = problem_of(graph, graph.nodes[0], made_up)
        found.append({v.name: v.obstacle(problem) for v in VARIANTS[case.op]})
    assert found[0] == found[1]


def filled(packing: Packing, value: np.ndarray) -> np.ndarray:
    """What the launch that packs a value writes, by its table."""
    call, nbytes = packing_call(
        PackedValue("w", TensorSpec.of(value), packing), "packed", "node", AVX2
    )
    arguments = dict(call.arguments)
    assert isinstance(arguments["rows"], Table)
    rows, stride = arguments["rows"].array, arguments["stride"].value  # type: ignore[union-attr]
    width = dict(call.kernel.parameters)["width"]
    assert isinstance(width, int)
    packed = np.zeros((len(rows), width), packing.dtype.numpy if packing.dtype else value.dtype)
    for row, (first, count) in enumerate(rows):
        packed[row, :count] = value.reshape(-1)[first + np.arange(count) * stride]
    assert packed.nbytes == nbytes
    return packed.reshape(-1)


PACKINGS = {
    "direct": (direct_weights(8, 16, 1, False), (23, 13, 3, 3)),
    "direct, whole": (direct_weights(8, 16, 1, False), (32, 16, 3, 3)),
    "direct, groups": (direct_weights(8, 8, 2, False), (32, 8, 3, 2)),
    "direct, merged groups": (direct_weights(8, 16, 2, False, 2), (32, 4, 3, 3)),
    "direct, merged thirds": (direct_weights(8, 8, 1, True, 3), (9, 2, 1, 1)),
    "direct, one axis": (direct_weights(3, 8, 1, False), (9, 3, 5)),
    "depthwise": (depthwise_weights(8), (19, 1, 5, 3)),
    "transposed": (blocked_filters(8, 16, 1), (13, 11, 3, 3)),
    "transposed, depthwise": (depthwise_filters(8), (19, 1, 4, 4)),
    "bias": (channel_packing(16), (23,)),
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", PACKINGS)
def test_a_table_packs_as_the_host_does(name: str, dtype: str) -> None:
    packing, shape = PACKINGS[name]
    value = np.random.default_rng(4).uniform(-1, 1, shape).astype(dtype)
    expected = packing.function(value).reshape(-1)
    np.testing.assert_array_equal(filled(packing, value), expected)


def test_what_reads_straight_through_is_told_by_short_rows() -> None:
    """Vectors of filters: a table of a number for each element would be as large as the weights."""
    packing, shape = PACKINGS["direct, whole"]
    call, nbytes = packing_call(
        PackedValue("w", TensorSpec(shape), packing), "packed", "node", AVX2
    )
    table = dict(call.arguments)["rows"]
    assert isinstance(table, Table)
    assert table.array.nbytes <= nbytes / 8


def test_more_elements_than_floats_can_count() -> None:
    packing = Packing("turned", (), lambda w: np.ascontiguousarray(w.T))
    value = np.arange(2 * ((1 << 24) + 3), dtype=np.int64).reshape(2, -1)
    call, _ = packing_call(
        PackedValue("w", TensorSpec(value.shape), packing), "packed", "node", AVX2
    )
    arguments = dict(call.arguments)
    assert isinstance(arguments["rows"], Table)
    rows, stride = arguments["rows"].array, arguments["stride"].value  # type: ignore[union-attr]
    assert stride == value.shape[1]
    np.testing.assert_array_equal(rows[:, 0], np.arange(value.shape[1]))


def test_what_packing_leaves_as_it_is_needs_no_launch() -> None:
    whole = PackedValue("b", TensorSpec((32,)), channel_packing(16))
    assert is_as_packed(whole)
    assert not is_as_packed(PackedValue("b", TensorSpec((31,)), channel_packing(16)))
    assert not is_as_packed(PackedValue("b", TensorSpec((32,), DType.FLOAT16), channel_packing(16)))


def two_convolutions(constant: bool) -> Graph:
    """The same filters on two images."""
    specs = {n: TensorSpec((1, 16, 20, 20)) for n in ("x", "z", "y", "v")}
    w = TensorSpec((32, 16, 5, 5))
    specs |= {n: TensorSpec((1, 32, 16, 16)) for n in ("y", "v")}
    attrs = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "group": 1}
    nodes = tuple(
        make_node("Conv", (x, "w"), (y,), f"conv {x}", **attrs) for x, y in (("x", "y"), ("z", "v"))
    )
    if constant:
        constants = {"w": Constant(np.zeros(w.shape, np.float32))}
        return Graph("two", nodes, ("x", "z"), ("y", "v"), specs, constants)
    return Graph("two", nodes, ("x", "z", "w"), ("y", "v"), {**specs, "w": w})


@MADE_UP
def test_one_launch_packs_for_all_that_read_it(made_up: DeviceInfo) -> None:
    fed, constant = (lower_graph(two_convolutions(c), made_up) for c in (False, True))
    packs = [call for call in fed.calls if "w" in call.reads]
    assert len(packs) == 1
    (packed,) = packs[0].writes
    readers = [call for call in fed.calls if packed in call.reads]
    assert {call.node for call in readers} == {"conv x", "conv z"}
    assert fed.scratch[packed] > 0
    assert [c.kernel for c in fed.calls if c is not packs[0]] == [c.kernel for c in constant.calls]
