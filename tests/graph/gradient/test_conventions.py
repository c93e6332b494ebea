"""What rules give at kinks, ties and zeros, where differences cannot say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference

INF, NAN = np.inf, np.nan


def gradient(
    op: str, *inputs: Any, known: Sequence[int] = (), dy: Any = None, outputs: int = 1, **attrs: Any
) -> list[np.ndarray]:
    """The gradients of all inputs of floats of one node, given that of its first output (ones by default).

    known: inputs that are constants.
    """
    arrays = [None if x is None else np.asarray(x) for x in inputs]
    names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
    feeds = {
        n: a
        for i, (n, a) in enumerate(zip(names, arrays, strict=True))
        if a is not None and i not in known
    }
    constants = {names[i]: Constant(np.asarray(inputs[i])) for i in known}
    nodes = [make_node(op, names, [f"y{i}" for i in range(outputs)], **attrs)]
    result = "y0"
    if dy is not None:
        constants["dy"] = Constant(np.asarray(dy, float))
        nodes.append(make_node("Mul", ["y0", "dy"], ["weighted"]))
        result = "weighted"
    specs = {n: TensorSpec(a.shape, DType.of(a)) for n, a in feeds.items()}
    graph = Graph("g", tuple(nodes), tuple(feeds), (result,), specs, constants)
    sources = [
        n for n, a in zip(names, arrays, strict=True) if a is not None and a.dtype.kind == "f"
    ]
    found = run_reference(gradients(graph, [result], sources), feeds)
    return [found[f"{n}.grad"] for n in sources]


def check(found: Sequence[np.ndarray], *wanted: Any) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, np.asarray(b, float), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("op", "x", "wanted", "attrs"),
    [
        ("Relu", [-1.0, 0.0, 2.0], [0, 0, 1], {}),
        ("LeakyRelu", [-1.0, 0.0, 2.0], [0.1, 0.1, 1], {"alpha": 0.1}),
        ("HardSwish", [-3.0, 0.0, 3.0], [0, 0.5, 1], {}),
        ("HardSigmoid", [-2.5, 0.0, 2.5], [0, 0.2, 0], {}),
        ("ThresholdedRelu", [1.0, 1.5], [0, 1], {}),
        ("Abs", [-2.0, 0.0, 3.0], [-1, 0, 1], {}),
        ("Elu", [-1e-9, 0.0, 1.0], [0.5, 0.5, 1], {"alpha": 0.5}),
        ("Elu", [-1e-9, 1.0], [-0.5, 1], {"alpha": -0.5}),
        ("Selu", [0.0, 1.0], [6, 2], {"alpha": 3.0, "gamma": 2.0}),
    ],
)  # fmt: skip
def test_kinks(op: str, x: list[float], wanted: list[float], attrs: dict[str, Any]) -> None:
    np.testing.assert_allclose(gradient(op, x, **attrs)[0], wanted, atol=1e-8)


def test_clip_is_flat_at_its_bounds_as_relu6_is() -> None:
    x = [-1.0, 0.0, 3.0, 6.0, 7.0]
    for known in ((1, 2), ()):
        found = gradient("Clip", x, np.float64(0), np.float64(6), known=known)
        check(found, [0, 0, 1, 0, 0], 1, 1)
    check(gradient("Clip", x, np.float64(NAN), np.float64(6), known=(1, 2))[:1], [1, 1, 1, 0, 0])


def test_clip_with_crossed_bounds_gives_all_to_the_upper_one() -> None:
    check(gradient("Clip", [-1.0, 0.5, 3.0], np.float64(1), np.float64(0)), [0, 0, 0], 0, 3)


def test_the_first_of_equals_takes_all() -> None:
    a, b, c = [1.0, 2.0, 2.0], [1.0, 1.0, 2.0], [0.0, 2.0, 2.0]
    check(gradient("Max", a, b, c), [1, 1, 1], [0, 0, 0], [0, 0, 0])
    check(gradient("Min", a, b, c), [0, 0, 1], [0, 1, 0], [1, 0, 0])
    x = [[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]]
    check(gradient("ReduceMax", x, [1], known=(1,)), [[0, 1, 0], [1, 0, 0]])
    check(gradient("ReduceMin", x, [0, 1], known=(1,)), [[1, 0, 0], [0, 0, 0]])


def test_products_with_zeros() -> None:
    x = np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0], [2.0, 3.0, 4.0]])
    check(gradient("ReduceProd", x, [1], known=(1,)), [[0, 6, 0], [0, 0, 0], [12, 8, 6]])


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_running_products_with_zeros(exclusive: int, reverse: int) -> None:
    rng = np.random.default_rng(5)
    for zeros in ([], [0], [2], [1, 4], [5], [0, 1, 2, 3, 4, 5]):
        x, dy = rng.uniform(0.5, 2, 6), rng.standard_normal(6)
        x[zeros] = 0
        wanted = np.zeros(6)
        for i in range(6):
            factors = range(i + exclusive, 6) if reverse else range(i + 1 - exclusive)
            for k in factors:
                wanted[k] += dy[i] * np.prod([x[j] for j in factors if j != k])
        how = {"exclusive": exclusive, "reverse": reverse}
        check(gradient("CumProd", x, np.int64(0), known=(1,), dy=dy, **how), wanted)


def test_norms_of_zeros() -> None:
    check(gradient("ReduceL2", [[0.0, 0.0], [3.0, 4.0]], [1], known=(1,)), [[0, 0], [0.6, 0.8]])
    check(gradient("ReduceL1", [[0.0, -2.0]], [1], known=(1,)), [[0, -1]])


def test_powers_of_zero() -> None:
    check(gradient("Pow", [0.0, 0.0, 2.0], [0.0, 2.0, 3.0]), [0, 0, 12], [0, 0, 8 * np.log(2)])


def test_fake_quantize_is_straight_through_within_its_limits() -> None:
    x = np.array([-100.0, -1.1, 0.0, 63.0, 64.5])
    found = gradient("FakeQuantize", x, np.float64(0.5), np.float64(3), low=0, high=127)
    check(found, [0, 1, 1, 0, 0], 0, 0)


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("pads", [(2, 1), (0, 5), (9, 14), (-1, 3), (4, -1), (40, 0)])
def test_pads_of_any_width_are_folded_back(mode: str, size: int, pads: tuple[int, int]) -> None:
    if size + min(0, *pads) < 1:
        pytest.skip("nothing is left to repeat")
    from clconv.graph.ops.movement.pad import _padded

    rng = np.random.default_rng(0)
    begin, end = pads
    dy = rng.standard_normal((2, size + begin + end, 3))
    rows = np.eye(size).reshape(size, 1, size, 1)
    spread = _padded(rows, [(0, 0), (0, 0), pads, (0, 0)], mode, 0)[:, 0, :, 0]
    x = rng.standard_normal((2, size, 3))
    given = np.array([0, begin, 0, 0, end, 0])
    check(
        gradient("Pad", x, given, known=(1,), dy=dy, mode=mode),
        np.einsum("sp,bpc->bsc", spread, dy),
    )


def test_the_value_of_a_pad() -> None:
    found = gradient(
        "Pad",
        np.ones((2, 3)),
        np.array([1, -1, 0, 2]),
        np.float64(7),
        known=(1,),
        dy=np.arange(12).reshape(3, 4),
    )
    check(found, [[0, 4, 5], [0, 8, 9]], 66 - 26)


@pytest.mark.parametrize("step", [1, 2, 3, -1, -2, -5])
def test_slices_go_back_to_where_they_came_from(step: int) -> None:
    x = np.arange(14.0).reshape(2, 7)
    start, end = (1, 7) if step > 0 else (-1, -7)
    kept = x[:, start:end:step]
    dy = np.random.default_rng(1).standard_normal(kept.shape)
    wanted = np.zeros_like(x)
    wanted[:, start:end:step] = dy
    check(gradient("Slice", x, [start], [end], [1], [step], known=(1, 2, 3, 4), dy=dy), wanted)


def test_what_is_read_twice_gets_the_sum() -> None:
    x, dy = np.zeros((3, 2)), [[1, 2], [3, 4], [5, 6]]
    wanted = [[0, 0], [6, 8], [3, 4]]
    check(gradient("Gather", x, np.array([1, -1, 1]), dy=dy), wanted)
    check(gradient("GatherND", x, np.array([[1], [2], [-2]]), dy=dy), [[0, 0], [6, 8], [3, 4]])
    places = np.array([[1, 0], [2, 0], [1, -1]])
    check(gradient("GatherElements", x, places, dy=dy), [[0, 6], [6, 0], [3, 6]])


def test_scattered_products_with_zeros() -> None:
    """As PyTorch's scatter_reduce with "prod": of two zeros in one place nobody gets anything."""
    x, u = np.array([2.0, 0.0, 3.0, 5.0]), np.array([0.0, 4.0, 7.0, 0.0, 0.0])
    places = np.array([0, 0, 1, 3, 3])
    found = gradient("ScatterElements", x, places, u, reduction="mul")
    check(found, [0, 7, 1, 0], [8, 0, 0, 0, 0])


