"""clconv against other engines on whole networks.

    python -m benchmarks.bench_models --against onnxruntime openvino --json benchmarks/results/FILE.json

A peer may be the folder of another checkout of clconv: `--against ../before` compares two commits.
Every engine is in a process of its own; they take turns, a few runs each, so that a machine whose speed
drifts is fair to all. Reported: the median over all rounds, its ratio to each peer's (the median of the
ratios within a round), load time, peak memory, and how far the outputs are from onnxruntime's.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.nets import NETS, TRANSFORMERS, write
from benchmarks.quantise import WAYS, quantised

CACHE = Path(tempfile.gettempdir()) / "clconv-benchmark-nets"


@dataclasses.dataclass
class Engine:
    """A running engine process and what it has said."""

    name: str
    process: subprocess.Popen[str]
    load: float = 0.0
    first: float = 0.0
    version: str = ""
    rounds: list[list[float]] = dataclasses.field(default_factory=list)

    @classmethod
    def start(cls, peer: str, model: Path) -> Engine:
        """The engine of that name, or clconv as it stands in that folder, whose caches are its own."""
        command = [sys.executable, "-m", "benchmarks.engines"]
        checkout = Path(peer)
        if not (checkout / "benchmarks" / "engines.py").exists():
            return cls.begin(peer, [*command, peer, str(model), "0"])
        caches = CACHE / checkout.resolve().name
        return cls.begin(
            peer,
            [*command, "clconv", str(model.resolve()), "0"],
            checkout,
            CLCONV_CACHE_DIR=str(caches / "clconv"),
            POCL_CACHE_DIR=str(caches / "pocl"),
        )

    @classmethod
    def begin(
        cls, name: str, command: list[str], folder: Path | None = None, **environment: str
    ) -> Engine:
        """A process that speaks as benchmarks/engines.py does."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ | environment,
        )
        engine = cls(name, process)
        said = engine.answer()
        engine.load, engine.first, engine.version = (
            said["load"],
            said.get("first", 0.0),
            said["version"],
        )
        return engine

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} stopped with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, command: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def outputs(self, folder: Path) -> dict[str, np.ndarray]:
        target = folder / f"{Path(self.name).name}.npz"
        self.ask(f"output {target}")
        return dict(np.load(target))

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    @property
    def median(self) -> float:
        return statistics.median(t for r in self.rounds for t in r)


def difference(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """Largest absolute difference over the largest expected value, over all outputs."""
    pairs = [(found[n].astype(np.float64), e.astype(np.float64)) for n, e in expected.items()]
    return max(float(np.abs(f - e).max() / max(np.abs(e).max(), 1e-30)) for f, e in pairs)


def bench(
    name: str, batch: int, peers: list[str], rounds: int, seconds: float, way: str | None = None
) -> dict[str, Any]:
    """One network: rounds of runs in turn, each about `seconds` long for each engine. way: see quantise.py."""
    model = write(name, CACHE, batch)
    if way is not None:
        model = quantised(model, way)
    engines = [Engine.start(engine, model) for engine in ("clconv", *peers)]
    runs = {}
    for engine in engines:
        engine.ask("run 2")
        runs[engine.name] = max(2, math.ceil(seconds / max(min(engine.ask("run 2")), 1e-4)))
    for _ in range(rounds):
        for engine in engines:
            engine.rounds.append(engine.ask(f"run {runs[engine.name]}"))
    with tempfile.TemporaryDirectory() as folder:
        outputs = {e.name: e.outputs(Path(folder)) for e in engines}
    result: dict[str, Any] = {"network": name, "batch": batch, "engines": {}}
    for engine in engines:
        ratios = [
            statistics.median(ours) / statistics.median(theirs)
            for ours, theirs in zip(engines[0].rounds, engine.rounds, strict=True)
        ]
        result["engines"][engine.name] = {
            "version": engine.version,
            "median_ms": engine.median * 1e3,
            "least_ms": min(min(r) for r in engine.rounds) * 1e3,
            "load_s": engine.load,
            "peak_bytes": engine.ask("memory"),
            "clconv_ratio": statistics.median(ratios),
        }
        engine.stop()
    if "onnxruntime" in outputs:
        result["error"] = difference(outputs["clconv"], outputs["onnxruntime"])
    return result


def table(results: list[dict[str, Any]], peers: list[str]) -> Table:
    shown = Table(title="milliseconds, median; ratio: clconv's time over the peer's")
    shown.add_column("network")
    for column in ("clconv", *peers, *(f"/ {p}" for p in peers), "load s", "memory /", "error"):
        shown.add_column(column, justify="right")
    for row in results:
        engines = row["engines"]
        ours = engines["clconv"]
        peak = engines[peers[0]]["peak_bytes"] if peers else ours["peak_bytes"]
        shown.add_row(
            f"{row['network']} x{row['batch']}",
            *(f"{engines[e]['median_ms']:.2f}" for e in ("clconv", *peers)),
            *(f"{engines[p]['clconv_ratio']:.2f}" for p in peers),
            f"{ours['load_s']:.2f}",
            f"{ours['peak_bytes'] / peak:.2f}",
            f"{row['error']:.1e}" if "error" in row else "-",
        )
    if peers:
        means = [geometric_mean([r["engines"][p]["clconv_ratio"] for r in results]) for p in peers]
        blanks = [""] * (1 + len(peers))
        shown.add_row("geometric mean", *blanks, *(f"{m:.3f}" for m in means), "", "", "")
    return shown


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(v) for v in values))


def machine() -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": datetime.date.today().isoformat(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", nargs="*", default=["onnxruntime"])
    parser.add_argument("--nets", nargs="*", default=list(NETS), choices=[*NETS, *TRANSFORMERS])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each engine in each round")
    parser.add_argument("--quantised", choices=WAYS, help="of 8 bits, in one of the two forms")
    parser.add_argument("--json", type=Path, help="where to record the results")
    options = parser.parse_args()
    console = Console(width=150)  # a cut figure says nothing
    results = [
        bench(
            name,
            options.batch,
            options.against,
            options.rounds,
            options.seconds,
            options.quantised,
        )
        for name in track(options.nets, "networks", console=Console(stderr=True))
    ]
    console.print(table(results, options.against))
    if options.json:
        command = "python -m benchmarks.bench_models " + " ".join(sys.argv[1:])
        record = {"command": command, "machine": machine(), "results": results}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
