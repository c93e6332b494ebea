"""Networks that were loaded before: they start from the disk, with the same results, and only where nothing has changed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvWarning, ModelError
from clconv.frontend.layers import Conv2d, Dense, Flatten, MaxPool2d, Relu, Sequential
from clconv.planning.planner import Planner
from clconv.runtime.stored_plan import StoredPlan
from clconv.session import kept_plans
from clconv.session.session import Session
from clconv.store import contents
from clconv.store.trust import make_private

LAYERS = Sequential(Conv2d(9, 3), Relu(), MaxPool2d(2), Conv2d(8, 3), Relu())
X = np.random.default_rng(0).standard_normal((1, 3, 16, 16), np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path / "cache"
    make_private(folder)
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    clconv.save(LAYERS.build((3, 16, 16)), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by each plan that is made."""
    found: list[Any] = []
    plan = Planner.plan

    def noted(self: Planner, *arguments: Any, **options: Any) -> Any:
        found.append(arguments)
        return plan(self, *arguments, **options)

    monkeypatch.setattr(Planner, "plan", noted)
    return found


def networks(cache: Path) -> list[Path]:
    return list((cache / "networks").glob("*.clconv"))


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return list(found) == list(expected) and all(
        np.array_equal(found[name], expected[name]) for name in expected
    )


def test_a_second_load_plans_nothing_and_gives_the_same(
    device: DeviceInfo, model: Path, planned: list[Any]
) -> None:
    first = clconv.load(model, device)
    expected, before = first.run(X), len(planned)
    assert before
    second = clconv.load(str(model), device)
    assert same(second.run(X), expected) and len(planned) == before
    assert second.inputs == first.inputs and second.outputs == first.outputs
    assert repr(second) == repr(first) and second.device == first.device
    assert same(second.run({"input": X}, outputs=list(expected)), expected)


