"""State changes on the device as the reference says, whoever shares it and however launches go."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import GraphError, InputError, ShapeError
from clconv.graph.ir import Graph
from clconv.graph.passes import run_passes
from clconv.runtime.profile import profile
from clconv.session.session import Session
from tests.session.state_graphs import (
    by_reference,
    counter,
    descent,
    evaluation,
    exchanged,
    one_kernel,
    read_later,
    sized_by_data,
    update_first,
    values,
)

GRAPHS: dict[str, Callable[[], Graph]] = {
    "descent": lambda: descent(11),
    "read later": read_later,
    "exchanged": exchanged,
    "counter": counter,
    "update first": update_first,
    "sized by data": sized_by_data,
    "one kernel": one_kernel,
}
STEPS = 5


def feeds_of(graph: Graph, count: int = STEPS, **sizes: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(9)
    shapes = {n: tuple(sizes.get(d, d) for d in graph.specs[n].shape) for n in graph.fed}
    return [
        {n: rng.uniform(-0.3, 0.3, shape).astype(np.float32) for n, shape in shapes.items()}
        for _ in range(count)
    ]


def assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=2e-5, atol=2e-5, err_msg=name)


def held(session: Session) -> dict[str, np.ndarray]:
    return {name: session.state.read(name) for name in session.graph.state}


@pytest.mark.parametrize("how", ["joined", "apart", "guarded", "checked"])
@pytest.mark.parametrize("name", GRAPHS)
def test_steps_as_the_reference_has_them(
    device: DeviceInfo, name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_ONE_LAUNCH", "1" if how == "joined" else "0")
    monkeypatch.setenv("CLCONV_CHECK", "1" if how == "checked" else "0")
    graph = GRAPHS[name]()
    state = values(graph)
    session = Session(graph, device, guard=64 if how == "guarded" else 0, initial=state)
    feeds = feeds_of(graph)
    expected, after = by_reference(graph, state, feeds)
    for given, wanted in zip(feeds, expected, strict=True):
        assert_close(session.run(given), wanted)
    assert_close(held(session), after)


@pytest.mark.parametrize("name", GRAPHS)
def test_joined_launches_do_not_change_a_bit(
    device: DeviceInfo, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = GRAPHS[name]()
    found = []
    for joining in ("0", "1"):
        monkeypatch.setenv("CLCONV_ONE_LAUNCH", joining)
        session = Session(graph, device, initial=values(graph))
        for given in feeds_of(graph):
            session.run(given)
        found.append(held(session))
    for value in graph.state:
        np.testing.assert_array_equal(*(each[value] for each in found))


def test_plain_updates_are_in_place(device: DeviceInfo) -> None:
    """Neither a copy nor memory of its own for what an element-wise node makes of the old value."""
    session = Session(descent(11), device)
    plan = session.prepare({"x": (11, 37)}).plan
    assert not [call for call in plan.calls if "->" in call.node]
    assert {plan.root(plan.lowered.stored[new]) for new in ("w'", "v'")} == {"w", "v"}
    assert plan.memory.external.keys() == {"w", "v"}


def test_a_product_updates_its_addend_in_place(device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("the products of GPUs are copied")
    plan = Session(one_kernel(), device).prepare({"x": (11, 37), "y": (11, 19)}).plan
    assert not [call for call in plan.calls if "->" in call.node]
    assert sum(bool(dict(call.kernel.parameters).get("in_place")) for call in plan.calls) == 2


def test_what_reads_the_old_value_later_gets_it(device: DeviceInfo) -> None:
    plan = Session(read_later(), device).prepare({"x": (1031,)}).plan
    (copied,) = [call for call in plan.calls if "->" in call.node]
    assert copied is plan.calls[-1]
    assert copied.writes == ("w",)


def test_updates_move_behind_readers(device: DeviceInfo) -> None:
    session = Session(update_first(), device)
    plan = session.prepare({"x": (1031,)}).plan
    assert [node.outputs[0] for node in plan.graph.nodes] == ["y", "w'"]
    assert len(plan.calls) == 2
    assert plan.root("w'") == "w"


def test_two_batch_sizes_and_an_evaluation_share_the_weights(device: DeviceInfo) -> None:
    graph, judge = descent(), evaluation()
    state = values(graph)
    session = Session(graph, device, initial=state)
    watching = Session(judge, device, state=session.state)
    assert watching.state is session.state
    for batch in (11, 24, 11, 1):
        (given,) = feeds_of(graph, 1, n=batch)
        (expected,), state = by_reference(graph, state, [given])
        assert_close(session.run(given), expected)
        (other,) = feeds_of(judge, 1, n=5)
        assert_close(watching.run(other), by_reference(judge, {"w": state["w"]}, [other])[0][0])
    assert_close(held(session), state)
    assert_close(held(watching), {"w": state["w"]})


def test_an_evaluation_runs_a_few_images_at_a_time(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "3")
    graph, state = evaluation(), {"w": values(evaluation())["w"]}
    session = Session(graph, device, initial=state)
    (given,) = feeds_of(graph, 1, n=8)
    assert session.prepare({"x": (8, 37)}).plan.batch_split is not None
    assert_close(session.run(given), by_reference(graph, state, [given])[0][0])


def test_what_learns_takes_its_images_at_once(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "3")
    with pytest.warns(UserWarning, match="its state changes once a run"):
        plan = Session(descent(), device).prepare({"x": (8, 37)}).plan
    assert plan.batch_split is None


def test_state_is_neither_fed_nor_returned(device: DeviceInfo) -> None:
    session = Session(descent(11), device)
    assert list(session.inputs) == ["x"]
    assert list(session.outputs) == ["y"]
    (given,) = feeds_of(session.graph, 1)
    assert session.run(given).keys() == {"y"}
    with pytest.raises(InputError, match="unknown"):
        session.run({**given, "w": np.zeros((37, 19), np.float32)})
    with pytest.raises(InputError, match="no outputs"):
        session.run(given, outputs=["w'"])


def test_writes_and_runs_wait_for_each_other(device: DeviceInfo) -> None:
    """Somebody sets the weights to numbers that are all alike, again and again: no run sees a mixture."""
    graph = evaluation(4, 64, 48)
    session = Session(graph, device)
    given = {"x": np.eye(4, 64, dtype=np.float32)}
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            session.state.write("w", np.full((64, 48), number % 100, np.float32))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            found = session.run(given)["y"]
            assert len(np.unique(found)) == 1
    finally:
        over.set()
        writer.join()


def test_copies_have_state_of_their_own(device: DeviceInfo) -> None:
    session = Session(descent(11), device, initial=values(descent(11)))
    (given,) = feeds_of(session.graph, 1)
    before = held(session)
    for other in (pickle.loads(pickle.dumps(session)), copy.deepcopy(session)):
        assert_close(held(other), before)
        other.run(given)
        assert_close(held(session), before)
        assert not np.array_equal(other.state.read("w"), before["w"])


def test_what_the_state_refuses(device: DeviceInfo) -> None:
    session = Session(descent(11), device)
    with pytest.raises(InputError, match="no state 'u'"):
        session.state.read("u")
    with pytest.raises(InputError, match=r"takes float32\[37x19\], got float32 of \(3,\)"):
        session.state.write("w", np.zeros(3, np.float32))
    with pytest.raises(InputError, match="got float64"):
        session.state.write("w", np.zeros((37, 19)))
    with pytest.raises(InputError, match="no state"):
        Session(descent(11), device, initial={"u": np.zeros(1, np.float32)})
    with pytest.raises(InputError, match=r"'w' is float32\[37x19\], not float32\[38x19\]"):
        Session(descent(11, 38), device, state=session.state)
    with pytest.raises(InputError, match="bytes of canary"):
        Session(descent(11), device, state=session.state, guard=64)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"nothing": "y"}, "none of the inputs"),
        ({"w": "nothing"}, "none of the outputs"),
        ({"w": "w'", "v": "w'"}, "already"),
        ({"x": "x"}, "sizes are known"),
    ],
)
def test_state_that_no_graph_can_have(
    device: DeviceInfo, state: dict[str, str], error: str
) -> None:
    with pytest.raises(GraphError, match=error):
        Session(descent().replace(state=state), device)


def test_a_new_value_of_another_size(device: DeviceInfo) -> None:
    with pytest.raises(ShapeError, match=r"state 'w' is .*19\], but its new value 'y'"):
        Session(descent(11).replace(state={"w": "y"}), device)


def test_graphs_tell_and_keep_their_state() -> None:
    graph = descent()
    assert "state w: float32[37x19] = w'" in str(graph)
    assert "state w: float32[37x19]\n" in str(evaluation()) + "\n"
    assert pickle.loads(pickle.dumps(graph)).state == graph.state
    assert run_passes(graph).state == graph.state


def test_halves_between_layers_leave_the_state_as_it_is(device: DeviceInfo) -> None:
    graph = descent(11)
    state = values(graph)
    session = Session(graph, device, precision="float16", initial=state)
    feeds = feeds_of(graph)
    for given in feeds:
        session.run(given)
    _, after = by_reference(graph, state, feeds)
    for name, array in held(session).items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, after[name], atol=2e-2)


def test_profiles_and_dumps(
    device: DeviceInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_DUMP", str(tmp_path))
    session = Session(descent(11), device)
    plan = session.prepare({"x": (11, 37)}).plan
    text = (tmp_path / "plan00" / "plan.txt").read_text()
    assert f"state {plan.memory.external_total:,} bytes" in text
    (given,) = feeds_of(session.graph, 1)
    assert [timing.call for timing in profile(plan, given, 1)] == list(plan.calls)
