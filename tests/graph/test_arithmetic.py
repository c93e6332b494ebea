"""Integer arithmetic at its limits: dividing by zero, the least integer by -1, Shrink, conversions. What comes out is said
here with Python's numbers; tests/kernels holds the kernels against the same references."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from clconv.api import load
from clconv.cases.elementwise.cast import FAR
from clconv.cases.elementwise.elementwise import INTEGERS, ends
from clconv.device.info import DeviceInfo
from clconv.graph.ops.elementwise.arithmetic import divide, mod, shrink
from clconv.graph.ops.numeric import converted
from tests.frontend.support import model, node, value


def wrapped(number: int, dtype: str) -> int:
    """The low bits."""
    limits = np.iinfo(dtype)
    return (number - limits.min) % (limits.max - limits.min + 1) + limits.min


def expected(op: str, fmod: int, x: int, y: int, dtype: str) -> int:
    if y == 0:
        return 0
    towards_zero = math.trunc(Fraction(x, y))
    if op == "Div":
        return wrapped(towards_zero, dtype)
    return x - towards_zero * y if fmod else x % y


class Mod:
    def __init__(self, fmod: int) -> None:
        self.fmod = fmod


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("op,fmod", [("Div", 0), ("Mod", 0), ("Mod", 1)])
def test_integers_are_divided_as_documented(
    device: DeviceInfo, op: str, fmod: int, dtype: str
) -> None:
    numbers = ends(dtype)
    x, y = (a.reshape(-1) for a in np.meshgrid(np.array(numbers, dtype), np.array(numbers, dtype)))
    right = [expected(op, fmod, int(a), int(b), dtype) for a, b in zip(x, y, strict=True)]
    with np.errstate(all="ignore"):
        reference = divide(None, x, y) if op == "Div" else mod(Mod(fmod), x, y)
    assert reference.dtype == x.dtype
    np.testing.assert_array_equal(reference, right)
    attrs = {"fmod": fmod} if op == "Mod" else {}
    # Once on the device, once folded at load.
    made = model(
        [node(op, ["x", "b"], ["y"], **attrs), node(op, ["a", "b"], ["folded"], **attrs)],
        [value("x", *x.shape, dtype=helper_type(dtype))],
        ["y", "folded"],
        constants={"a": x, "b": y},
    )
    found = load(made.SerializeToString(), device=device).run({"x": x})
    np.testing.assert_array_equal(found["y"], right)
    np.testing.assert_array_equal(found["folded"], right)


def helper_type(dtype: str) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


class Shrink:
    def __init__(self, bias: float, lambd: float) -> None:
        self.bias, self.lambd = bias, lambd


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(
    "bias,lambd", [(0.1, 0.3), (1.5, 2.5), (-1.5, 0.5), (300.7, 70.2), (0.5, -3.0)]
)
def test_shrink_does_not_round_its_numbers(dtype: str, bias: float, lambd: float) -> None:
    x = np.array(ends(dtype), dtype)
    right = []
    for number in map(int, x):
        exact = Fraction(0)
        if number < -lambd:
            exact = number + Fraction(bias)
        elif number > lambd:
            exact = number - Fraction(bias)
        right.append(wrapped(math.trunc(exact), dtype))
    np.testing.assert_array_equal(shrink(Shrink(bias, lambd), x), right)
    for number, wanted in zip(x, right, strict=True):
        found = shrink(Shrink(bias, lambd), np.asarray(number))
        assert found.shape == () and found == wanted


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 3e38])
def test_shrink_by_what_is_no_integer_stays_within_them(number: float) -> None:
    for dtype in INTEGERS:
        for x in (np.array(ends(dtype), dtype), np.array(1, dtype)):
            for given in (Shrink(number, 0.5), Shrink(0.5, number)):
                found = shrink(given, x)
                assert found.shape == x.shape and found.dtype == x.dtype


@pytest.mark.parametrize("target", INTEGERS)
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_floats_end_at_an_integers_limits(source: str, target: str) -> None:
    x, limits = np.array(FAR, source), np.iinfo(target)
    right = [
        0 if math.isnan(v) else limits.max if v >= limits.max else limits.min if v <= limits.min else int(v)
        for v in map(float, x)
    ]  # fmt: skip
    found = converted(x, target)
    assert found.dtype == target
    np.testing.assert_array_equal(found, np.array(right, target))


@pytest.mark.parametrize("target", ["int8", "uint8", "int32", "int64"])
def test_a_cast_is_the_same_on_the_device_and_folded(device: DeviceInfo, target: str) -> None:
    x = np.array(FAR, np.float32)
    made = model(
        [node("Cast", ["x"], ["y"], to=helper_type(target)), node("Cast", ["a"], ["folded"], to=helper_type(target))],
        [value("x", *x.shape)],
        ["y", "folded"],
        constants={"a": x},
    )  # fmt: skip
    found = load(made.SerializeToString(), device=device).run({"x": x})
    np.testing.assert_array_equal(found["y"], converted(x, target))
    np.testing.assert_array_equal(found["folded"], converted(x, target))
