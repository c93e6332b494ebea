"""What benchmarks/gpu found, in lines for people: geometric means against the goals, and what is furthest behind."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Of the peer's speed, in geometric mean over networks and batches.
GOALS = {"float32": 0.9, "tf32": 0.6, "float16": 0.6}
# Largest difference of the outputs over the largest one; each rounds in its own way, and errors add up over layers.
ALLOWED = {"float32": 1e-3, "tf32": 2e-2, "float16": 5e-2}


def geometric_mean(values: Iterable[float]) -> float:
    """Of positive numbers; NaN of none."""
    logs = [math.log(value) for value in values]
    return math.exp(statistics.fmean(logs)) if logs else math.nan


def with_peer(row: dict[str, Any], error: float | None, ways: Mapping[str, float]) -> None:
    """Adds to a row what the peer does: its times by the way it was started, the best of them, and how many times as fast
    as that, and as plain eager mode, clconv is."""
    if error is not None:
        row["error"] = error
        row["wrong"] = not error <= ALLOWED[row["precision"]]
    if ways:
        row["peer"] = {way: seconds * 1e3 for way, seconds in ways.items()}
        row["peer_ms"] = min(row["peer"].values())
        row["ratio"] = row["peer_ms"] / row["ms"]
        row["eager_ratio"] = row["peer"]["eager"] / row["ms"]


def line(label: str, row: Mapping[str, Any]) -> str:
    """One row in at most about 110 characters."""
    if "failed" in row:
        return f"{label}: FAILED {row['failed']}"
    parts = [f"{label}: {row['ms']:.3f} ms"]
    if "kernels_ms" in row:
        parts.append(f"kernels {row['kernels_ms']:.3f}")
    if "ratio" in row:
        ways = " ".join(f"{way} {ms:.3f}" for way, ms in row["peer"].items())
        parts.append(f"peer {ways}, ratio {row['ratio']:.3f}")
    if "error" in row:
        parts.append(f"error {row['error']:.1e}" + (" WRONG" if row["wrong"] else ""))
    return ", ".join(parts)


def summary(record: Mapping[str, Any]) -> list[str]:
    """The outcome: correctness, a line a precision for networks and layers, latency, what is slowest."""
    lines = _of_cases("cases", record.get("cases", {})) + _of_cases(
        "cases of training", record.get("training", {})
    )
    step = record.get("training", {}).get("step", {})
    if step:
        lines.append(f"a step of {step['name']} x {step['batch']}: {of_step(step)}")
    for part in ("networks", "layers"):
        rows = record.get(part, [])
        for precision, goal in GOALS.items():
            own = [r for r in rows if r.get("precision") == precision]
            aimed = part == "networks" and not record.get("small")
            lines += _of_precision(part, precision, own, goal if aimed else None)
    latency = record.get("latency", {})
    if "ms" in latency:
        text = f"ResNet-50 at batch 1, arrays to arrays: {latency['ms']:.3f} ms"
        if "peer_ms" in latency:
            met = "met" if latency["ms"] <= latency["peer_ms"] else "MISSED"
            text += f", eager PyTorch {latency['peer_ms']:.3f} ms"
            text += "" if record.get("small") else f": goal {met}"
        lines.append(text)
    return lines


def of_step(step: Mapping[str, Any]) -> str:
    """A step of training in a line, and how many times as fast as the peer's it is."""
    if "failed" in step:
        return f"FAILED {step['failed']}"
    text = (
        f"{step['ms']:.3f} ms, kernels {step['kernels_ms']:.3f}, first step {step['first_s']:.1f} s"
    )
    if "ratio" in step:
        text += f", peer {step['peer_ms']:.3f} ms, ratio {step['ratio']:.3f}"
    return text + (" WRONG" if step.get("wrong") else "")


def _of_cases(label: str, cases: Mapping[str, Any]) -> list[str]:
    if not cases:
        return []
    return [
        f"{label}: {cases['passed']} passed, {len(cases['failed'])} failed, {cases['left']} not run"
        + (f"; quarantined here: {', '.join(cases['quarantined'])}" if cases["quarantined"] else "")
    ]


def _of_precision(
    part: str, precision: str, rows: Sequence[Mapping[str, Any]], goal: float | None
) -> list[str]:
    if not rows:
        return []
    compared = [r for r in rows if "ratio" in r and not r.get("wrong")]
    failed = sum("failed" in r or bool(r.get("wrong")) for r in rows)
    text = f"{part} in {precision}: {len(rows)} measured, {failed} failed or wrong"
    if not compared:
        return [text]
    mean = geometric_mean(r["ratio"] for r in compared)
    text += f"; {mean:.3f} of the peer's speed"
    if goal is not None:
        text += f", goal {goal:g}: {'met' if mean >= goal and not failed else 'MISSED'}"
    batches = sorted({r["batch"] for r in compared})
    each = (
        f"batch {b} {geometric_mean(r['ratio'] for r in compared if r['batch'] == b):.3f}"
        for b in batches
    )
    eager = geometric_mean(r["eager_ratio"] for r in compared)
    worst = sorted(compared, key=lambda r: r["ratio"])[:4]
    names = ", ".join(f"{r['name']} x {r['batch']} {r['ratio']:.2f}" for r in worst)
    return [text, f"  {'; '.join(each)}; against eager mode {eager:.3f}; furthest behind: {names}"]
