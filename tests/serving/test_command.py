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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

pytest.importorskip("fastapi", reason="pip install 'clconv[serve]'")
pytest.importorskip("uvicorn", reason="pip install 'clconv[serve]'")
pytest.importorskip("prometheus_client", reason="pip install 'clconv[serve]'")

from tests.patience import HANG, until
from tests.predictor.support import doubler
from tests.serving.support import Client, json_request

FOUR = {"x": np.arange(4, dtype=np.float32)[None]}
no_signals = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no SIGTERM that a process can catch"
)
COMMAND = [sys.executable, "-m", "clconv", "serve"]
# The same, whose device answers nothing until a file is there.
_HELD = """
import sys, time
from pathlib import Path
from clconv.cli import main
from clconv.serving.batcher import Batcher

go, answer = Path(sys.argv.pop(1)), Batcher._answer

def held(self, *what):
    while not go.exists():
        time.sleep(0.005)
    answer(self, *what)

Batcher._answer = held
main()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "double.onnx"
    onnx.save(doubler(), str(path))
    return path


@contextlib.contextmanager
def started(
    *arguments: Any, command: Sequence[Any] = COMMAND, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """The process, its port, and what it said until it served."""
    process = subprocess.Popen(
        [*map(str, (*command, *arguments)), "--port", "0"],
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


def held(go: Path) -> list[Any]:
    return [sys.executable, "-c", _HELD, go, "serve"]


class Asking:
    """A request, from a thread of its own."""

    def __init__(self, port: int) -> None:
        self.result: dict[str, np.ndarray] | BaseException | None = None
        self._port = port
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self.result = Client(self._port).infer("double", FOUR)
        except BaseException as reason:
            self.result = reason

    def join(self) -> None:
        self._thread.join(HANG)
        assert not self._thread.is_alive()


def wait_for(port: int, line: bytes) -> None:
    """Until a line stands in the metrics."""
    client = Client(port)
    until(lambda: line in client.tell("GET", "/metrics")[1].splitlines())


@no_signals
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_stops_it_gracefully(model: Path, tmp_path: Path, number: int) -> None:
    """A request at work gets its answer, one that comes later 503, and the exit code is 0."""
    go = tmp_path / "go"
    with started(model, "--grace", HANG, command=held(go)) as (process, port, _):
        at_work = Asking(port)
        wait_for(port, b"clconv_requests_at_work 1.0")
        process.send_signal(number)
        until(lambda: Client(port).get("/v2/health/ready")[0] == 503)
        status, text = Client(port).refusal("double", json_request(FOUR))
        assert status == 503 and "stops" in text
        go.touch()
        at_work.join()
        assert isinstance(at_work.result, dict), at_work.result
        assert at_work.result["y"].tolist() == [[1, 3, 5, 7]]
        out, err = process.communicate(timeout=HANG)
        assert process.returncode == 0 and out == "" and "all requests are answered" in err, err


@pytest.mark.slow
@no_signals
def test_a_grace_that_is_too_short(model: Path, tmp_path: Path) -> None:
    with started(model, "--grace", "0.1", command=held(tmp_path / "never")) as (process, port, _):
        at_work = Asking(port)
        wait_for(port, b"clconv_requests_at_work 1.0")
        waits = Asking(port)
        wait_for(port, b"clconv_requests_at_work 2.0")
        process.terminate()
        for one in (waits, at_work):
            one.join()
            assert "no time" in str(one.result)
        _, err = process.communicate(timeout=HANG)
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
            capture_output=True, text=True, timeout=HANG, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(rf"clconv: error: 127.0.0.1:{port}: .*--port.*\n", done.stderr), done.stderr


def test_without_its_packages(model: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None; from clconv.cli.app import app; "
        f"app(['serve', {json.dumps(str(model))}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=False
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
