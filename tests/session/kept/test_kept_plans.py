"""Networks that were loaded before: they start from the disk, with the same results, and only where nothing has changed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceMemoryError, ModelError
from clconv.runtime.quarantine import write_quarantine
from clconv.runtime.stored.stored_plan import StoredPlan
from clconv.session import kept_plans, plan_facts
from clconv.session.session import Session
from clconv.store import contents
from tests.session.kept.conftest import LAYERS, X, networks, same


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
        "import sys, numpy as np, pyopencl, clconv\n"
        "before = set(sys.modules)\n"  # old versions of NumPy bring subprocess
        f"x = np.ones({X.shape}, np.float32)\n"
        f"session = clconv.load({str(model)!r}, {device.index})\n"
        "print(float(np.sum(session(x))))\n"
        "heavy = ['onnx', 'mako', 'rich', 'typer', 'google.protobuf', 'clconv.graph.ops', 'clconv.graph.passes',"
        " 'clconv.lowering.lower', 'clconv.frontend', 'clconv.probes', 'subprocess']\n"
        "print([name for name in heavy if name in sys.modules and name not in before])\n"
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
    "code": lambda model, patch: patch.setattr(plan_facts, "code_of_clconv", lambda: "other"),
    "runtime": lambda model, patch: patch.setenv("POCL_SOMETHING", "1"),
    "packages": lambda model, patch: patch.setattr(plan_facts, "library_version", lambda: (0,)),
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
    options = clconv.load(model, device).options
    other = dataclasses.replace(device, **{field: value})
    make = lambda: LAYERS.build((3, 16, 16))  # noqa: E731
    known = kept_plans.cached_plans(model, device, options, None, make, [])
    unknown = kept_plans.cached_plans(model, other, options, None, make, [])
    outputs = kept_plans.cached_plans(model, device, options, ["x"], make, [])
    assert known and known.network and unknown and not unknown.network
    assert outputs and not outputs.network


@pytest.mark.parametrize("share, others", [(1.01, False), (0.5, False), (0, True)])
def test_memory_is_asked_for_when_a_plan_is_used(
    device: DeviceInfo, model: Path, planned: list[Any], share: float, others: bool
) -> None:
    """A virtual machine may have another amount of it each time."""
    needed = sum(clconv.load(model, device).prepare({"input": X.shape}).plan.memory.arenas)
    before = len(planned)
    found = dataclasses.replace(
        device, global_memory=int(device.global_memory * share) or needed // 2,
        largest_allocation=int(device.largest_allocation * share) or needed // 2,
    )  # fmt: skip
    with contextlib.suppress(DeviceMemoryError):
        assert clconv.load(model, found).run(X)
    assert (len(planned) > before) == others


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


def test_what_is_warned_of_is_planned_each_time(
    device: DeviceInfo, model: Path, cache: Path
) -> None:
    """A variant that doctor found to be wrong: who loads a network again is told again."""
    clconv.load(model, device)
    assert len(networks(cache)) == 1
    write_quarantine(device, {("MaxPool", "simple"): "for this test"})
    clconv.load(model, device)
    assert len(networks(cache)) == 1


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
