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

from tests.predictor.support import doubler
from tests.serving.support import Client, json_request

FOUR = {"x": np.arange(4, dtype=np.float32)[None]}
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can catch")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_gracefully(model: Path, number: int) -> None:
    """A request at work gets its answer, one that comes later 503, and the exit code is 0."""
    with started(model, "--max-delay", "1500") as (process, port, _):
        answers: list[float] = []
        at_work = threading.Thread(
            target=lambda: answers.append(float(Client(port).infer("double", FOUR)["y"][0, 3]))
        )
        at_work.start()
        metrics = Client(port)
        while b"clconv_requests_waiting 1.0" not in metrics.tell("GET", "/metrics")[1]:
            time.sleep(0.01)
        process.send_signal(number)
        while Client(port).get("/v2/health/ready")[0] == 200:
            time.sleep(0.01)
        status, text = Client(port).refusal("double", json_request(FOUR))
        assert status == 503 and "stops" in text
        at_work.join(30)
        assert answers == [7]
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and out == "" and "all requests are answered" in err, err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can catch")
def test_a_grace_that_is_too_short(model: Path) -> None:
    with started(model, "--max-delay", "20000", "--grace", "0.2") as (process, port, _):
        answers: list[tuple[int, str]] = []
        at_work = threading.Thread(
            target=lambda: answers.append(Client(port).refusal("double", json_request(FOUR)))
        )
        at_work.start()
        metrics = Client(port)
        while b"clconv_requests_waiting 1.0" not in metrics.tell("GET", "/metrics")[1]:
            time.sleep(0.01)
        process.terminate()
        at_work.join(30)
        assert answers and answers[0][0] == 503 and "no time" in answers[0][1]
        _, err = process.communicate(timeout=30)
        assert process.returncode == 1 and "--grace" in err and "Traceback" not in err


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
