"""Session.run_batches(): any numbers of rows in, the model's batch on the device, the same rows out, in order."""

from __future__ import annotations

import itertools
import pickle
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from onnx import ModelProto

import clconv
from clconv.errors import DeviceError, InputError
from clconv.session.session import Session
from tests.compat.models import brightener, classifier, fixed
from tests.frontend.support import model, node, value


def pair() -> ModelProto:
    """a, b (N, 3) -> a + b."""
    return model(
        [node("Add", ["a", "b"], ["sum"], "add")],
        [value("a", "N", 3), value("b", "N", 3)],
        [value("sum", "N", 3)],
        opset=17,
    )


@pytest.fixture(scope="module")
def four() -> Session:
    return clconv.load(fixed(4).SerializeToString())


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 8, 8), np.float32)


@pytest.mark.parametrize("sizes", [(4,), (1, 1, 1), (3, 9, 1, 2), (17,), (4, 4, 4)])
def test_a_fixed_batch(four: Session, sizes: tuple[int, ...]) -> None:
    whole = rows(sum(sizes))
    filled = np.concatenate([whole, np.repeat(whole[-1:], -len(whole) % 4, axis=0)])
    wanted = np.concatenate([four.run({"x": part})["y"] for part in filled.reshape(-1, 4, 3, 8, 8)])
    ends = np.cumsum(sizes)[:-1]
    found = [outputs["y"] for outputs in four.run_batches(np.split(whole, ends))]
    assert [len(y) for y in found] == list(sizes)
    np.testing.assert_array_equal(np.concatenate(found), wanted[: len(whole)])


def test_how_an_item_may_be_given(four: Session) -> None:
    x = rows(3)
    plain = [outputs["y"] for outputs in four.run_batches([x])]
    for items in ([{"x": x}], iter([x]), x, (row for row in x), [list(map(list, x))]):
        found = np.concatenate([outputs["y"] for outputs in four.run_batches(items)])
        np.testing.assert_array_equal(found, plain[0])
    assert list(four.run_batches([])) == []
    assert list(next(four.run_batches([x], outputs=["y"]))) == ["y"]


def test_an_open_batch() -> None:
    session = clconv.load(classifier().SerializeToString())
    x = rows(11)
    wanted = session.run({"image": x})["scores"]
    for batch in (None, 1, 3, 20):
        found = [o["scores"] for o in session.run_batches(np.split(x, [2, 7]), batch)]
        assert [len(part) for part in found] == [2, 5, 4]
        np.testing.assert_allclose(np.concatenate(found), wanted, rtol=1e-5, atol=1e-6)


def test_sizes_that_change() -> None:
    session = clconv.load(brightener().SerializeToString())
    items = [np.full((1, 3, h, w), i, np.float32) for i, (h, w) in enumerate([(4, 5), (2, 2)] * 2)]
    found = [outputs["darker"] for outputs in session.run_batches(items)]
    for item, half in zip(items, found, strict=True):
        np.testing.assert_allclose(half, item / 2)


def test_several_inputs() -> None:
    session = clconv.load(pair().SerializeToString())
    items = [
        {"a": np.full((n, 3), n, np.float32), "b": np.ones((n, 3), np.float32)} for n in (1, 40)
    ]
    found = [outputs["sum"] for outputs in session.run_batches(items)]
    assert [part.shape for part in found] == [(1, 3), (40, 3)] and found[1][39, 0] == 41
    with pytest.raises(InputError, match=r"item 0: .*dict"):
        next(session.run_batches([np.ones((1, 3), np.float32)]))
    uneven = {"a": np.ones((2, 3), np.float32), "b": np.ones((1, 3), np.float32)}
    with pytest.raises(InputError, match="item 1: needs rows"):
        list(session.run_batches([items[0], uneven]))


def test_outputs_that_are_no_rows() -> None:
    """They pass where an item is a batch of the model, and are refused where they would have to be divided."""
    total = model(
        [node("ReduceSum", ["x"], ["sum"], "all", keepdims=0)],
        [value("x", 2, 3)],
        [value("sum")],
        opset=17,
    )
    session = clconv.load(total.SerializeToString())
    item = np.ones((2, 3), np.float32)
    assert [float(o["sum"]) for o in session.run_batches([item, 2 * item])] == [6, 12]
    with pytest.raises(InputError, match="its rows are not those of the inputs"):
        next(session.run_batches([item[:1]]))


def test_what_is_refused(four: Session) -> None:
    with pytest.raises(InputError, match="fixed at 4"):
        four.run_batches([rows(1)], batch=3)
    with pytest.raises(InputError, match="number of rows"):
        four.run_batches([rows(1)], batch=0)
    with pytest.raises(InputError, match="iterable"):
        four.run_batches({"x": rows(1)})
    with pytest.raises(InputError, match="needs rows"):
        next(four.run_batches([rows(0)]))
    found = four.run_batches([rows(4), rows(4)[:, :2]])
    assert len(next(found)["y"]) == 4
    with pytest.raises(InputError, match=r"item 1: input 'x'"):
        next(found)


def test_an_error_of_the_iterable_comes_in_its_turn(four: Session) -> None:
    def items() -> Iterator[np.ndarray]:
        yield rows(4)
        raise OSError("no more")

    found = four.run_batches(items())
    assert len(next(found)["y"]) == 4
    with pytest.raises(OSError, match="no more"):
        next(found)


def test_an_endless_iterable_takes_little_memory(four: Session) -> None:
    taken = 0

    def items() -> Iterator[np.ndarray]:
        nonlocal taken
        for taken in itertools.count(1):
            yield rows(4, taken)

    endless = four.run_batches(items())
    warm = 50  # by then it is known by which way runs are done, for which machine code is read
    for _ in range(warm):
        next(endless)
    tracemalloc.start()
    for number, _ in enumerate(itertools.islice(endless, 300), warm):
        assert taken < number + 10
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    endless.close()
    assert most < 40 * rows(4).nbytes


def test_the_same_device_twice() -> None:
    """Two sessions share the work; the results are those of one."""
    session = clconv.load(fixed(4).SerializeToString(), device=["0", "0"])
    assert len(session.devices) == 2
    x = rows(50)
    alone = clconv.load(fixed(4).SerializeToString(), device="0")
    wanted = [o["y"] for o in alone.run_batches(x)]
    for spread in (session, pickle.loads(pickle.dumps(session))):
        assert len(spread.devices) == 2
        found = [o["y"] for o in spread.run_batches(x)]
        np.testing.assert_array_equal(np.concatenate(found), np.concatenate(wanted))


def test_all_devices_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLCONV_DEVICE", "all")
    session = clconv.load(fixed(4).SerializeToString())
    assert session.device == session.devices[0]
    x = rows(30)
    found = np.concatenate([o["y"] for o in session.run_batches(x)])
    wanted = np.concatenate(
        [o["y"] for o in clconv.load(fixed(4).SerializeToString(), 0).run_batches(x)]
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    monkeypatch.setenv("CLCONV_DEVICE", "0,nothing like it")
    with pytest.raises(DeviceError, match="nothing like it"):
        clconv.load(fixed(4).SerializeToString())
