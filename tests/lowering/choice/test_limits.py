"""How far kernels count is said in one place, and asked before anything of a node's size is made."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from clconv.errors import ClconvError, DeviceMemoryError, ShapeError, UnsupportedError
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.lowering.choice.limits import MOST_ELEMENTS, MOST_WORK
from clconv.planning.plan import Plan
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, NVIDIA
from tests.planning.support import make_plan

# As much memory as no device has: what is refused is refused for its numbers.
VAST = {
    name: dataclasses.replace(device, largest_allocation=1 << 45, global_memory=1 << 46)
    for name, device in (("cpu", AVX2), ("gpu", NVIDIA))
}


def planned(graph: Graph, device: Any) -> Plan:
    return make_plan(graph, dict(graph.specs), device)


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300 << 20  # planning never makes what it refuses


def _input(b: Builder, dtype: DType, *shape: int) -> str:
    b.specs["x"] = TensorSpec(shape, dtype)
    return "x"


def flat(op: str, elements: int, dtype: DType = DType.UINT8, **attrs: Any) -> Graph:
    """One operator over an image of at least that many elements, 2^14 of them a row."""
    b = Builder()
    x = _input(b, dtype, 1, 1, -(-elements >> 15) * 2, 1 << 14)
    return b.graph(b.node(op, x, out="y", **attrs))


WINDOW = {"kernel_shape": (2, 2), "strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
FAMILIES: dict[str, tuple[str, DType, dict[str, Any]]] = {
    "elementwise": ("Abs", DType.FLOAT32, {}),
    "pool": ("MaxPool", DType.UINT8, WINDOW),
    "pool with stride": ("MaxPool", DType.UINT8, {**WINDOW, "strides": (2, 2)}),
    "average": ("AveragePool", DType.FLOAT32, WINDOW),
    "softmax": ("Softmax", DType.FLOAT32, {"axis": -1}),
    "softmax along columns": ("Softmax", DType.FLOAT32, {"axis": 2}),
    "reduce": ("GlobalAveragePool", DType.FLOAT32, {}),
    "arg": ("ArgMax", DType.FLOAT32, {"axis": 2}),
    "cast": ("Cast", DType.UINT8, {"to": "float32"}),
    "transpose": ("Transpose", DType.UINT8, {"perm": (0, 1, 3, 2)}),
    "depth to space": ("SpaceToDepth", DType.UINT8, {"blocksize": 2}),
    "lrn": ("LRN", DType.FLOAT32, {"size": 3}),
    "norm": ("LpNormalization", DType.FLOAT32, {"axis": 2}),
}


@pytest.mark.parametrize("kind", VAST)
@pytest.mark.parametrize("family", FAMILIES)
def test_elements_that_kernels_cannot_count_are_refused(family: str, kind: str) -> None:
    op, dtype, attrs = FAMILIES[family]
    with pytest.raises(
        DeviceMemoryError, match=rf"elements, kernels count up to {MOST_ELEMENTS:,}"
    ):
        planned(flat(op, MOST_ELEMENTS + 1, dtype, **attrs), VAST[kind])


@pytest.mark.parametrize("kind", VAST)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_number_fits_up_to_the_limit(family: str, kind: str) -> None:
    op, dtype, attrs = FAMILIES[family]
    plan = planned(flat(op, MOST_ELEMENTS - (1 << 15), dtype, **attrs), VAST[kind])
    assert plan.calls
    for call in plan.calls:
        assert max(call.global_size) < 1 << 31


def test_the_picture_of_47000_pixels_square() -> None:
    b = Builder()
    x = _input(b, DType.UINT8, 1, 1, 47000, 47000)
    graph = b.graph(b.node("MaxPool", x, out="y", **WINDOW))
    with pytest.raises(DeviceMemoryError, match="2,209,000,000"):
        planned(graph, VAST["cpu"])
    with pytest.raises(DeviceMemoryError, match="allocates at most"):
        planned(graph, AVX2)


def _conv_transpose(strides: tuple[int, ...], pads: tuple[int, ...] = (0, 0, 0, 0)) -> Graph:
    b = Builder()
    x = b.input(1, 3, 16, 16)
    attrs = {"strides": strides, "dilations": (1, 1), "pads": pads}
    return b.graph(b.node("ConvTranspose", x, b.random(3, 3, 2, 2), out="y", **attrs))


def _resized(mode: str, *sizes: int, **attrs: Any) -> Graph:
    b = Builder()
    x = b.input(1, 3, 16, 16)
    given = b.constant(sizes, "int64")
    return b.graph(b.node("Resize", x, "", "", given, out="y", mode=mode, **attrs))


def _scaled(scale: float) -> Graph:
    b = Builder()
    scales = b.constant([1, 1, scale, 1])
    return b.graph(b.node("Resize", b.input(1, 3, 16, 16), "", scales, out="y"))


def _deep(op: str, **window: Any) -> Graph:
    b = Builder()
    x = b.input(1, 2, 5, 6, 7)
    attrs = {"strides": (1,) * 3, "dilations": (1,) * 3, "pads": (0,) * 6, **window}
    weights = () if "Pool" in op else (b.random(2, 2, 2, 2, 2),)
    return b.graph(b.node(op, x, *weights, out="y", **attrs))


FAR = 1 << 32
REFUSED = {
    "transposed stride": _conv_transpose(strides=(1 << 31, 2)),
    "transposed stride cut off": _conv_transpose((1 << 31, 2), (15 << 31, 0, 0, 0)),
    "linear": _resized("linear", 1, 3, 1 << 31, 16),
    "cubic": _resized("cubic", 1, 3, 16, 1 << 31),
    "nearest": _resized("nearest", 1, 3, 1 << 31, 1 << 31),
    "linear antialiased": _resized("linear", 1, 3, 1 << 31, 1, antialias=1),
    "scale 1e38": _scaled(1e38),
    "scale 1e17": _scaled(1e17),
    "scale 1e9": _scaled(1e9),
    "3-D pads": _deep("Conv", pads=(FAR, 0, 0, 0, 0, 0)),
    "3-D pads beyond integers": _deep("Conv", pads=((1 << 63) - 1, 0, 0, 0, 0, 0)),
    "3-D transposed stride": _deep("ConvTranspose", strides=(FAR, 1, 1)),
    "3-D average of pads": _deep("AveragePool", kernel_shape=(2, 2, 2), pads=(FAR, 0, 0, 0, 0, 0)),
}


@pytest.mark.parametrize("kind", VAST)
@pytest.mark.parametrize("case", REFUSED)
def test_sizes_beyond_everything_are_refused_at_once(case: str, kind: str) -> None:
    for memory in (AVX2, VAST[kind]):
        with pytest.raises(ClconvError):
            planned(REFUSED[case], memory)


def test_a_window_of_2_to_the_32_slices_is_planned_without_a_node_for_each() -> None:
    attrs = {"kernel_shape": (FAR, 2, 2), "auto_pad": "SAME_UPPER"}
    for device in (AVX2, NVIDIA):
        for op in ("MaxPool", "AveragePool", "LpPool"):
            assert len(planned(_deep(op, **attrs), device).calls) <= 3


def test_a_far_stride_that_pads_cut_off_again_is_planned() -> None:
    graph = _deep("ConvTranspose", strides=(FAR, 1, 1), pads=(4 * FAR, 0, 0, 0, 0, 0))
    plan = planned(graph, AVX2)
    assert plan.graph.specs["y"].shape == (1, 2, 2, 7, 8)


def test_what_would_not_end_is_refused() -> None:
    b = Builder()
    inner = MOST_WORK >> 41
    graph = b.graph(
        b.node("MatMul", b.input(1 << 20, inner), b.input(inner, 1 << 20, name="w"), out="y")
    )
    huge = dataclasses.replace(VAST["gpu"], largest_allocation=1 << 60)
    with pytest.raises(DeviceMemoryError):  # the result alone has 2^40 elements
        planned(graph, huge)
    b = Builder()
    x = b.input(1, 1 << 10, 1 << 10, 1 << 10)
    w = b.input(1 << 10, 1 << 10, 1 << 10, 1 << 10, name="w")
    attrs = {"strides": (1, 1), "dilations": (1, 1), "pads": (512, 512, 512, 512)}
    with pytest.raises(DeviceMemoryError):
        planned(b.graph(b.node("Conv", x, w, out="y", **attrs)), huge)
    b = Builder()
    x, w = b.input(1, 1, 1 << 15, 1 << 15), b.input(1, 1, 1 << 14, 1 << 14, name="w")
    attrs = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
    with pytest.raises(UnsupportedError, match="would not end"):
        planned(b.graph(b.node("Conv", x, w, out="y", **attrs)), huge)


def test_sampling_ratio_beyond_integers() -> None:
    for ratio in (1 << 32, 1 << 20):
        b = Builder()
        images = b.constant([0], "int64")
        x, boxes = b.input(1, 3, 8, 8), b.input(1, 4, name="boxes")
        node = b.node("RoiAlign", x, boxes, images, out="y", sampling_ratio=ratio)
        with pytest.raises(ShapeError, match="sampling_ratio"):
            planned(b.graph(node), AVX2)
