"""Loops in sessions: conditions, carried values that grow, many trips at once."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from onnx import GraphProto, NodeProto, helper

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import ModelError
from tests.runtime.control_flow import BOOL, FLOAT, IMAGE, INT64, WEIGHT, agree, graph, model, value


def loop_body(*nodes: NodeProto) -> GraphProto:
    return graph(
        [*nodes, helper.make_node("Less", ["sum", "limit"], ["go"])],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, [1, 3, 8, 8])],
        [value("go", BOOL), value("v2"), value("part")],
        "body",
    )


def test_a_loop_of_convolutions_stops_at_its_condition(device: DeviceInfo) -> None:
    body = loop_body(
        helper.make_node("Conv", ["v", "w"], ["v2"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["v2"], ["part"], keepdims=0),
        helper.make_node("Abs", ["part"], ["sum"]),
    )
    proto = model(
        graph(
            [helper.make_node("Loop", ["m", "", "x"], ["y", "parts"], body=body)],
            [value("x", FLOAT, [1, 3, 8, 8]), value("m", INT64, []), value("limit", FLOAT, [])],
            [value("y", FLOAT, [1, 3, 8, 8]), value("parts", FLOAT, ["n"])],
            w=WEIGHT * 0.3,
        )
    )
    session = agree(
        proto,
        device,
        {"x": IMAGE, "m": np.array(3), "limit": np.array(9e9, np.float32)},
        {"x": IMAGE, "m": np.array(5), "limit": np.array(0, np.float32)},
    )
    cut = session.prepare({"x": IMAGE.shape, "m": (), "limit": ()}).plan.cut
    assert cut is not None and [node.op for node in cut.host_nodes] == ["Loop"]


def test_a_loop_that_never_runs_gives_what_its_body_declares(device: DeviceInfo) -> None:
    body = graph(
        [helper.make_node("Identity", ["c"], ["go"]), helper.make_node("Add", ["v", "v"], ["v2"])],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, [2])],
        [value("go", BOOL, []), value("v2", FLOAT, [2]), value("v2", FLOAT, [2])],
        "body",
    )
    proto = model(
        graph(
            [helper.make_node("Loop", ["m", "", "x"], ["y", "all"], body=body)],
            [value("x", FLOAT, [2]), value("m", INT64, [])],
            [value("y", FLOAT, [2]), value("all", FLOAT, ["n", 2])],
        )
    )
    session = load(proto.SerializeToString(), device)
    x = np.array([1, 2], np.float32)
    for count in (0, 3):
        found = session.run({"x": x, "m": np.array(count)})
        np.testing.assert_array_equal(found["y"], x * 2**count)
        wanted = [x * 2 ** (i + 1) for i in range(count)]
        np.testing.assert_array_equal(found["all"], np.reshape(wanted, (count, 2)))


def test_a_carried_value_may_grow(device: DeviceInfo) -> None:
    body = graph(
        [
            helper.make_node("Identity", ["c"], ["go"]),
            helper.make_node("Concat", ["v", "x"], ["v2"], axis=0),
        ],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, ["n"])],
        [value("go", BOOL, []), value("v2", FLOAT, ["n2"])],
        "body",
    )
    proto = model(
        graph(
            [helper.make_node("Loop", ["m", "yes", "x"], ["y"], body=body)],
            [value("x", FLOAT, [2]), value("m", INT64, [])],
            [value("y", FLOAT, ["n"])],
            yes=np.array(True),
        )
    )
    agree(proto, device, {"x": np.array([1, 2], np.float32), "m": np.array(4)})


@pytest.mark.parametrize("growing", [False, True])
def test_long_loops_run_many_trips_at_once(device: DeviceInfo, growing: bool) -> None:
    """What one trip hands to the next, its number, and its slices, whatever the number of trips."""
    step = [
        helper.make_node("Cast", ["i"], ["number"], to=FLOAT),
        helper.make_node("Add", ["a", "number"], ["t"]),
        helper.make_node("Mul", ["t", "half"], ["b" if not growing else "u"]),
        helper.make_node("Identity", ["c"], ["d"]),
        helper.make_node("ReduceSum", ["t"], ["s"], keepdims=0),
        helper.make_node("Neg", ["p"], ["q"]),
    ]
    if growing:
        step.append(helper.make_node("Concat", ["u", "half"], ["b"], axis=0))
    body = graph(
        step,
        [value("i", INT64, []), value("c", BOOL, []), value("a"), value("p")],
        [value("d", BOOL, []), value("b"), value("q"), value("s"), value("p")],
        half=np.float32([0.5]),
    )
    loop = helper.make_node("Loop", ["n", "", "x", "x"], ["y", "z", "sums", "all"], body=body)
    main = graph(
        [loop],
        [value("x", FLOAT, [2]), value("n", INT64, [])],
        [value("y"), value("z"), value("sums"), value("all")],
    )
    x = np.float32([1, -2])
    runs = [{"x": x, "n": np.array(n, np.int64)} for n in (1, 7, 8, 63, 64, 65, 150)]
    agree(model(main), device, *runs)


def test_a_condition_that_may_end_a_loop_is_looked_at_after_each_trip(device: DeviceInfo) -> None:
    body = graph(
        [
            helper.make_node("Add", ["a", "one"], ["b"]),
            helper.make_node("Less", ["b", "end"], ["d"]),
        ],
        [value("i", INT64, []), value("c", BOOL, []), value("a")],
        [value("d", BOOL, []), value("b")],
        one=np.float32(1),
        end=np.float32(70),
    )
    main = graph(
        [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
        [value("x", FLOAT, []), value("n", INT64, [])],
        [value("y")],
    )
    agree(
        model(main), device, *({"x": np.array(x, np.float32), "n": np.array(200)} for x in (0, 60))
    )


def counting(*, limit: bool, ends: bool) -> bytes:
    """A Loop that adds 1 each trip: up to n, and as long as the sum is less than `end`."""
    goes_on = helper.make_node(
        "Less" if ends else "Identity", ["b", "end"] if ends else ["c"], ["d"]
    )
    body = graph(
        [helper.make_node("Add", ["a", "one"], ["b"]), goes_on],
        [value("i", INT64, []), value("c", BOOL, []), value("a")],
        [value("d", BOOL, []), value("b")],
        one=np.float32(1),
    )
    inputs = [value("x", FLOAT, [])]
    inputs += [value("n", INT64, [])] if limit else []
    inputs += [value("end", FLOAT, [])] if ends else []
    loop = helper.make_node("Loop", ["n" if limit else "", "", "x"], ["y"], "endless", body=body)
    return model(graph([loop], inputs, [value("y")])).SerializeToString()


def test_a_loop_without_an_end_is_refused_at_once(device: DeviceInfo) -> None:
    feeds = {"x": np.float32(0)}
    with pytest.raises(
        ModelError, match=r"'endless'.*without an end: at most 100,000,000.*LOOP_LIMIT"
    ):
        load(counting(limit=False, ends=False), device).run(feeds)
    session = load(counting(limit=True, ends=False), device)
    assert session.run({**feeds, "n": np.array(200)})["y"] == 200
    assert session.run({**feeds, "n": np.array(-1)})["y"] == 0
    with pytest.raises(ModelError, match=r"'endless'.*of 9,223,372,036,854,775,807 trips"):
        session.run({**feeds, "n": np.array(2**63 - 1)})


@pytest.mark.parametrize("limit", [False, True])
def test_a_loop_of_too_many_trips_ends(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch, limit: bool
) -> None:
    monkeypatch.setenv("CLCONV_LOOP_LIMIT", "50")
    session = load(counting(limit=limit, ends=True), device)
    feeds = {"x": np.float32(0), **({"n": np.array(10**12)} if limit else {})}
    assert session.run({**feeds, "end": np.float32(50)})["y"] == 50
    with pytest.raises(ModelError, match=r"'endless'.*still goes on: at most 50 trips.*LOOP_LIMIT"):
        session.run({**feeds, "end": np.float32(51)})
    monkeypatch.setenv("CLCONV_LOOP_LIMIT", "51")
    assert session.run({**feeds, "end": np.float32(51)})["y"] == 51


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such timer")
def test_a_long_loop_can_be_interrupted(device: DeviceInfo) -> None:
    session = load(counting(limit=False, ends=True), device)
    feeds = {"x": np.float32(0), "end": np.float32(5)}
    assert session.run(feeds)["y"] == 5

    def interrupt(*received: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            session.run({**feeds, "end": np.float32(1e7)})
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert session.run(feeds)["y"] == 5
