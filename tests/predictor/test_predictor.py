"""Predictor: called, pickled, in pools of processes, in Dask."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from clconv import Predictor, predictor
from clconv.errors import ConfigError, InputError, ModelError
from tests.compat.models import classifier
from tests.predictor.support import doubler, rows, with_rows


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("predictor") / "doubler.onnx"
    onnx.save(doubler(), str(found))
    return found


def test_it_is_called_with_arrays_or_columns(path: Path) -> None:
    predict = Predictor(path)
    x = rows(np.arange(20))
    np.testing.assert_array_equal(predict(x)["y"], 2 * x + 1)
    found = predict({"x": x, "file": np.array(["a"] * 20)})
    assert set(found) == {"file", "y"}
    objects = np.empty(20, object)
    objects[:] = list(x)
    found = Predictor(path, inputs={"x": "pixels"}, batch=7)({"pixels": objects})
    np.testing.assert_array_equal(found["y"], 2 * x + 1)
    found = Predictor(path, before=with_rows)({"id": np.arange(3)})
    np.testing.assert_array_equal(found["y"][:, 0], [1, 3, 5])


def test_a_copy_has_no_device_and_shares_its_session(path: Path) -> None:
    predict = Predictor(path, device="no such device")
    copy = pickle.loads(pickle.dumps(predict))  # nothing is opened by that
    assert "no such device" in repr(copy)
    predict = Predictor(doubler().SerializeToString())
    copy = pickle.loads(pickle.dumps(predict))
    assert copy.session is predict.session
    assert Predictor(path).session is not predict.session
    for _ in range(6):
        _ = Predictor(path).session
    assert len(predictor._sessions) <= predictor._KEPT


def test_a_relative_path_holds_in_any_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    predict = Predictor(path.name)
    monkeypatch.chdir(tmp_path)
    assert len(predict(rows(np.arange(2)))["y"]) == 2


def test_what_is_refused(path: Path) -> None:
    predict = Predictor(path)
    with pytest.raises(InputError, match="no column 'x', only pixels; the model takes x"):
        predict({"pixels": rows(np.arange(2))})
    with pytest.raises(InputError, match="column 'y', which is an output"):
        predict({"x": rows(np.arange(2)), "y": np.arange(2)})
    uneven = np.empty(2, object)
    uneven[:] = [np.zeros(4, np.float32), np.zeros(3, np.float32)]
    with pytest.raises(InputError, match="different shapes"):
        predict({"x": uneven})
    with pytest.raises(ConfigError, match="list of names"):
        Predictor(path, outputs="y")
    with pytest.raises(ConfigError, match="before is a function"):
        Predictor(path, before=3)  # type: ignore[arg-type]
    with pytest.raises(ModelError):
        Predictor("nowhere.onnx")(rows(np.arange(2)))


def test_a_pool_of_processes(path: Path) -> None:
    predict = Predictor(path)
    _ = predict.session  # this process has opened a device: children must not inherit it
    batches = [rows(np.arange(i, i + 5)) for i in range(0, 40, 5)]
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as pool:
        found = list(pool.map(predict, batches))
    for batch, outputs in zip(batches, found, strict=True):
        np.testing.assert_array_equal(outputs["y"], 2 * batch + 1)


def test_dask(path: Path) -> None:
    dask = pytest.importorskip("dask.bag")
    batches = [rows(np.arange(i, i + 5)) for i in range(0, 20, 5)]
    bag = dask.from_sequence(batches, npartitions=2).map(Predictor(path))
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as pool:
        found = bag.compute(scheduler="processes", pool=pool)
    for batch, outputs in zip(batches, found, strict=True):
        np.testing.assert_array_equal(outputs["y"], 2 * batch + 1)


def test_the_example(tmp_path: Path) -> None:
    """A folder through two processes: a line for each picture, in order."""
    image = pytest.importorskip("PIL.Image")
    onnx.save(classifier(), str(tmp_path / "m.onnx"))
    for i in range(10):
        image.new("RGB", (12, 9), (25 * i, 0, 0)).save(tmp_path / f"{i}.png")
    example = Path(__file__).resolve().parents[2] / "examples" / "folder.py"
    done = subprocess.run(
        [sys.executable, str(example), str(tmp_path / "m.onnx"), str(tmp_path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(": class ")[0] for line in lines] == [
        str(tmp_path / f"{i}.png") for i in range(10)
    ]
