"""Which requests run together, and that each gets what it would alone."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest

import clconv
from clconv.serving.model import Model
from clconv.serving.refused import Refused
from clconv.session.rows import rows_are_apart
from tests.compat.models import brightener, classifier, fixed, two_inputs
from tests.predictor.support import doubler
from tests.serving.support import centred, picker, rows, served

Feeds = dict[str, np.ndarray]


def run(model: Model, items: list[Feeds]) -> list[Any]:
    """All of them as one batch."""
    checked = [model.checked(item) for item in items]
    (kind,) = {kind for _, _, kind in checked}
    return model.run(model.sessions[0], [arrays for arrays, _, _ in checked], kind)


def runs_of(model: Model, items: list[Feeds]) -> tuple[list[Any], list[int]]:
    """The answers, and the rows of each run on the device."""
    session, sizes = model.sessions[0], []
    real = session.run

    def counted(feeds: Feeds) -> Feeds:
        sizes.append(len(next(iter(feeds.values()))))
        return real(feeds)

    with mock.patch.object(session, "run", counted):
        return run(model, items), sizes


def test_rows_of_an_open_batch_run_together() -> None:
    model = served("c", classifier())
    x = rows(6)
    items = [{"image": x[:1]}, {"image": x[1:4]}, {"image": x[4:]}]
    found, sizes = runs_of(model, items)
    assert sizes == [8]
    wanted = model.sessions[0].run({"image": x})["scores"]
    np.testing.assert_allclose(
        np.concatenate([one["scores"] for one in found]), wanted, rtol=1e-5, atol=1e-6
    )
    assert [len(one["scores"]) for one in found] == [1, 3, 2]


def test_more_rows_than_run_at_once() -> None:
    model = served("c", classifier(), most_rows=4)
    x = rows(11)
    ((found,), sizes) = runs_of(model, [{"image": x}])
    assert sizes == [4, 4, 3]
    wanted = model.sessions[0].run({"image": x})["scores"]
    np.testing.assert_allclose(found["scores"], wanted, rtol=1e-5, atol=1e-6)


def test_a_fixed_batch_is_filled_up() -> None:
    model = served("f", fixed(4))
    assert model.metadata()["inputs"][0]["shape"] == [-1, 3, 8, 8]
    assert model.metadata()["outputs"][0]["shape"] == [-1, 2, 8, 8]
    x = rows(4)
    found, sizes = runs_of(model, [{"x": x[:1]}, {"x": x[1:3]}])
    assert sizes == [4]
    wanted = model.sessions[0].run({"x": x})["y"]
    np.testing.assert_array_equal(np.concatenate([one["y"] for one in found]), wanted[:3])


def test_a_batch_of_one_takes_any_number_of_rows() -> None:
    model = served("f", fixed(1))
    x = rows(3)
    ((found,), sizes) = runs_of(model, [{"x": x}])
    assert sizes == [1, 1, 1] and found["y"].shape == (3, 2, 8, 8)
    for i in range(3):
        np.testing.assert_array_equal(
            found["y"][i], model.sessions[0].run({"x": x[i : i + 1]})["y"][0]
        )


def test_rows_that_affect_each_other_stay_apart() -> None:
    """The mean over a batch must be that of one request's rows."""
    model = served("m", centred())
    assert "one by one" in model.described()
    x = np.arange(24, dtype=np.float32).reshape(6, 4) ** 2
    found, sizes = runs_of(model, [{"x": x[:2]}, {"x": x[2:]}])
    assert sizes == [2, 4]
    for one, part in zip(found, (x[:2], x[2:]), strict=True):
        np.testing.assert_allclose(one["y"], part - part.mean(0), rtol=1e-5)


def test_rows_of_any_picture_size() -> None:
    """picture (1, 3, H, W): the batch is 1, heights and widths are open."""
    model = served("b", brightener())
    for size in (4, 7):
        x = np.random.default_rng(0).random((2, 3, size, size), np.float32)
        (found,) = run(model, [{"picture": x}])
        np.testing.assert_allclose(found["darker"], x / 2, rtol=1e-6)


def test_what_is_not_a_number_stays_in_its_row() -> None:
    """A mate full of NaN changes no other row: not by filling up, not by kernels that work on blocks of rows."""
    for proto, name, out in ((classifier(), "image", "scores"), (fixed(4), "x", "y")):
        model = served("c", proto, most_rows=4)
        x = rows(3)
        bad = np.full((1, 3, 8, 8), np.nan, np.float32)
        good = run(model, [{name: x[i : i + 1]} for i in (0, 1, 2)])
        mixed = run(model, [{name: x[:1]}, {name: bad}, {name: x[2:]}])
        assert np.isnan(mixed[1][out]).all()
        np.testing.assert_allclose(mixed[0][out], good[0][out], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mixed[2][out], good[2][out], rtol=1e-5, atol=1e-6)


def test_a_batch_that_fails_runs_one_by_one() -> None:
    model = served("d", doubler())
    session = model.sessions[0]
    real = session.run

    def fails_on_13(feeds: Feeds) -> Feeds:
        if 13 in feeds["x"]:
            raise clconv.ClconvError("an unlucky number")
        return real(feeds)

    items = [{"x": np.full((1, 4), n, np.float32)} for n in (1, 13, 2)]
    with mock.patch.object(session, "run", fails_on_13):
        found = run(model, items)
    assert [float(found[i]["y"][0, 0]) for i in (0, 2)] == [3, 5]
    assert isinstance(found[1], clconv.ClconvError)


def test_indices_of_one_request_are_its_own() -> None:
    model = served("p", picker())
    table = np.arange(10, dtype=np.float32).reshape(2, 5)
    items = [{"table": table[i : i + 1], "at": np.array([[i + 1]])} for i in range(2)]
    assert [float(one["picked"][0, 0]) for one in run(model, items)] == [1, 7]


@pytest.mark.parametrize(
    "feeds, said",
    [
        ({"table": np.zeros((2, 5), np.float32), "at": np.zeros((3, 1), np.int64)}, "different numbers of rows"),
        ({"table": np.zeros((0, 5), np.float32), "at": np.zeros((0, 1), np.int64)}, "no rows"),
        ({"table": np.zeros((1, 6), np.float32), "at": np.zeros((1, 1), np.int64)}, "5"),
        ({"table": np.zeros(5, np.float32), "at": np.zeros((1, 1), np.int64)}, "takes"),
    ],
)  # fmt: skip
def test_shapes_that_the_model_does_not_take(feeds: Feeds, said: str) -> None:
    with pytest.raises(Refused, match=said) as found:
        served("p", picker()).checked(feeds)
    assert found.value.status == 400


def test_two_inputs_of_a_fixed_batch() -> None:
    model = served("t", two_inputs())
    a, b = np.random.default_rng(0).random((2, 5, 3), np.float32)
    (found,) = run(model, [{"a": a, "b": b}])
    np.testing.assert_allclose(found["sum"], a + b, rtol=1e-6)
    np.testing.assert_allclose(found["file"], a * b, rtol=1e-6)


def test_rows_are_apart() -> None:
    def apart(proto: Any, **shapes: tuple[int, ...]) -> bool:
        return rows_are_apart(clconv.load(proto.SerializeToString()), shapes)

    assert apart(classifier(), image=(4, 3, 8, 8))
    assert apart(doubler(), x=(2, 4))
    assert not apart(centred(), x=(2, 4))
