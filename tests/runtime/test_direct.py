"""Inputs and outputs of a plain run are read and written where they lie in NumPy's memory."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.planning.persistent import is_wanted
from clconv.runtime.check import relative_error
from clconv.runtime.moved import ALIGNMENT, is_worth_moving
from clconv.runtime.transfers import counted
from clconv.runtime.ways.faster import Kind
from clconv.session.session import Session

SHAPE = (1, 16, 48, 48)
SETTINGS = {"Split": {"axis": 1, "num_outputs": 2}}


def graph(*nodes: tuple[str, str, str], outputs: tuple[str, ...]) -> Graph:
    """Nodes of operator, inputs and outputs, the names parted by spaces; "x" and "z" are fed."""
    made = tuple(
        make_node(op, i.split(), o.split(), f"{op} {o}", **SETTINGS.get(op, {}))
        for op, i, o in nodes
    )
    specs = {n: TensorSpec(SHAPE) for n in ("x", "z") if any(n in node.inputs for node in made)}
    return Graph("direct", made, tuple(specs), outputs, specs)


GRAPHS = {
    "one": graph(("Relu", "x", "y"), outputs=("y",)),
    "inside and out": graph(("Softmax", "x", "y"), ("Tanh", "y", "t"), outputs=("t", "y")),
    "input as output": graph(("Identity", "x", "y"), ("Softmax", "x", "t"), outputs=("y", "t")),
    "two inputs": graph(("Mul", "x z", "m"), ("Softmax", "m", "y"), outputs=("y",)),
    "an output twice": graph(
        ("Softmax", "x", "y"), ("Identity", "y", "v"), ("Tanh", "y", "t"), outputs=("y", "v", "t")
    ),
    "a constant": graph(("Shape", "x", "y"), ("Softmax", "x", "t"), outputs=("y", "t")),
    "parts of an input": graph(("Split", "x", "y t"), outputs=("y", "t")),
    "a part and what reads it": graph(
        ("Split", "x", "y v"), ("Softmax", "v", "t"), outputs=("v", "t")
    ),
    "a part of a result": graph(("Tanh", "x", "m"), ("Split", "m", "y t"), outputs=("t",)),
    "only an input": graph(("Identity", "x", "y"), outputs=("y",)),
}


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE, np.float32)


def moved(array: np.ndarray, by: int) -> np.ndarray:
    """A copy that begins so many bytes behind a multiple of 64, and cannot be written."""
    room = np.empty(array.nbytes + 128, np.uint8)
    begin = -room.ctypes.data % 64 + by
    found = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    found[:] = array
    found.flags.writeable = False
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_results_are_right_wherever_inputs_lie(device: DeviceInfo, name: str) -> None:
    """They stay when their inputs, later runs and the session are gone."""
    session, network = Session(GRAPHS[name], device), GRAPHS[name]
    places = (0, ALIGNMENT, 4)
    expected = []
    results = []
    for by in places:
        feeds = {n: moved(picture(i + by), by) for i, n in enumerate(session.inputs)}
        results.append(session.run(feeds))
        assert not any(np.shares_memory(r, a) for r in results[-1].values() for a in feeds.values())
        expected.append(run_reference(network, feeds))
        del feeds
    session.close()
    del session
    gc.collect()
    for found, wanted in zip(results, expected, strict=True):
        for output in wanted:
            assert relative_error(found[output], wanted[output]) < 2e-5, output


def test_one_array_may_be_all_inputs(device: DeviceInfo) -> None:
    x = picture(1)
    expected = run_reference(GRAPHS["two inputs"], {"x": x, "z": x})["y"]
    with Session(GRAPHS["two inputs"], device) as session:
        for given in (x, np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2]):
            assert relative_error(session.run({"x": x, "z": given})["y"], expected) < 2e-5


def test_looking_into_a_run_reads_its_own_inputs(device: DeviceInfo) -> None:
    with Session(GRAPHS["one"], device) as session:
        for seed in range(2):
            session.run({"x": picture(seed)})
            found = session.check({"x": picture(seed + 5)}, lambda *row: None)
            np.testing.assert_array_equal(found["y"], np.maximum(picture(seed + 5), 0))


def test_nothing_large_is_copied_on_a_cpu(device: DeviceInfo) -> None:
    x, z = moved(picture(1), ALIGNMENT), moved(picture(2), 4)  # the second lies askew
    assert is_worth_moving(x.nbytes)
    with Session(GRAPHS["two inputs"], device) as session:
        session.prepare(dict.fromkeys(session.inputs, SHAPE))
        with counted() as found:
            session.run({"x": x, "z": z})
    copies = (z.nbytes, 0) if "small-pages" in device.quirks else (2 * x.nbytes, x.nbytes)
    assert (found.to_device, found.to_host) == copies


def test_parts_of_an_input_are_copied_once(device: DeviceInfo) -> None:
    x = moved(picture(1), ALIGNMENT)
    with Session(GRAPHS["parts of an input"], device) as session:
        session.prepare({"x": SHAPE})
        with counted() as found:
            session.run({"x": x})
    copies = (0, 0) if "small-pages" in device.quirks else (x.nbytes, x.nbytes)
    assert (found.to_device, found.to_host) == copies


@pytest.mark.parametrize("name", GRAPHS)
def test_runs_in_one_thread_take_arrays_wherever_they_lie(device: DeviceInfo, name: str) -> None:
    """An array that cannot be read in place is copied, and what was read in place before plays no part."""
    network = GRAPHS[name]
    if not is_wanted(device):
        pytest.skip(f"{device} does not wake slowly: all its runs are launches")
    session = Session(network, device)
    bound = session.prepare(dict.fromkeys(network.inputs, SHAPE))
    if bound.plan.launches:
        bound._ways.faster.settle(Kind.ALONE)
    by_place = {}
    for turn, place in enumerate((0, 4, ALIGNMENT, 4)):
        feeds = {n: moved(picture(turn + i), place) for i, n in enumerate(network.inputs)}
        with counted() as copies:
            found = session.run(feeds)
        by_place[place] = copies.to_device
        assert list(found) == list(network.returned)
        for output, wanted in run_reference(network, feeds).items():
            assert relative_error(found[output], wanted) < 1e-5
    if bound.plan.launches:
        assert by_place[0] == 0 < by_place[4]
