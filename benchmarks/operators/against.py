"""Every operator by itself, against onnxruntime: each case is a model of one node that both engines run in this process.

The engines take turns, so that what else the machine does meets both alike. Their results are compared before anything is
timed. What a run costs beside its kernel, an Identity network of a few numbers tells.

On a busy machine times of two threads depend on who gets the second core. `--processor-time` gives both engines one
thread and counts the process's processor time instead.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from rich.console import Console
from rich.progress import track
from rich.table import Table

import clconv
from benchmarks.operators.kernels import kernel_clock
from benchmarks.operators.more import more_cases
from benchmarks.operators.sized import sized_cases
from clconv.cases import CASES, Case, data
from clconv.errors import ClconvError
from clconv.frontend.onnx import export_onnx

SLOW = 1.5  # times onnxruntime's time from which an operator is named
IDENTITY = Case("Identity", "fixed cost", (data(1, 8),))
_ROUNDS = 7  # at least

Run = Callable[[], list[np.ndarray]]
Clock = Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Compared:
    """Seconds of a run of both engines, best and median. differs: how their results do, "" if they agree. kernels: the least
    time of clconv's kernels alone."""

    case: Case
    own: tuple[float, float]
    peer: tuple[float, float]
    differs: str = ""
    kernels: float = 0.0

    @property
    def ratio(self) -> float:
        """The better of the two ratios: a neighbour can spoil either."""
        return min(self.own[0] / self.peer[0], self.own[1] / self.peer[1])

    def record(self) -> dict[str, Any]:
        return {
            "op": self.case.op,
            "label": self.case.label,
            "clconv_best_us": 1e6 * self.own[0],
            "clconv_median_us": 1e6 * self.own[1],
            "onnxruntime_best_us": 1e6 * self.peer[0],
            "onnxruntime_median_us": 1e6 * self.peer[1],
            "ratio": self.ratio,
            "kernels_us": 1e6 * self.kernels,
            "kernels_ratio": self.kernels / self.peer[0],
            "differs": self.differs,
        }


def one_thread() -> Clock:
    """Gives both engines one thread, before either is opened. Returns the clock of the process's processor time."""
    os.environ["POCL_MAX_PTHREAD_COUNT"] = "1"
    return time.process_time


def threads() -> int:
    return int(os.environ.get("POCL_MAX_PTHREAD_COUNT", "0"))


def peer_of(model: bytes) -> onnxruntime.InferenceSession | None:
    """onnxruntime's session; None for what it has no kernel for."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 4
    with contextlib.suppress(Exception):  # it has an exception of its own for each kind of refusal
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return None


def runners(case: Case, device: str | None) -> tuple[Run, Run] | None:
    """A run of clconv and one of onnxruntime. None for what either cannot run as a model of its own."""
    try:
        graph, feeds = case.build()
        model = export_onnx(graph)
        peer = peer_of(model)
        if peer is None:
            return None
        peer.run(None, feeds)
        session = clconv.load(model, device=device)
    except (
        ClconvError
    ):  # an operator that ONNX does not have, or a result whose shape depends on data
        return None
    except Exception:  # what onnxruntime refuses when it runs
        return None
    names = [o.name for o in peer.get_outputs()]
    return lambda: list(session.run(feeds, names).values()), lambda: list(peer.run(None, feeds))


def difference(case: Case, found: Iterable[np.ndarray], wanted: Iterable[np.ndarray]) -> str:
    """How far the results of the two are apart where that is more than rounding."""
    for own, peer in zip(found, wanted, strict=True):
        if own.shape != peer.shape or own.dtype != peer.dtype:
            return f"{own.dtype}{list(own.shape)} and {peer.dtype}{list(peer.shape)}"
        if not own.size:
            continue
        if own.dtype.kind not in "f":
            apart = np.count_nonzero(own != peer)
            if apart:
                return f"{apart} of {own.size} elements"
            continue
        with np.errstate(all="ignore"):
            same = (own == peer) | (np.isnan(own) & np.isnan(peer))
            error = np.abs(np.where(same, 0, own.astype(np.float64) - peer))
            scale = np.abs(peer[np.isfinite(peer)]).max(initial=1e-30)
        worst = float(error.max())
        if not worst <= 10 * max(case.tolerance, 2e-5) * float(scale):
            return f"by {worst:.2g} of {scale:.2g}"
    return ""


def compare(
    case: Case, device: str | None, seconds: float, clock: Clock = time.perf_counter
) -> Compared | None:
    """Both engines in turn for so many seconds by the clock. None where one of them does not run the case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = runners(case, device)
        if runs is None:
            return None
        differs = difference(case, runs[0](), runs[1]())
        times: tuple[list[float], list[float]] = ([], [])
        end = clock() + seconds
        while len(times[0]) < _ROUNDS or clock() < end:
            for run, spent in zip(runs, times, strict=True):
                start = clock()
                run()
                spent.append(clock() - start)
    own, peer = ((min(spent), float(np.median(spent))) for spent in times)
    return Compared(case, own, peer, differs)


