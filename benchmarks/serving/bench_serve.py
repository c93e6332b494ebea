"""What dynamic batching gains: `clconv serve` with and without it, at several numbers of clients.

    python -m benchmarks.serving.bench_serve --clients 1 4 16

Needs the extra `serve`. Each network is served by one process for each setting; all of them stay up, and take turns. The
clients are threads of one more process, each with a connection of its own, which send their next request when they have
the answer to the last: one row as bytes. So the clients' work is on the same cores as the server's. "CPU ms" is the
server's processor time for a request; rows a run are read from /metrics.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from benchmarks.nets import mobilenetv2, resnet18
from clconv.frontend.layers import Conv2d, Dense, Flatten, MaxPool2d, Relu, Sequential
from clconv.frontend.onnx import export_onnx

SETTINGS: dict[str, tuple[str, ...]] = {
    "one by one": ("--max-batch", "1"),
    "batches, no delay": ("--max-batch", "16", "--max-delay", "0"),
    "batches, 2 ms": ("--max-batch", "16", "--max-delay", "2"),
    "batches, 10 ms": ("--max-batch", "16", "--max-delay", "10"),
}


def digits() -> Sequential:
    """A small network for 28x28 pixels: two convolutions, two dense layers."""
    return Sequential(
        Conv2d(32, 3, padding=1), Relu(), MaxPool2d(2), Conv2d(64, 3, padding=1), Relu(), MaxPool2d(2),
        Flatten(), Dense(128), Relu(), Dense(10),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "digits": (digits, (1, 28, 28)),
    "mobilenetv2_96": (mobilenetv2, (3, 96, 96)),
    "resnet18": (resnet18, (3, 224, 224)),
}


@dataclasses.dataclass(frozen=True)
class Served:
    name: str
    port: int
    process: int


@dataclasses.dataclass
class Measured:
    """latencies: seconds of each request, of all rounds; rates: requests a second of each round; cpu: seconds of the
    server's threads; rows, runs: on the device."""

    latencies: list[float] = dataclasses.field(default_factory=list)
    rates: list[float] = dataclasses.field(default_factory=list)
    cpu: float = 0.0
    rows: float = 0.0
    runs: float = 0.0


def write_model(name: str, folder: Path) -> Path:
    """The network as an ONNX file with an open batch."""
    make, row = NETWORKS[name]
    path = folder / f"{name}.onnx"
    export_onnx(make().build(row), path)
    proto = onnx.load(str(path))
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(proto, str(path))
    return path


@contextlib.contextmanager
def server(model: Path, options: Sequence[str]) -> Iterator[Served]:
    command = [sys.executable, "-m", "clconv", "serve", str(model), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.match(r"serving on http://[\d.]+:(\d+);", line):
                yield Served(model.stem, int(found[1]), process.pid)
                break
        else:
            raise RuntimeError(f"{command} did not start")
    finally:
        process.terminate()
        process.communicate()


def request_bytes(served: Served) -> bytes:
    """One row of random numbers as a whole HTTP request."""
    with urlopen(f"http://127.0.0.1:{served.port}/v2/models/{served.name}") as answer:
        (spec,) = json.load(answer)["inputs"]
    x = np.random.default_rng(0).random((1, *spec["shape"][1:]), np.float32)
    tensor = {"name": spec["name"], "shape": x.shape, "datatype": "FP32"}
    tensor["parameters"] = {"binary_data_size": x.nbytes}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    lines = (
        f"POST /v2/models/{served.name}/infer HTTP/1.1", "Host: localhost",
        f"Inference-Header-Content-Length: {len(head)}", f"Content-Length: {len(head) + x.nbytes}",
    )  # fmt: skip
    return "\r\n".join((*lines, "", "")).encode() + head + x.tobytes()


def clients(port: int, content: bytes, count: int, seconds: float) -> tuple[list[float], float]:
    """Latencies of all requests of so many clients, and how long they were at it. Runs in a process of its own."""
    latencies: list[list[float]] = [[] for _ in range(count)]
    begin = threading.Barrier(count + 1)

    def client(own: list[float]) -> None:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            begin.wait()
            while time.perf_counter() < end:
                started = time.perf_counter()
                raw.sendall(content)
                _read_answer(raw)
                own.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client, args=(own,)) for own in latencies]
    for thread in threads:
        thread.start()
    started = time.perf_counter()
    end = started + seconds
    begin.wait()
    for thread in threads:
        thread.join()
    return [latency for own in latencies for latency in own], time.perf_counter() - started


def _read_answer(raw: socket.socket) -> None:
    found = b""
    while b"\r\n\r\n" not in found:
        found += raw.recv(65536)
    head, _, body = found.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(found.decode())
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    assert length
    missing = int(length[1]) - len(body)
    while missing > 0:
        missing -= len(raw.recv(65536))


def spent(served: Served) -> tuple[float, float, float]:
    """Runs, rows in them, and processor seconds (Linux; 0 elsewhere) of a server so far."""
    with urlopen(f"http://127.0.0.1:{served.port}/metrics") as answer:
        text = answer.read().decode()
    found = dict(re.findall(r"clconv_batch_rows_(count|sum)\{.*?\} (\S+)", text))
    stat = Path(f"/proc/{served.process}/stat")
    ticks = stat.read_text().rpartition(")")[2].split()[11:13] if stat.exists() else ["0"]
    cpu = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return float(found.get("count", 0)), float(found.get("sum", 0)), cpu


def measure(model: Path, counts: Sequence[int], rounds: int, seconds: float) -> None:
    results = {(setting, count): Measured() for count in counts for setting in SETTINGS}
    with contextlib.ExitStack() as stack, multiprocessing.get_context("spawn").Pool(1) as pool:
        servers = {s: stack.enter_context(server(model, o)) for s, o in SETTINGS.items()}
        content = request_bytes(next(iter(servers.values())))
        for served in servers.values():
            pool.apply(clients, (served.port, content, max(counts), 0.5))  # a warm-up
        for _ in range(rounds):
            for (setting, count), into in results.items():
                served = servers[setting]
                before = spent(served)
                latencies, took = pool.apply(clients, (served.port, content, count, seconds))
                runs, rows, cpu = np.subtract(spent(served), before)
                into.latencies += latencies
                into.rates.append(len(latencies) / took)
                into.runs, into.rows, into.cpu = into.runs + runs, into.rows + rows, into.cpu + cpu
    show(model.stem, results)


def show(name: str, results: dict[tuple[str, int], Measured]) -> None:
    """Rates are medians of the rounds; the gain is the median of the ratios to "one by one" in the same round."""
    table = Table(title=name, box=None)
    titles = (
        "clients",
        "setting",
        "requests/s",
        "gain",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "rows a run",
    )
    for title in titles:
        table.add_column(title, justify="left" if title == "setting" else "right")
    first = next(iter(SETTINGS))
    for (setting, count), found in results.items():
        gain = np.median(np.divide(found.rates, results[first, count].rates))
        p50, p99 = np.percentile(found.latencies, [50, 99]) * 1000
        table.add_row(
            str(count), setting, f"{np.median(found.rates):.0f}", f"{gain:.2f}", f"{p50:.2f}", f"{p99:.2f}",
            f"{found.cpu / len(found.latencies) * 1000:.2f}", f"{found.rows / found.runs:.1f}",
        )  # fmt: skip
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 16, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.8, help="of each setting in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.networks:
            model = write_model(name, Path(folder))
            measure(model, options.clients, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
