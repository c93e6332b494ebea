"""What clconv logs."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import clconv
from clconv import debug
from clconv.compat import onnxruntime as stand_in
from tests.compat.models import brightener
from tests.frontend.support import model, node, value


def data_dependent() -> bytes:
    """How large y is depends on x's values: NonZero is left to the host."""
    built = model(
        [node("NonZero", ["x"], ["where"], "find"), node("Transpose", ["where"], ["y"], "turn")],
        [value("x", 2, 3)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT64, [None, 2])],
        opset=17,
    )
    return built.SerializeToString()


def test_the_device_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "clconv"):
        session = clconv.load(brightener().SerializeToString())
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    assert any(line.startswith("device ") and session.device.name in line for line in lines)


def test_long_compilations_are_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debug, "_LONG", 0.0)
    session = clconv.load(brightener().SerializeToString())
    with caplog.at_level(logging.INFO, "clconv"):
        session.run({"picture": np.zeros((1, 3, 5, 7), np.float32)})
    assert any(
        r.getMessage().startswith("compiling ") and " took " in r.getMessage()
        for r in caplog.records
    )
    monkeypatch.setattr(debug, "_LONG", 1e9)
    caplog.clear()
    with caplog.at_level(logging.INFO, "clconv"):
        session.run({"picture": np.zeros((1, 3, 6, 7), np.float32)})
    assert not any(" took " in r.getMessage() for r in caplog.records)


def test_what_runs_on_the_host_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    session = clconv.load(data_dependent())
    session.run({"x": np.eye(2, 3, dtype=np.float32)})
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.name == "clconv" and "on the host" in record.getMessage()
    assert "NonZero" in record.getMessage() and "'find'" in record.getMessage()


def test_it_is_silent_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data_dependent())
    code = "import sys, numpy, clconv; clconv.load(sys.argv[1]).run({'x': numpy.ones((2, 3), 'f')})"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert ended.stdout == ended.stderr == ""


@pytest.mark.parametrize(("severity", "said"), [(-1, True), (1, True), (2, True), (3, False)])
def test_the_stand_in_writes_as_onnxruntime_does(
    severity: int, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    options = stand_in.SessionOptions()
    options.log_severity_level = severity
    session = stand_in.InferenceSession(data_dependent(), options)
    session.run(None, {"x": np.eye(2, 3, dtype=np.float32)})
    lines = capsys.readouterr().err.splitlines()
    assert any("[W:clconv:" in line and "NonZero" in line for line in lines) == said
    assert any("[I:clconv:" in line and "device" in line for line in lines) == (severity == 1)


def test_severities_out_of_range() -> None:
    with pytest.raises(ValueError, match="0 \\(verbose\\) to 4"):
        stand_in.set_default_logger_severity(9)
