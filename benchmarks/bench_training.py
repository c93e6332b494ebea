"""A whole step of training, clconv against PyTorch in eager mode: forward, loss, backward, update by SGD with momentum.

    python -m benchmarks.bench_training --torch /path/to/python --only resnet18 --repeats 9 --record FILE.md

Both sides have the same layers, weights and batch; batch norms take the statistics of the batch. PyTorch runs on two threads, once with
images as NCHW and once as channels_last, of which the faster counts. It may be in an environment of its own: --torch names that
environment's Python. Every side is a process of its own; they take turns, so that a machine whose speed drifts is fair to
all. The ratio is the median of the ratios within a turn; the least times are given as well, since what else runs on a
machine only adds, and processor time, which other work does not count in (--shared-machine: else threads that spin at
a barrier do). Memory is the largest resident set; each side's own libraries and compilers are in it.
The losses of the first steps are compared before anything is timed. Last, clconv's step is launched kernel by kernel for the share of each.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_models import Engine, machine
from benchmarks.training.engine import write
from benchmarks.training.nets import TASKS

LAYOUTS = ("nchw", "channels_last")
ROWS = 12  # of the table of kernels; the rest is one line


def bench(name: str, torch: str, repeats: int, seconds: float, shared: bool) -> dict[str, Any]:
    """One network: so many turns, in each of which every side runs for about as long. shared: see main()."""
    waiting = {"OMP_WAIT_POLICY": "passive"} if shared else {}
    with tempfile.TemporaryDirectory() as folder:
        write(TASKS[name], Path(folder))
        sides = [
            Engine.begin("clconv", [sys.executable, "-m", "benchmarks.training.engine", name]),
            *(
                Engine.begin(way, [torch, "-m", "benchmarks.training.peer", folder, way], **waiting)
                for way in LAYOUTS
            ),
        ]
        losses = {e.name: float(e.outputs(Path(folder))["loss"]) for e in sides}
    runs = {}
    for side in sides:
        runs[side.name] = max(1, math.ceil(seconds / max(min(side.ask("run 1")), 1e-4)))
    cpu: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(repeats):
        for side in sides:
            before = side.ask("cpu")
            side.rounds.append(side.ask(f"run {runs[side.name]}"))
            cpu[side.name].append((side.ask("cpu") - before) / runs[side.name])
    result = {
        "network": name,
        "losses": losses,
        "sides": {s.name: _figures(s, cpu[s.name]) for s in sides},
    }
    ours, *theirs = sides
    best = min(theirs, key=lambda side: side.median)
    ratios = [
        statistics.median(a) / statistics.median(b)
        for a, b in zip(ours.rounds, best.rounds, strict=True)
    ]
    for side in sides:
        side.stop()
    figures = result["sides"]
    return {
        **result,
        "best": best.name,
        "ratio": statistics.median(ratios),
        "least_ratio": figures["clconv"]["least_ms"] / min(figures[w]["least_ms"] for w in LAYOUTS),
        "cpu_ratio": figures["clconv"]["cpu_ms"] / min(figures[w]["cpu_ms"] for w in LAYOUTS),
        "memory_ratio": figures["clconv"]["peak_bytes"] / figures[best.name]["peak_bytes"],
    }


def _figures(side: Engine, cpu: list[float]) -> dict[str, Any]:
    return {
        "version": side.version,
        "median_ms": side.median * 1e3,
        "least_ms": min(min(r) for r in side.rounds) * 1e3,
        "cpu_ms": statistics.median(cpu) * 1e3,
        "first_s": side.load + side.first,
        "peak_bytes": side.ask("memory"),
    }


def profile(name: str, repeats: int) -> dict[str, Any]:
    """The time of each kind of launch: see training.engine.shares()."""
    command = [sys.executable, "-m", "benchmarks.training.engine", name, "--profile", str(repeats)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def agrees(losses: dict[str, float], close: float) -> bool:
    """Whether all sides learn the same. close: see Task."""
    values = np.array(list(losses.values()))
    return bool(np.isfinite(values).all() and np.ptp(values) <= close * np.abs(values).max())


def steps_table(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| network, batch | clconv ms | NCHW ms | channels_last ms | ratio | ratio of the least | goal | CPU ms | PyTorch CPU ms | ratio | "
        "clconv MB | PyTorch MB | ratio | first step s |",
        "| --- |" + " ---: |" * 13,
    ]
    for row in results:
        task, sides = TASKS[row["network"]], row["sides"]
        times = [f"{sides[s]['median_ms']:.1f} ({sides[s]['least_ms']:.1f})" for s in sides]
        cpu = [
            f"{sides['clconv']['cpu_ms']:.1f}",
            f"{min(sides[way]['cpu_ms'] for way in LAYOUTS):.1f}",
        ]
        memory = [f"{sides[s]['peak_bytes'] / 1e6:.0f}" for s in ("clconv", row["best"])]
        cells = [
            f"{row['network']}, {task.batch}", *times, f"{row['ratio']:.2f}",
            f"{row['least_ratio']:.2f}", f"{task.goal}", *cpu, f"{row['cpu_ratio']:.2f}", *memory, f"{row['memory_ratio']:.2f}",
            f"{sides['clconv']['first_s']:.1f}",
        ]  # fmt: skip
        note = "" if agrees(row["losses"], task.close) else f" LOSSES DIFFER {row['losses']}"
        lines.append("| " + " | ".join(cells) + " |" + note)
    return lines


def shares_table(name: str, found: dict[str, Any]) -> list[str]:
    rows = sorted(found["rows"], key=lambda row: -row["ms"])
    whole = sum(row["ms"] for row in rows)
    launches = sum(row["launches"] for row in rows)
    lines = [
        f"{name}: {whole:.1f} ms in {launches} launches, {found['bytes'] / 1e6:.0f} MB of values",
        "",
        "| operator | kernel | launches | ms | share |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    shown, rest = rows[:ROWS], rows[ROWS:]
    if rest:
        more = {"operator": f"{len(rest)} more", "template": ""}
        shown.append(more | {k: sum(row[k] for row in rest) for k in ("launches", "ms")})
    lines += [
        f"| {r['operator']} | {r['template'].removesuffix('.cl.mako')} | {r['launches']} | {r['ms']:.2f} | "
        f"{r['ms'] / whole:.0%} |"
        for r in shown
    ]
    return lines


def report(results: list[dict[str, Any]], command: str) -> str:
    """What was found, as Markdown."""
    at = machine()
    versions = ", ".join(dict.fromkeys(s["version"] for s in results[0]["sides"].values()))
    lines = [
        f"`{command}`, {at['date']}: {at['processor']}, {at['cores']} cores, Python {at['python']}, {versions}.",
        "Milliseconds of a whole step: the median and, in brackets, the least; ratios are clconv's over PyTorch's.",
        "",
        *steps_table(results),
    ]
    for row in results:
        if "shares" in row:
            lines += ["", *shares_table(row["network"], row["shares"])]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", default=sys.executable, help="Python that has torch")
    parser.add_argument("--only", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--repeats", type=int, default=7, help="turns")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each side in each turn")
    parser.add_argument("--no-shares", action="store_true", help="leave the kernels out")
    parser.add_argument("--record", type=Path, help="where to write the report, Markdown")
    shared = "the machine has other work: PyTorch's threads sleep where they wait for each other"
    parser.add_argument("--shared-machine", action="store_true", help=shared)
    given = parser.parse_args()
    results = []
    for name in given.only:
        row = bench(name, given.torch, given.repeats, given.seconds, given.shared_machine)
        if not given.no_shares:
            row["shares"] = profile(name, 3)
        results.append(row)
        print("\n".join(steps_table([row])), flush=True)
    words = [Path(a).name if a.startswith("/") else a for a in sys.argv[1:]]
    text = report(results, " ".join(["python -m benchmarks.bench_training", *words]))
    print(text)
    if given.record:
        given.record.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