def test_a_warm_load_imports_no_operators_and_no_onnx(device: DeviceInfo, model: Path) -> None:
    code = (
        "import sys, numpy as np, clconv\n"
        f"x = np.ones({X.shape}, np.float32)\n"
        f"session = clconv.load({str(model)!r}, {device.index})\n"
        "print(float(np.sum(session(x))))\n"
        "heavy = ['onnx', 'mako', 'rich', 'typer', 'google.protobuf', 'clconv.graph.ops', 'clconv.graph.passes',"
        " 'clconv.lowering.lower', 'clconv.frontend', 'clconv.probes', 'subprocess']\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    cold, warm = (run.stdout.splitlines() for run in runs)
    assert cold[0] == warm[0]
    assert "onnx" in cold[1] and warm[1] == "[]", runs[1].stderr


def test_importing_clconv_loads_next_to_nothing() -> None:
    code = (
        "import sys, clconv; print([n for n in ('numpy', 'pyopencl', 'onnx') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_all_else_is_there_when_it_is_asked_for(device: DeviceInfo, model: Path) -> None:
    cold = clconv.load(model, device)
    warm = clconv.load(model, device)
    assert isinstance(
        warm._stage.ready(warm.specs_of({"input": X.shape}), {}, stored=True).bound.plan, StoredPlan
    )
    assert not isinstance(warm.prepare({"input": X.shape}).plan, StoredPlan)
    assert str(warm.graph) == str(cold.graph) and str(warm.imported) == str(cold.imported)
    name = next(n.outputs[0] for n in warm.imported.nodes if n.op == "Conv")
    assert same(warm.activations(X, name), cold.activations(X, name))
    errors: list[float] = []
    warm.check(X, lambda node, output, error, variant: errors.append(error))
    assert errors and max(errors) < 1e-3
    assert same(warm.run(X), cold.run(X))


def test_copies_and_closed_sessions_are_as_ever(device: DeviceInfo, model: Path) -> None:
    import copy

    expected = clconv.load(model, device).run(X)
    warm = clconv.load(model, device)
    assert same(copy.copy(warm).run(X), expected)
    warm.close()
    with pytest.raises(clconv.ClconvError, match="closed"):
        warm.run(X)
    assert "closed" in repr(warm)


def test_open_sizes_are_kept_one_after_the_other(
    device: DeviceInfo, tmp_path: Path, planned: list[Any]
) -> None:
    clconv.save(LAYERS.build((3, 16, 16), batch=None), tmp_path / "open.onnx")
    batches = [np.repeat(X, n, axis=0) for n in (1, 3, 2)]
    cold = clconv.load(tmp_path / "open.onnx", device)
    expected = [cold.run(x) for x in batches[:2]]
    before = len(planned)
    warm = clconv.load(tmp_path / "open.onnx", device)
    assert [same(warm.run(x), e) for x, e in zip(batches, expected, strict=False)] == [True, True]
    assert len(planned) == before
    third = warm.run(batches[2])
    assert (
        len(planned) > before
    )  # those before are planned again, so that a new size takes their kernels
    before = len(planned)
    again = clconv.load(tmp_path / "open.onnx", device)
    assert same(again.run(batches[2]), third) and len(planned) == before
    assert [spec.shape[0] for spec in again.inputs.values()] != [1]


def test_a_batch_that_is_split_is_kept_so(
    device: DeviceInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planned: list[Any]
) -> None:
    clconv.save(LAYERS.build((3, 16, 16), batch=4), tmp_path / "four.onnx")
    x = np.random.default_rng(1).standard_normal((4, 3, 16, 16), np.float32)
    monkeypatch.setenv("CLCONV_IMAGES", "3")
    expected = clconv.load(tmp_path / "four.onnx", device).run(x)
    before = len(planned)
    assert same(clconv.load(tmp_path / "four.onnx", device).run(x), expected)
    assert len(planned) == before


def _other_weights(model: Path) -> None:
    """Of the same size, and of the same age as far as a program may set it."""
    status = model.stat()
    content = onnx.load(model)
    tensor = max(content.graph.initializer, key=lambda t: len(t.raw_data))
    tensor.raw_data = np.frombuffer(tensor.raw_data, np.float32)[::-1].tobytes()
    onnx.save(content, model)
    os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert model.stat().st_size == status.st_size


def _tuned(model: Path) -> None:
    cache = Path(os.environ["CLCONV_CACHE_DIR"])
    (cache / "tuned.json").write_text('{"format": 1, "records": []}')
    (cache / "tuned.json").chmod(0o600)


CHANGES: dict[str, Callable[[Path, pytest.MonkeyPatch], Any]] = {
    "weights": lambda model, patch: _other_weights(model),
    "tuned": lambda model, patch: _tuned(model),
    "variant": lambda model, patch: patch.setenv("CLCONV_VARIANT", "conv:simple"),
    "precision": lambda model, patch: patch.setenv("CLCONV_PRECISION", "strict"),
    "joining": lambda model, patch: patch.setenv("CLCONV_ONE_LAUNCH", "0"),
    "code": lambda model, patch: patch.setattr(kept_plans, "code_of_clconv", lambda: "other"),
    "runtime": lambda model, patch: patch.setenv("POCL_SOMETHING", "1"),
    "packages": lambda model, patch: patch.setattr(kept_plans, "library_version", lambda: (0,)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_plan_follows_from_makes_another(
    device: DeviceInfo,
    model: Path,
    cache: Path,
    planned: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    clconv.load(model, device)
    before = len(planned)
    CHANGES[change](model, monkeypatch)
    found = clconv.load(model, device).run(X)
    assert len(planned) > before and len(networks(cache)) == 2
    monkeypatch.setenv("CLCONV_CACHE_SIZE", "0")
    assert same(found, clconv.load(model, device).run(X))


@pytest.mark.parametrize(
    "field, value",
    [("driver", "1.2.3"), ("compute_units", 7), ("vector_width", 4), ("version", "another")],
)
def test_another_device_has_plans_of_its_own(
    device: DeviceInfo, model: Path, field: str, value: Any
) -> None:
    import dataclasses

    options = clconv.load(model, device).options
    other = dataclasses.replace(device, **{field: value})
    make = lambda: LAYERS.build((3, 16, 16))  # noqa: E731
    known = kept_plans.cached_plans(model, device, options, None, make, [])
    unknown = kept_plans.cached_plans(model, other, options, None, make, [])
    outputs = kept_plans.cached_plans(model, device, options, ["x"], make, [])
    assert known and known.network and unknown and not unknown.network
    assert outputs and not outputs.network


def test_data_beside_the_model_belong_to_it(
    device: DeviceInfo,
    model: Path,
    cache: Path,
    planned: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beside = model.with_name("beside.onnx")
    onnx.save(
        onnx.load(model), beside, save_as_external_data=True, location="w.data", size_threshold=0
    )
    expected = clconv.load(beside, device).run(X)
    assert not networks(cache)  # it is so new that it may have changed since
    with monkeypatch.context() as patched:
        patched.setattr(contents, "_SETTLED", -60.0)
        clconv.load(beside, device)
    assert networks(cache)
    before = len(planned)
    assert same(clconv.load(beside, device).run(X), expected) and len(planned) == before
    data = beside.with_name("w.data")
    data.write_bytes(bytes(len(data.read_bytes())))
    zero = clconv.load(beside, device).run(X)
    assert len(planned) > before and not same(zero, expected)
    data.unlink()
    with pytest.raises(ModelError):
        clconv.load(beside, device)


def test_a_model_that_changed_since_is_not_taken_for_the_one_that_was_loaded(
    device: DeviceInfo, model: Path
) -> None:
    expected = clconv.load(model, device).run(X)
    warm = clconv.load(model, device)
    _other_weights(model)
    assert same(warm.run(X), expected)
    with pytest.raises(ModelError, match="changed since it was loaded"):
        warm.activations(X, "relu")


def test_a_model_that_changes_while_it_is_loaded_is_not_kept(
    device: DeviceInfo, model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = Session.__init__

    def changing(self: Session, *arguments: Any, **options: Any) -> None:
        _other_weights(model)
        init(self, *arguments, **options)

    monkeypatch.setattr(Session, "__init__", changing)
    clconv.load(model, device)
    assert not networks(cache)


def test_damaged_files_are_made_anew(device: DeviceInfo, model: Path, cache: Path) -> None:
    """Cut off at, and changed at, places all over the file."""
    expected = clconv.load(model, device).run(X)
    (kept,) = networks(cache)
    whole, chance = kept.read_bytes(), random.Random(3)
    for i in range(24):
        place = chance.randrange(len(whole)) if i > 4 else i * 3
        content = bytearray(whole)
        content[place] ^= 1 << chance.randrange(8)
        kept.write_bytes(whole[:place] if i % 2 else content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClconvWarning)
            assert same(clconv.load(model, device).run(X), expected), (i, place)
        assert kept.read_bytes() == whole or len(kept.read_bytes()) == len(whole), i


def test_damage_is_told(device: DeviceInfo, model: Path, cache: Path) -> None:
    clconv.load(model, device)
    (kept,) = networks(cache)
    kept.write_bytes(kept.read_bytes()[:-5])
    with pytest.warns(ClconvWarning, match="is cut off; it is not used, and made anew"):
        clconv.load(model, device)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners and modes are POSIX's")
def test_what_others_may_write_is_not_used(
    device: DeviceInfo, model: Path, cache: Path, planned: list[Any]
) -> None:
    clconv.load(model, device)
    (kept,) = networks(cache)
    kept.chmod(0o666)
    before = len(planned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClconvWarning)
        clconv.load(model, device)
    assert len(planned) > before
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_is_kept_has_a_limit(
    device: DeviceInfo, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_CACHE_SIZE", "0")
    for size in range(3):
        layers = Sequential(Flatten(), Dense(240 + size))
        clconv.save(layers.build((1, 30, 30)), tmp_path / f"{size}.onnx")  # 0.9 MB of weights
    clconv.load(tmp_path / "0.onnx", device)
    assert not networks(cache)
    monkeypatch.setenv("CLCONV_CACHE_SIZE", "2")
    for size in range(3):
        clconv.load(tmp_path / f"{size}.onnx", device)
        time.sleep(0.02)
    assert len(networks(cache)) == 2
    before = {path: path.stat().st_mtime_ns for path in networks(cache)}
    clconv.load(tmp_path / "1.onnx", device)  # the one used last is the one that stays
    (used,) = (path for path in before if path.stat().st_mtime_ns != before[path])
    clconv.load(tmp_path / "0.onnx", device)
    assert used in networks(cache)


def test_a_cache_that_cannot_be_written_is_no_error(
    device: DeviceInfo, model: Path, cache: Path
) -> None:
    (cache / "networks").write_text("no folder")
    expected = clconv.load(model, device).run(X)
    assert same(clconv.load(model, device).run(X), expected)


def test_what_looks_into_a_network_plans_it(
    device: DeviceInfo, model: Path, planned: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = clconv.load(model, device).run(X)
    before = len(planned)
    monkeypatch.setenv("CLCONV_CHECK", "1")
    found = clconv.load(model, device).run(X)
    assert len(planned) > before and all(
        np.allclose(found[n], expected[n], atol=1e-4) for n in found
    )
