"""What cannot be trained, or does not fit, is one clear error."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import clconv
from clconv import layers as L
from clconv import optim
from clconv.errors import DeviceMemoryError, InputError, UnsupportedError
from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from tests.training.networks import perceptron


def dense(*between: Node, **constants: np.ndarray) -> Graph:
    """x -> MatMul w1 -> h ... -> g -> MatMul w2 -> y."""
    rng = np.random.default_rng(0)
    weights = {n: rng.standard_normal((4, 4)).astype(np.float32) for n in ("w1", "w2")}
    nodes = (
        make_node("MatMul", ("x", "w1"), ("h",)),
        *between,
        make_node("MatMul", ("g", "w2"), ("y",)),
    )
    held = {n: Constant(a) for n, a in {**weights, **constants}.items()}
    return Graph("g", nodes, ("x",), ("y",), {"x": TensorSpec(("n", 4))}, held)


def quantised() -> Graph:
    scale, zero = np.array(0.1, np.float32), np.array(0, np.int8)
    return dense(
        make_node("QuantizeLinear", ("h", "scale", "zero"), ("q",), "rounds", output_dtype="int8"),
        make_node("DequantizeLinear", ("q", "scale", "zero"), ("g",)),
        scale=scale,
        zero=zero,
    )


def test_no_gradient_passes_a_quantisation(device: clconv.DeviceInfo) -> None:
    with pytest.raises(UnsupportedError, match=r"rounds to integers.*QuantizeLinear x1.*'rounds'"):
        clconv.Trainer(quantised(), loss="mse", device=device)


def test_behind_a_quantisation_it_learns(device: clconv.DeviceInfo) -> None:
    t = clconv.Trainer(
        quantised(), loss="mse", freeze=["w1"], optimizer=optim.SGD(lr=0.1), device=device
    )
    x = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    losses = [t.step(x, x) for _ in range(5)]
    assert losses[-1] < losses[0]


def test_dynamic_quantisation_is_refused(device: clconv.DeviceInfo) -> None:
    graph = dense(
        make_node("DynamicQuantizeLinear", ("h",), ("q", "scale", "zero")),
        make_node("DequantizeLinear", ("q", "scale", "zero"), ("g",)),
    )
    with pytest.raises(UnsupportedError, match="DynamicQuantizeLinear x1"):
        clconv.Trainer(graph, loss="mse", device=device)


def test_integer_models_are_refused(device: clconv.DeviceInfo) -> None:
    x = {"x": TensorSpec(("n", 4), DType.UINT8)}
    w = {"w": Constant(np.ones((4, 3), np.int8))}
    graph = Graph("ints", (make_node("MatMulInteger", ("x", "w"), ("y",)),), ("x",), ("y",), x, w)
    with pytest.raises(UnsupportedError, match="computes with integers"):
        clconv.Trainer(graph, device=device)
    x = {"x": TensorSpec(("n", 4), DType.INT32)}
    w = {"w": Constant(np.ones((4, 3), np.int32))}
    graph = Graph("ints", (make_node("MatMul", ("x", "w"), ("y",)),), ("x",), ("y",), x, w)
    with pytest.raises(UnsupportedError, match="weights of integers only"):
        clconv.Trainer(graph, device=device)


def test_half_and_double_precision_are_refused(device: clconv.DeviceInfo) -> None:
    for dtype in ("float16", "float64"):
        x = {"x": TensorSpec(("n", 4), DType(dtype))}
        w = {"w": Constant(np.ones((4, 3), dtype))}
        graph = Graph("half", (make_node("MatMul", ("x", "w"), ("y",)),), ("x",), ("y",), x, w)
        with pytest.raises(UnsupportedError, match=f"parameters of {dtype}"):
            clconv.Trainer(graph, device=device)


def test_all_operators_without_a_gradient_are_in_one_error(device: clconv.DeviceInfo) -> None:
    graph = dense(
        make_node("Unique", ("h",), ("t",), "first"),
        make_node("Unique", ("t",), ("u",), "second"),
        make_node("Greater", ("u", "half"), ("keep",)),
        make_node("Compress", ("u", "keep"), ("c",), "third"),
        make_node("Reshape", ("c", "shape"), ("g",)),
        half=np.array(0.5, np.float32),
        shape=np.array([-1, 4]),
    )
    with pytest.raises(
        UnsupportedError, match=r"Unique x2, .*'first'.* hold .Compress x1, .*'third'"
    ):
        clconv.Trainer(graph, loss="mse", device=device)


def test_a_compress_of_known_places_learns(device: clconv.DeviceInfo) -> None:
    keep = np.array([False, True, False, True])
    graph = dense(
        make_node("Compress", ("h", "keep"), ("c",), axis=1),
        make_node("Concat", ("c", "c"), ("g",), axis=1),
        keep=keep,
    ).replace(specs={"x": TensorSpec((2, 4))})  # the batch is opened
    x, y = np.ones((3, 4), np.float32), np.zeros((3, 4), np.float32)
    found = clconv.Trainer(graph, loss="mse", device=device).gradients(x, y)["w1"]
    assert found[:, keep].all() and not found[:, ~keep].any()


def test_sizes_that_depend_on_data_and_a_fixed_batch(device: clconv.DeviceInfo) -> None:
    graph = dense(
        make_node("Greater", ("h", "half"), ("keep",)),
        make_node("NonZero", ("keep",), ("places",)),
        make_node("Transpose", ("places",), ("turned",), perm=(1, 0)),
        make_node("GatherND", ("h", "turned"), ("g",)),
        half=np.array(0.5, np.float32),
    ).replace(specs={"x": TensorSpec((2, 4))})
    with pytest.raises(UnsupportedError, match=r"size or presence depends on .*NonZero"):
        clconv.Trainer(graph, loss="mse", device=device)


def test_so_are_sizes_that_depend_on_the_data(device: clconv.DeviceInfo) -> None:
    sizes = {"zero": np.array([0]), "flat": np.array([-1]), "shape": np.array([-1, 4])}
    cut = (
        make_node("Reshape", ("h", "flat"), ("f",)),
        make_node("ArgMax", ("f",), ("end",), axis=0, keepdims=1),
        make_node("Slice", ("f", "zero", "end", "zero"), ("part",), "cut"),
    )
    last = make_node("Reshape", ("part", "shape"), ("g",))
    with pytest.raises(UnsupportedError, match=r"size or presence depends on .*'end'"):
        clconv.Trainer(dense(*cut, last, **sizes), loss="mse", device=device)
    unique = make_node("Unique", ("part",), ("u",), "third")
    last = make_node("Reshape", ("u", "shape"), ("g",))
    with pytest.raises(UnsupportedError, match=r"Unique x1, .*'third'; no gradient goes .*'end'"):
        clconv.Trainer(dense(*cut, unique, last, **sizes), loss="mse", device=device)


def small(device: clconv.DeviceInfo, nbytes: int) -> clconv.DeviceInfo:
    return dataclasses.replace(device, global_memory=nbytes)


def wide() -> Graph:
    return L.Sequential(
        L.Conv2d(16, 3, padding=1), L.Relu(), L.GlobalAvgPool2d(), L.Flatten(), L.Dense(3)
    ).build((3, 32, 32), batch=None)


@pytest.mark.slow
def test_a_batch_without_room_is_told_what_fits(device: clconv.DeviceInfo) -> None:
    """About 150 KB an image."""
    t = clconv.Trainer(wide(), device=small(device, 2 << 20))
    x = np.random.default_rng(0).standard_normal((64, 3, 32, 32)).astype(np.float32)
    y = np.arange(64) % 3
    with pytest.raises(DeviceMemoryError, match=r"accumulate=(\d+) makes .* batches of (\d+)") as e:
        t.step(x, y)
    words = str(e.value).split()
    parts = int(next(w for w in words if w.startswith("accumulate=")).split("=")[1])
    count = int(words[-1])
    assert parts == -(-64 // count) > 1
    assert np.isfinite(t.step(x[:count], y[:count]))
    again = clconv.Trainer(wide(), device=small(device, 2 << 20), accumulate=parts)
    assert np.isfinite(again.step(x, y))
    with pytest.raises(DeviceMemoryError, match=r"64 examples .* give batch_size=\d+"):
        t.evaluate(x, y)
    t.evaluate(x, y, batch_size=8)


def test_not_even_one_example_fits(device: clconv.DeviceInfo) -> None:
    t = clconv.Trainer(wide(), device=small(device, 40 << 10))
    with pytest.raises(DeviceMemoryError, match="Not even one fits"):
        t.step(np.zeros((2, 3, 32, 32), np.float32), np.array([0, 1]))


def test_labels_of_evaluation_are_checked_too(device: clconv.DeviceInfo) -> None:
    t = clconv.Trainer(perceptron(), device=device)
    x = np.zeros((4, 5), np.float32)
    for y in ([0, 1, 2, -1], [0, 1, 2, 3]):
        with pytest.raises(InputError, match=r"outside 0\.\.2"):
            t.evaluate(x, np.array(y))
    with pytest.raises(InputError, match="NaN or infinity"):
        clconv.Trainer(perceptron(), loss="mse", device=device).step(x, np.full((4, 3), np.nan))
