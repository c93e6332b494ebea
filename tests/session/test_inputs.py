"""What may be fed to a session, and what is said of everything else."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import ClconvWarning, InputError, ShapeError
from clconv.graph.ir import Constant
from clconv.graph.reference import run_reference
from tests.graph.graph_builder import Builder
from tests.runtime.support import assert_agrees, int_input, picture, residual, session_for


def test_whatever_numpy_holds_can_be_fed(device: DeviceInfo) -> None:
    graph = residual()
    session = session_for(graph, device)
    x = picture(1, 3, 6, 9)
    expected = run_reference(graph, {"x": x})
    locked = x.copy()
    locked.flags.writeable = False
    for fed in (
        np.asfortranarray(x),
        np.ascontiguousarray(x[..., ::-1])[..., ::-1],
        np.repeat(x, 2, axis=3)[..., ::2],
        x.astype(">f4"),
        locked,
        x.tolist(),
    ):
        assert_agrees(session.run({"x": fed}), expected)


class Unwilling:
    """An object that raises something of its own instead of becoming an array."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise RuntimeError("it will not")


@pytest.mark.parametrize(
    ("feeds", "says"),
    [
        ({}, r"\['x'\] missing; the model takes 'x': float32\[nx3xhxw\]"),
        ({"x": picture(1, 3, 4, 4), "y": 1}, r"\['y'\] unknown"),
        ({"X": picture(1, 3, 4, 4)}, r"\['X'\] unknown, \['x'\] missing"),
        ({"x": picture(3, 4, 4)}, r"takes float32\[nx3xhxw\], got shape \(3, 4, 4\)"),
        ({"x": picture(1, 4, 4, 4)}, r"got shape \(1, 4, 4, 4\)"),
        ({"x": np.zeros((1, 3, 4, 4))}, r"got float64; convert it with .astype\('float32'\)"),
        ({"x": np.zeros((1, 3, 4, 4), np.uint8)}, "takes float32, got uint8"),
        ({"x": [[[[1.0]], [[2.0, 3.0]]]]}, "'x'"),
        ({"x": None}, r"'x' takes float32\[nx3xhxw\], got None"),
        ({"x": "text"}, "got str"),
        ({"x": [[None]]}, "got list that holds no numbers"),
        ({"x": {1, 2}}, "got set"),
        ({"x": np.full((1, 3, 4, 4), None)}, r"got an array of Python objects \(NoneType\)"),
        ({"x": np.full((1, 3, 4, 4), "a")}, "got an array of <U1, which holds no numbers"),
        ({"x": np.zeros((1, 3, 4, 4), "datetime64[s]")}, "got an array of datetime64"),
        ({"x": Unwilling()}, "got Unwilling, which is no array: it will not"),
        ({"x": 10**400}, "got int"),
        ({3: 1, None: 2, "x": 1}, r"\[3, None\] unknown"),
        ([picture(1, 4, 4, 4)], r"got shape \(1, 4, 4, 4\)"),
        ([picture(1, 3, 4, 4), 1], "'x'"),
        ([[[1.0], [2.0, 3.0]]], "'x'"),
        ([], r"got shape \(0,\)"),
        (picture(3, 4), r"got shape \(3, 4\)"),
        (None, "got None"),
    ],
)
def test_wrong_inputs_are_refused(feeds, says: str, device: DeviceInfo) -> None:  # type: ignore[no-untyped-def]
    session = session_for(residual(), device)
    with pytest.raises(InputError, match=says):
        session.run(feeds)


class Labelled(np.ndarray):
    """An array of another class."""


def test_arrays_of_any_class_and_place_are_taken(device: DeviceInfo) -> None:
    graph = residual()
    session = session_for(graph, device)
    x = picture(1, 3, 6, 9)
    expected = run_reference(graph, {"x": x})
    room = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = room[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    for fed in (x.view(Labelled), np.ma.masked_array(x), unaligned, memoryview(x)):
        assert_agrees(session.run({"x": fed}), expected)


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ({}, r"\['x'\] missing"),
        ({"y": (1, 3, 4, 4)}, r"\['y'\] unknown"),
        ({"x": (1, 3, 4)}, r"takes float32\[nx3xhxw\], got shape \(1, 3, 4\)"),
        ({"x": (1, 4, 4, 4)}, "got shape"),
        ({"x": (1, 3, -4, 4)}, "negative size"),
        ({"x": (1, 3, "h", "w")}, "got the shape"),
        ({"x": (1, 3, 4.5, 4)}, "got the shape"),
        ({"x": None}, "got the shape None"),
        ([(1, 3, 4, 4)], "a mapping from input name to shape, got list"),
    ],
)
def test_wrong_shapes_are_refused(shapes, says: str, device: DeviceInfo) -> None:  # type: ignore[no-untyped-def]
    session = session_for(residual(), device)
    for method in (session.prepare, session.output_specs):
        with pytest.raises(InputError, match=says):
            method(shapes)


def test_the_name_of_an_output_is_no_list_of_outputs(device: DeviceInfo) -> None:
    session = session_for(residual(), device)
    with pytest.raises(InputError, match="list of names, not the text 'result'"):
        session.run({"x": picture(1, 3, 4, 4)}, outputs="result")


def test_sizes_of_one_name_that_do_not_fit_are_told_with_the_node(device: DeviceInfo) -> None:
    b = Builder()
    x, y = b.input("n", 4, name="x"), b.input("n", 4, name="y")
    session = session_for(b.graph(b.node("Add", x, y, out="z")), device)
    session.run({"x": picture(2, 4), "y": picture(2, 4)})
    said = r"'y' takes float32\[nx4\], got shape \(3, 4\) where n = 2"
    with pytest.warns(ClconvWarning, match=said), pytest.raises(ShapeError, match="broadcast"):
        session.run({"x": picture(2, 4), "y": picture(3, 4)})


def test_lists_take_the_inputs_dtype_if_nothing_is_lost(device: DeviceInfo) -> None:
    b = Builder()
    i = int_input(b, 3, name="i")
    session = session_for(b.graph(b.node("Neg", i, out="y")), device)
    assert session.run({"i": [1, 2, -3]})["y"].tolist() == [-1, -2, 3]
    with pytest.raises(InputError, match="takes int64, got float64"):
        session.run({"i": [1.5, 2, 3]})
    with pytest.raises(InputError, match="'i'"):
        session.run({"i": [1, 2, 1 << 70]})


def test_integers_and_booleans_pass_through(device: DeviceInfo) -> None:
    b = Builder()
    i = int_input(b, "n", name="i")
    b.constants["two"] = Constant(np.array(2, np.int64))
    b.node("Greater", i, "two", out="large")
    b.node("Mul", i, "two", out="double")
    graph = b.graph("large", "double")
    session = session_for(graph, device)
    found = session.run({"i": np.array([1, 2, 3, 1 << 40], np.int64)})
    assert found["large"].dtype == np.bool_ and found["large"].tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert found["double"].tolist() == [2, 4, 6, 1 << 41]