def compared(
    cases: Iterable[Case], device: str | None, seconds: float, clock: Clock
) -> Iterator[Compared]:
    kernels = kernel_clock(device)
    for case in cases:
        found = compare(case, device, seconds, clock)
        if found is not None:
            yield dataclasses.replace(found, kernels=kernels(case, seconds / 2))


def in_turn(cases: Iterable[Case]) -> list[Case]:
    """The first case of each operator, then the second of each, and so on: what is broken off has seen all operators."""
    seen: collections.Counter[str] = collections.Counter()
    numbered = []
    for case in cases:
        numbered.append((seen[case.op], case))
        seen[case.op] += 1
    return [case for _, case in sorted(numbered, key=lambda pair: pair[0])]


def table(title: str, rows: Iterable[Mapping[str, Any]]) -> Table:
    """Microseconds of both engines, the slowest first."""
    shown = Table(title=title)
    for column in ("operator", "case"):
        shown.add_column(column, overflow="fold")
    for column in (
        "clconv us",
        "median",
        "onnxruntime us",
        "median",
        "ratio",
        "kernels",
        "results",
    ):
        shown.add_column(column, justify="right")
    for r in sorted(rows, key=lambda r: -r["ratio"]):
        numbers = (
            f"{r[f'{e}_{k}_us']:.1f}" for e in ("clconv", "onnxruntime") for k in ("best", "median")
        )
        shown.add_row(
            r["op"],
            r["label"],
            *numbers,
            f"{r['ratio']:.2f}",
            f"{r['kernels_ratio']:.2f}",
            r["differs"] or "agree",
        )
    return shown


@dataclasses.dataclass(frozen=True)
class Choice:
    """What is compared and how. words: cases with one of them in the name. json_lines: where each result is written at once."""

    device: str | None
    words: list[str]
    seconds: float
    only_sized: bool
    processor_time: bool
    json_lines: Path | None


def compare_all(choice: Choice) -> None:
    """Compares the cases of the table and those of the sizes of networks, prints what is slow, and names the operators."""
    console, records = Console(width=150), []
    clock = one_thread() if choice.processor_time else time.perf_counter
    fixed = compare(IDENTITY, choice.device, 1.0, clock)
    assert fixed is not None
    cases = [*sized_cases(), *more_cases(), *(() if choice.only_sized else in_turn(CASES))]
    words = [word.lower() for word in choice.words]
    chosen = [c for c in cases if not words or any(w in c.name.lower() for w in words)]
    with contextlib.ExitStack() as stack:
        file = choice.json_lines
        lines = file and stack.enter_context(file.open("w", encoding="utf-8"))
        shown = track(chosen, "cases", console=Console(stderr=True))
        for found in compared(shown, choice.device, choice.seconds, clock):
            records.append(found.record())
            if lines:
                lines.write(json.dumps(records[-1]) + "\n")
                lines.flush()
    beyond = [r for r in records if r["ratio"] > SLOW]
    sized = [r for r in beyond if r["label"].startswith("sized")]
    console.print(table("sizes of networks, slower than 1.5 times", sized))
    console.print(
        table("the table of cases, slower than 1.5 times", [r for r in beyond if r not in sized])
    )
    own, peer = 1e6 * fixed.own[1], 1e6 * fixed.peer[1]
    console.print(
        f"a run's fixed cost (Identity of 8 numbers), median us: {own:.1f}, onnxruntime {peer:.1f}"
    )
    console.print(f"{len(records)} of {len(chosen)} cases are models that both run")
    console.print("operators slower than 1.5 times:", ", ".join(sorted({r["op"] for r in beyond})))
    apart = [f"{r['op']} {r['label']}: {r['differs']}" for r in records if r["differs"]]
    console.print("results that differ:", "; ".join(apart) or "none")
