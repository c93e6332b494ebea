"""`clconv serve` as a process: how it starts, what it says, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

pytest.importorskip("fastapi", reason="pip install 'clconv[serve]'")
pytest.importorskip("uvicorn", reason="pip install 'clconv[serve]'")
pytest.importorskip("prometheus_client", reason="pip install 'clconv[serve]'")

from tests.compat.models import fixed
from tests.predictor.support import doubler
from tests.serving.support import Client, json_request

FOUR = {"x": np.arange(4, dtype=np.float32)[None]}
no_signals = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no SIGTERM that a process can catch"
)
COMMAND = [sys.executable, "-m", "clconv", "serve"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "double.onnx"
    onnx.save(doubler(), str(path))
    return path


@contextlib.contextmanager
def started(
    *arguments: Any, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """The process, its port, and what it said until it served."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments), "--port", "0"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        lines: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if found := re.match(r"serving on http://[\d.]+:(\d+);", line):
                yield process, int(found[1]), lines
                return
        pytest.fail("".join(lines))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose batch is fixed at 1, so that a request of many rows takes a while."""
    path = tmp_path_factory.mktemp("models") / "slow.onnx"
    onnx.save(fixed(1), str(path))
    return path


class Asking:
    """A request of many rows, from a thread of its own."""

    def __init__(self, port: int, count: int) -> None:
        self.result: dict[str, np.ndarray] | BaseException | None = None
        self._port, self._count = port, count
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            x = np.ones((self._count, 3, 8, 8), np.float32)
            self.result = Client(self._port).infer("slow", {"x": x})
        except BaseException as reason:
            self.result = reason

    def ended(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


def wait_for(port: int, line: bytes) -> None:
    """Until a line stands in the metrics."""
    client, end = Client(port), time.monotonic() + 30
    while line not in client.tell("GET", "/metrics")[1].splitlines():
        assert time.monotonic() < end
        time.sleep(0.005)


@no_signals
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_stops_it_gracefully(slow: Path, number: int) -> None:
    """A request at work gets its answer, one that comes later 503, and the exit code is 0."""
    with started(slow) as (process, port, _):
        at_work = Asking(port, 5000)
        wait_for(port, b"clconv_requests_at_work 1.0")
        process.send_signal(number)
        while Client(port).get("/v2/health/ready")[0] == 200:
            time.sleep(0.01)
        status, text = Client(port).refusal("slow", json_request(FOUR))
        assert status == 503 and "stops" in text
        at_work.join()
        assert isinstance(at_work.result, dict), at_work.result
        y = at_work.result["y"]
        assert y.shape == (5000, 2, 8, 8) and (y == y[:1]).all()
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and out == "" and "all requests are answered" in err, err


@pytest.mark.slow
@no_signals
def test_a_grace_that_is_too_short(slow: Path) -> None:
    with started(slow, "--grace", "0.1") as (process, port, _):
        at_work = Asking(port, 40_000)
        wait_for(port, b"clconv_requests_at_work 1.0")
        waits = Asking(port, 1)
        while waits.ended(0.3):  # it came before all of the other's body
            waits = Asking(port, 1)
        process.terminate()
        for one in (waits, at_work):
            one.join()
            assert "no time" in str(one.result)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1 and "2 requests had no time" in err, err


@pytest.mark.slow
def test_names_the_token_and_the_warning(model: Path) -> None:
    with started(f"other={model}", model, "--host", "0.0.0.0") as (_, port, lines):
        assert any("warning: everybody who reaches" in line for line in lines)
        assert (
            Client(port).get("/v2/models/other")[0]
            == Client(port).get("/v2/models/double")[0]
            == 200
        )
    with started(model, "--host", "0.0.0.0", CLCONV_SERVE_TOKEN="sesame") as (_, port, lines):
        assert not any("warning" in line for line in lines)
        assert Client(port).get("/v2")[0] == 401
        assert Client(port, "sesame").get("/v2")[0] == 200


def test_a_port_that_is_taken(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, str(model), "--port", str(port)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(rf"clconv: error: 127.0.0.1:{port}: .*--port.*\n", done.stderr), done.stderr


def test_without_its_packages(model: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None; from clconv.cli.app import app; "
        f"app(['serve', {json.dumps(str(model))}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1 and "pip install 'clconv[serve]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_starts_without_the_web() -> None:
    code = (
        "import sys, clconv.cli.app; "
        "loaded = {'fastapi', 'uvicorn', 'starlette', 'prometheus_client'} & set(sys.modules); "
        "sys.exit(str(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