@pytest.mark.parametrize("reduction", ["max", "min"])
def test_equal_updates_share_evenly(reduction: str) -> None:
    sign = 1 if reduction == "max" else -1
    x, u = sign * np.array([2.0, 0.0, 3.0]), sign * np.array([2.0, 2.0, 7.0, 1.0])
    places = np.array([[0], [0], [1], [2]])
    found = gradient("ScatterND", x, places, u, reduction=reduction)
    check(found, [1 / 3, 0, 1], [1 / 3, 1 / 3, 1, 0])


def test_einsum_with_diagonals_sums_and_repeated_axes() -> None:
    a, b = np.arange(9.0).reshape(3, 3), np.arange(6.0).reshape(3, 2)
    found = gradient("Einsum", a, b, equation="ii,ij->j")
    check(found, np.diag(b.sum(1)), np.diag(a)[:, None] * np.ones(2))
    check(
        gradient("Einsum", a, equation="ij->i", dy=[1, 2, 3]),
        np.array([[1.0], [2], [3]]) * np.ones(3),
    )
    check(
        gradient("Einsum", a, np.ones((1, 3)), equation="ij,ij->"), np.ones((3, 3)), a.sum(0)[None]
    )
    check(
        gradient("Einsum", a[None], b, equation="...ij,jk->...k")[:1],
        np.broadcast_to(b.sum(1), (1, 3, 3)),
    )
