"""Random quantised networks: on bytes they are what they are in floats, up to single steps of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clconv.graph.reference import run_reference
from tests.graph.bytes.test_place_bytes import SAME, Quantised, ops

Shape = tuple[int, ...]
Value = tuple[str, Shape]
Make = Callable[["Random", str, Shape], Value]
WINDOW: dict[str, Any] = {
    "kernel_shape": (2, 2),
    "strides": (2, 2),
    "pads": (0,) * 4,
    "dilations": (1, 1),
}
MOST = 20_000  # elements of a value


class Random(Quantised):
    """A network of a seed: some of its values are quantised, most behind an operator."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        x = self.input(1, 8, 8, 8)
        self.values: list[Value] = [(self.rounded(x), (1, 8, 8, 8))]
        for _ in range(self.rng.integers(4, 12)):
            name, shape = self.values[
                self.rng.integers(max(0, len(self.values) - 3), len(self.values))
            ]
            made = MAKERS[self.rng.integers(len(MAKERS))](self, name, shape)
            if made[0] != name and np.prod(made[1]) <= MOST:
                self.values.append((self.rounded(made[0]), made[1]))

    def rounded(self, name: str) -> str:
        if self.rng.random() < 0.35:
            return name
        return self.pair(
            name, float(self.rng.choice([0.05, 0.1, 0.3])), int(self.rng.integers(60, 180))
        )

    def alike(self, shape: Shape) -> str:
        """A value of this shape."""
        names = [name for name, other in self.values if other == shape]
        return names[self.rng.integers(len(names))]

    def outputs(self) -> list[str]:
        names = [name for name, _ in self.values if name not in self.specs]
        more = names[self.rng.integers(len(names)) :][:1] if self.rng.random() < 0.4 else []
        return list(dict.fromkeys([*names[-1:], *more]))


def _convolution(b: Random, x: str, shape: Shape) -> Value:
    filters, window = int(b.rng.choice([4, 8, 12])), int(b.rng.choice([1, 3]))
    pads = (window // 2,) * 4
    return b.product(x, filters, shape[1], window, pads=pads), (1, filters, *shape[2:])


def _depthwise(b: Random, x: str, shape: Shape) -> Value:
    return b.product(x, shape[1], shape[1], group=shape[1], pads=SAME), shape


def _matrix(b: Random, x: str, shape: Shape) -> Value:
    return b.node("MatMul", x, b.weights(shape[-1], 6)[0]), (*shape[:-1], 6)


def _of_one(op: str, **attrs: Any) -> Make:
    return lambda b, x, shape: (b.node(op, x, **attrs), shape)


def _of_two(op: str) -> Make:
    return lambda b, x, shape: (b.node(op, x, b.alike(shape)), shape)


def _clip(b: Random, x: str, shape: Shape) -> Value:
    return b.node("Clip", x, b.constant(0.0), b.constant(3.0)), shape


def _each_channel(op: str) -> Make:
    return lambda b, x, shape: (b.node(op, x, b.random(shape[1], 1, 1)), shape)


def _swish(b: Random, x: str, shape: Shape) -> Value:
    return b.node("Mul", x, b.node("Sigmoid", x)), shape


def _concat(b: Random, x: str, shape: Shape) -> Value:
    return b.node("Concat", x, b.alike(shape), axis=1), (1, 2 * shape[1], *shape[2:])


def _pool(op: str) -> Make:
    def made(b: Random, x: str, shape: Shape) -> Value:
        if min(shape[2:]) < 2:
            return x, shape
        return b.node(op, x, **WINDOW), (1, shape[1], shape[2] // 2, shape[3] // 2)

    return made


def _mean(b: Random, x: str, shape: Shape) -> Value:
    return b.node("GlobalAveragePool", x), (1, shape[1], 1, 1)


def _shuffled(b: Random, x: str, shape: Shape) -> Value:
    if shape[1] % 4:
        return x, shape
    mode = ("CRD", "DCR")[b.rng.integers(2)]
    larger = (1, shape[1] // 4, 2 * shape[2], 2 * shape[3])
    return b.node("DepthToSpace", x, blocksize=2, mode=mode), larger


def _reshaped(b: Random, x: str, shape: Shape) -> Value:
    whole = (1, shape[1], shape[2] * shape[3], 1)
    return b.node("Reshape", x, b.constant(whole, "int64")), whole


def _turned(b: Random, x: str, shape: Shape) -> Value:
    return b.node("Transpose", x, perm=(0, 1, 3, 2)), (1, shape[1], shape[3], shape[2])


def _half(b: Random, x: str, shape: Shape) -> Value:
    if shape[1] < 2:
        return x, shape
    ends = (b.constant([n], "int64") for n in (0, shape[1] // 2, 1))
    return b.node("Slice", x, *ends), (1, shape[1] // 2, *shape[2:])


def _enlarged(b: Random, x: str, shape: Shape) -> Value:
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    scales = b.constant([1.0, 1.0, 2.0, 2.0])
    larger = (*shape[:2], 2 * shape[2], 2 * shape[3])
    return b.node("Resize", x, "", scales, mode="nearest", **how), larger


MAKERS: list[Make] = [
    _convolution, _convolution, _depthwise, _matrix, _clip, _swish, _concat, _mean, _shuffled, _reshaped, _turned,
    _half, _enlarged, _of_one("Relu"), _of_one("Tanh"), _of_one("Softmax", axis=-1), _of_two("Add"), _of_two("Mul"),
    _each_channel("Add"), _each_channel("PRelu"), _pool("MaxPool"), _pool("AveragePool"),
]  # fmt: skip


def _differs(expected: np.ndarray, found: np.ndarray) -> bool:
    """By more than values that are rounded to another step now and then."""
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    noise = np.mean((expected - found) ** 2)
    return bool(noise > 0.02 * max(np.mean(expected**2), expected.var()) + 1e-9)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_they_compute_the_same(first: int) -> None:
    on_bytes = 0
    for seed in range(first, first + 100):
        network = Random(seed)
        if not (outputs := network.outputs()):
            continue
        floats, made = network.placed(*outputs)
        on_bytes += any("Byte" in op for op in ops(made))
        rng = np.random.default_rng(3)
        feeds = {
            n: rng.uniform(-3, 3, floats.specs[n].shape).astype(np.float32) for n in floats.inputs
        }
        expected, found = run_reference(floats, feeds), run_reference(made, feeds)
        wrong = [name for name in expected if _differs(expected[name], found[name])]
        assert not wrong, f"seed {seed}: {wrong} of\n{floats}\non bytes\n{made}"
    assert on_bytes > 20
