"""The stand-in does what onnxruntime does, on the same models and the same mistakes."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as original
import pytest

import clconv.compat.onnxruntime as stand_in
from clconv import errors
from tests.compat.models import classifier, two_inputs, unsupported
from tests.frontend.support import model, node, random, value

BYTES = classifier().SerializeToString()
CPU = ["CPUExecutionProvider"]


@pytest.fixture(scope="module")
def sessions() -> tuple[Any, Any]:
    return stand_in.InferenceSession(BYTES), original.InferenceSession(BYTES, providers=CPU)


def test_it_has_the_same_surface(sessions: tuple[Any, Any]) -> None:
    ours, theirs = sessions
    for part in ("get_inputs", "get_outputs"):
        found = [(a.name, a.type, a.shape) for a in getattr(ours, part)()]
        assert found == [(a.name, a.type, a.shape) for a in getattr(theirs, part)()]
    for name in (
        "producer_name",
        "graph_name",
        "domain",
        "description",
        "version",
        "custom_metadata_map",
    ):
        assert getattr(ours.get_modelmeta(), name) == getattr(theirs.get_modelmeta(), name), name
    assert ours.get_modelmeta().custom_metadata_map["character"].splitlines() == ["a", "b", "c"]
    assert "CPUExecutionProvider" in ours.get_providers()
    assert ours.get_overridable_initializers() == theirs.get_overridable_initializers()


def test_outputs_that_the_file_does_not_describe() -> None:
    built = model([node("Transpose", ["x"], ["y"], "turn")], [value("x", 2, 5)], ["y"], opset=17)
    data = built.SerializeToString()
    theirs = original.InferenceSession(data, providers=CPU).get_outputs()
    found = stand_in.InferenceSession(data).get_outputs()
    assert [(a.name, a.type, a.shape) for a in found] == [(a.name, a.type, a.shape) for a in theirs]


@pytest.mark.parametrize("names", [None, [], ["scores"], ["scores", "scores"]])
@pytest.mark.parametrize("batch", [1, 3])
def test_run_returns_the_same_list(
    sessions: tuple[Any, Any], names: list[str] | None, batch: int
) -> None:
    ours, theirs = sessions
    feeds = {"image": random(batch, 3, 8, 8)}
    found, expected = ours.run(names, feeds), theirs.run(names, feeds)
    assert isinstance(found, list) and len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_odd_but_legal_feeds(sessions: tuple[Any, Any]) -> None:
    ours, theirs = sessions
    image = random(2, 3, 8, 8)
    expected = theirs.run(None, {"image": image})[0]
    shuffled = np.asfortranarray(image)
    strided = np.repeat(image, 2, axis=3)[..., ::2]
    assert not shuffled.flags.c_contiguous and not strided.flags.c_contiguous
    for image_like in (
        shuffled,
        strided,
        image.tolist(),
        stand_in.OrtValue.ortvalue_from_numpy(image),
    ):
        np.testing.assert_allclose(
            ours.run(None, {"image": image_like})[0], expected, rtol=1e-4, atol=1e-5
        )


MISTAKES = {
    "missing": ({}, None),
    "other name": ({"picture": random(1, 3, 8, 8)}, None),
    "one too many": ({"image": random(1, 3, 8, 8), "more": random(1)}, None),
    "other type": ({"image": random(1, 3, 8, 8).astype(np.float64)}, None),
    "other rank": ({"image": random(3, 8, 8)}, None),
    "other size": ({"image": random(1, 3, 8, 9)}, None),
    "other output": ({"image": random(1, 3, 8, 8)}, ["nothing"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_raise_what_packages_catch(sessions: tuple[Any, Any], mistake: str) -> None:
    """ValueError for names as onnxruntime does, and its InvalidArgument in every case."""
    ours, theirs = sessions
    feeds, names = MISTAKES[mistake]
    with pytest.raises(Exception):  # noqa: B017 - only that it refuses, too
        theirs.run(names, feeds)
    with pytest.raises(stand_in.capi.onnxruntime_pybind11_state.InvalidArgument) as caught:
        ours.run(names, feeds)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, errors.InputError)


def test_loading_mistakes(tmp_path: Path) -> None:
    state = stand_in.capi.onnxruntime_pybind11_state
    with pytest.raises(state.NoSuchFile, match=r"missing\.onnx"):
        stand_in.InferenceSession(str(tmp_path / "missing.onnx"))
    with pytest.raises(state.InvalidProtobuf, match="folder"):
        stand_in.InferenceSession(tmp_path)
    with pytest.raises(state.InvalidProtobuf):
        stand_in.InferenceSession(b"no model")
    with pytest.raises(TypeError, match="int"):
        stand_in.InferenceSession(5)  # type: ignore[arg-type]
    with pytest.raises(state.NotImplemented, match=r"(?s)Conjure.*Enchant"):
        stand_in.InferenceSession(unsupported().SerializeToString())
    with pytest.raises(state.Fail):
        stand_in.InferenceSession(b"no model")


def test_options_are_kept_and_have_onnxruntimes_defaults() -> None:
    def plain(options: Any) -> dict[str, Any]:
        names = [n for n in dir(options) if not n.startswith("_")]
        values = {n: getattr(options, n) for n in names}
        return {n: v for n, v in values.items() if isinstance(v, bool | int | str)}

    for kind in ("SessionOptions", "RunOptions"):
        expected, found = plain(getattr(original, kind)()), plain(getattr(stand_in, kind)())
        shared = expected.keys() & found.keys()
        assert len(shared) >= 5
        assert {n: found[n] for n in shared} == {n: expected[n] for n in shared}
    for kind in ("GraphOptimizationLevel", "ExecutionMode"):
        for name, member in getattr(original, kind).__members__.items():
            assert int(getattr(stand_in, kind)[name]) == int(member)
    options = stand_in.SessionOptions()
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.key", "1")
    session = stand_in.InferenceSession(BYTES, options, ["CUDAExecutionProvider"], unknown=1)
    assert session.get_session_options().get_session_config_entry("session.key") == "1"
    with pytest.raises(errors.ConfigError, match=r"other\.key"):
        options.get_session_config_entry("other.key")
    with pytest.raises(errors.UnsupportedError):
        options.register_custom_ops_library("operators.so")


def test_the_providers_option_chooses_the_device() -> None:
    provider = "OpenCLExecutionProvider"
    with pytest.raises(errors.DeviceError, match="no such thing"):
        stand_in.InferenceSession(BYTES, providers=[(provider, {"device": "no such thing"})])
    with pytest.raises(errors.DeviceError, match="no such thing"):
        stand_in.InferenceSession(
            BYTES, providers=[provider], provider_options=[{"device": "no such thing"}]
        )
    session = stand_in.InferenceSession(BYTES, providers=[(provider, {"device": 0}), *CPU])
    assert session.session.device.index == 0
    assert session.get_provider_options()[provider] == {"device": "0"}


def test_binding_runs_into_the_values_that_are_bound() -> None:
    session = stand_in.InferenceSession(two_inputs().SerializeToString())
    a, b = random(2, 3, seed=5), random(2, 3, seed=6)
    binding = session.io_binding()
    binding.bind_cpu_input("a", a)
    binding.bind_ortvalue_input("b", stand_in.OrtValue.ortvalue_from_numpy(b))
    target = stand_in.OrtValue.ortvalue_from_shape_and_type([2, 3], np.float32)
    binding.bind_output("file")
    binding.bind_ortvalue_output("sum", target)
    session.run_with_iobinding(binding)
    np.testing.assert_allclose(binding.copy_outputs_to_cpu()[0], a * b, rtol=1e-5)
    np.testing.assert_allclose(target.numpy(), a + b, rtol=1e-5)
    assert target.data_type() == "tensor(float)" and target.shape() == [2, 3]
    with pytest.raises(errors.InputError, match="addresses"):
        binding.bind_input("a", "cuda", 0, np.float32, [2, 3], 12345)


@pytest.fixture
def in_its_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [n for n in sys.modules if n == "onnxruntime" or n.startswith("onnxruntime.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in)
    yield
    for name in [n for n in sys.modules if n.startswith("onnxruntime.")]:
        del sys.modules[name]


@pytest.mark.usefixtures("in_its_place")
def test_imports_reach_the_stand_in() -> None:
    assert importlib.import_module("onnxruntime") is stand_in
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    assert state.InvalidArgument is errors.InputError
    major, minor, *_ = (int(part) for part in stand_in.__version__.split("."))
    assert (major, minor) >= (1, 17)
    classes = importlib.import_module("onnxruntime.capi.onnxruntime_inference_collection")
    assert (
        classes.InferenceSession is stand_in.InferenceSession
        and classes.OrtValue is stand_in.OrtValue
    )
    assert isinstance(stand_in.InferenceSession(BYTES), classes.Session)
    assert stand_in.get_available_providers() and stand_in.get_device() in ("CPU", "GPU")


@pytest.mark.usefixtures("in_its_place")
@pytest.mark.parametrize("kind", ["path", "bytes", "model"])
def test_the_backend_takes_what_onnxruntimes_does(kind: str, tmp_path: Path) -> None:
    backend = importlib.import_module("onnxruntime.backend")
    (tmp_path / "model.onnx").write_bytes(BYTES)
    made = {"path": str(tmp_path / "model.onnx"), "bytes": BYTES, "model": classifier()}
    image = random(2, 3, 8, 8)
    expected = original.InferenceSession(BYTES, providers=CPU).run(None, {"image": image})[0]
    np.testing.assert_allclose(
        backend.prepare(made[kind], "CPU").run(image)[0], expected, rtol=1e-4, atol=1e-5
    )


def test_names_of_sizes_are_told_by_what_overrides_them() -> None:
    for package in (stand_in, original):
        options = package.SessionOptions()
        options.add_free_dimension_override_by_name("N", 2)
        session = package.InferenceSession(BYTES, options, providers=CPU)
        assert [a.shape for a in session.get_inputs()] == [[2, 3, 8, 8]]
        assert [a.shape for a in session.get_outputs()] == [[2, 10]]
        # Packages read these, too.
        assert [a.shape for a in session._inputs_meta] == [[2, 3, 8, 8]]
        assert [a.name for a in session._outputs_meta] == ["scores"]
        assert session.run(None, {"image": random(2, 3, 8, 8)})[0].shape == (2, 10)


def test_the_model_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    """Programs load it from there afterwards."""
    image = random(1, 3, 8, 8)
    for package in (stand_in, original):
        options = package.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / f"{package.__name__}.onnx")
        expected = package.InferenceSession(BYTES, options, providers=CPU).run(
            None, {"image": image}
        )
        again = original.InferenceSession(options.optimized_model_filepath, providers=CPU)
        np.testing.assert_allclose(
            again.run(None, {"image": image})[0], expected[0], rtol=1e-4, atol=1e-5
        )


def test_profiling_ends_with_a_file_if_it_was_asked_for(tmp_path: Path) -> None:
    for package in (stand_in, original):
        options = package.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(tmp_path / package.__name__)
        session = package.InferenceSession(BYTES, options, providers=CPU)
        feeds = {
            a.name: np.zeros([d if isinstance(d, int) else 1 for d in a.shape], np.float32)
            for a in session.get_inputs()
        }
        for _ in range(2):
            session.run(None, feeds)
        begin = session.get_profiling_start_time_ns()
        assert abs(begin - time.time_ns()) < 600e9
        name = session.end_profiling()
        events = json.loads(Path(name).read_text(encoding="utf-8"))
        assert sum(e["name"] == "model_run" for e in events) == 2
        assert all(
            {"ts", "dur", "ph", "cat", "pid", "tid"} <= e.keys()
            for e in events
            if e["name"] == "model_run"
        )
        assert session.end_profiling() == ""
        session.run(None, feeds)
        plain = package.InferenceSession(BYTES, providers=CPU)
        assert (plain.end_profiling(), plain.get_profiling_start_time_ns()) == ("", 0)
