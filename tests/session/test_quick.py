"""A run like the last one looks nothing up; any other does."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import ClosedError, InputError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.session import stages
from clconv.session.session import Session

NODE = make_node("Sub", ("x", "z"), ("y",), "n")
SPECS = {"x": TensorSpec((2, 4)), "z": TensorSpec((2, 4))}


@pytest.fixture
def session(device: DeviceInfo) -> Session:
    return Session(Graph("quick", (NODE,), ("x", "z"), ("y",), SPECS), device)


def numbers(*shape: int, begin: int = 0) -> np.ndarray:
    return np.arange(begin, begin + np.prod(shape), dtype=np.float32).reshape(shape)


def test_a_run_like_the_last_looks_nothing_up(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, z = numbers(2, 4), numbers(2, 4, begin=7)
    session.run({"x": x, "z": z})
    with monkeypatch.context() as context:
        context.setattr(stages.Stage, "run", lambda *args: pytest.fail("looked up"))
        np.testing.assert_array_equal(session.run({"z": z, "x": z})["y"], z - z)
        np.testing.assert_array_equal(session.run({"z": x, "x": z})["y"], z - x)
        for outputs in (["y"], ("y", "y"), {"y": "host"}):
            found = session.run({"x": x, "z": z}, outputs)
            assert list(found) == ["y"]
            np.testing.assert_array_equal(found["y"], x - z)
        assert session.run({"x": x, "z": z}, []) == {}
    np.testing.assert_array_equal(session.run([x, z])["y"], x - z)


def test_outputs_elsewhere_or_unknown_are_looked_at(session: Session) -> None:
    feeds = {"x": numbers(2, 4), "z": numbers(2, 4, begin=7)}
    session.run(feeds)
    into = np.zeros((2, 4), np.float32)
    session.run(feeds, {"y": into})
    np.testing.assert_array_equal(into, feeds["x"] - feeds["z"])
    assert not isinstance(session.run(feeds, "device")["y"], np.ndarray)
    for wrong in (["w"], {"y": "nowhere"}, "y", {"w": "host"}):
        with pytest.raises(InputError):
            session.run(feeds, wrong)


def test_arrays_of_another_kind_are_looked_at(session: Session) -> None:
    x, z = numbers(2, 4), numbers(2, 4, begin=7)
    for _ in range(2):
        for a, b in (
            (x, z), (x.T.copy().T, z), (numbers(4, 4)[::2], z), (x.astype(">f4"), z), (x.tolist(), z),
            (np.ma.masked_array(x), z),
        ):  # fmt: skip
            given = np.asarray(a, np.float32), np.asarray(b, np.float32)
            np.testing.assert_array_equal(session.run({"x": a, "z": b})["y"], given[0] - given[1])
        for wrong in ({"x": x}, {"x": x, "z": z, "w": z}, {"x": x.astype(float), "z": z}):
            with pytest.raises(InputError):
                session.run(wrong)
        with pytest.raises(InputError):
            session.run({"x": x, "z": z[:, :3]})


def test_nothing_runs_once_a_session_is_closed(session: Session) -> None:
    feeds = {"x": numbers(2, 4), "z": numbers(2, 4)}
    session.run(feeds)
    session.close()
    with pytest.raises(ClosedError):
        session.run(feeds)


def test_a_closer_look_is_taken_when_it_is_asked_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = {"x": numbers(2, 4), "z": numbers(2, 4)}
    session.run(feeds)
    monkeypatch.setenv("CLCONV_CHECK", "1")
    with monkeypatch.context() as context:
        context.setattr(stages.Stage, "run", lambda *args: {"y": "looked up"})
        assert session.run(feeds)["y"] == "looked up"
