"""One array in several places: fed twice, filled while it is read, the output that is the next input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.ir import Graph
from tests.graph.graph_builder import Builder
from tests.runtime.support import SAME, picture, session_for


def _twice() -> Graph:
    """The sum and the product of two inputs, the first input, and a view of the sum."""
    b = Builder()
    p, q = b.input(2, 3, 8, 8, name="p"), b.input(2, 3, 8, 8, name="q")
    total = b.node("Add", p, q, out="sum")
    product = b.node("Mul", p, q, out="product")
    joined = b.node("Concat", p, total, out="joined", axis=1)
    same = b.node("Identity", p, out="same")
    return b.graph(total, product, joined, same)


def test_one_array_may_be_fed_twice(device: DeviceInfo) -> None:
    session = session_for(_twice(), device)
    x = picture(2, 3, 8, 8)
    expected = session.run({"p": x, "q": x})
    given = session.to_device(x)
    found = session.run({"p": given, "q": given}, outputs="device")
    for name, reference in expected.items():
        np.testing.assert_array_equal(found[name].get(), reference, err_msg=name)


@pytest.mark.parametrize("place", ["p", "q"])
@pytest.mark.parametrize("output", ["sum", "product", "same"])
def test_an_output_may_go_where_an_input_lies(place: str, output: str, device: DeviceInfo) -> None:
    session = session_for(_twice(), device)
    arrays = {"p": picture(2, 3, 8, 8), "q": picture(2, 3, 8, 8, seed=1)}
    expected = session.run(arrays)
    given = {name: session.to_device(array) for name, array in arrays.items()}
    outputs = {output: given[place], "joined": "device"}
    found = session.run(given, outputs=outputs)
    np.testing.assert_array_equal(found[output].get(), expected[output])
    np.testing.assert_array_equal(found["joined"].get(), expected["joined"])


def test_outputs_are_the_inputs_of_the_next_run(device: DeviceInfo) -> None:
    b = Builder()
    x, state = b.input(1, 4, 8, 8, name="x"), b.input(1, 4, 8, 8, name="state")
    new = b.node("Tanh", b.node("Add", b.conv(x, 4, 4, 3, **SAME), state), out="new")
    session = session_for(b.graph(new), device)
    pictures = [picture(1, 4, 8, 8, seed=i) for i in range(7)]
    host = np.zeros((1, 4, 8, 8), np.float32)
    at: Any = session.to_device(host)
    for frame in pictures:
        host = session.run({"x": frame, "state": host})["new"]
        at = session.run({"x": frame, "state": at}, outputs="device")["new"]
    np.testing.assert_array_equal(at.get(), host)
    into = session.to_device(np.zeros_like(host))
    for frame in pictures:  # in place
        session.run({"x": frame, "state": into}, outputs={"new": into})
    np.testing.assert_array_equal(into.get(), host)


def test_two_outputs_do_not_share_memory(device: DeviceInfo) -> None:
    session = session_for(_twice(), device)
    place, x = session.empty((2, 3, 8, 8)), picture(2, 3, 8, 8)
    with pytest.raises(InputError, match="the same memory"):
        session.run({"p": x, "q": x}, outputs={"sum": place, "product": place})
