"""What a profile says: the launches of a run with their times, what is outside of them, and how the load went."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from clconv.profiling.ceilings import Ceilings
from clconv.store.files import write

METHODS = {
    "joined": "joined launches, as every run has them, with time stamps inside",
    "separate": "launch by launch, timed by the device",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """What is timed: a launch, or all those of a layer or kernel.

    layer: the node's name, as in the file. kernel: the stem of the kernel's name. launches: so many in one run.
    seconds: in one run. flops, bytes: what the operators need at least, whatever the
    algorithm does; of a layer of several launches each has a part as large as its part of the time.
    """

    layer: str
    operator: str
    variant: str
    kernel: str
    launches: int
    seconds: float
    flops: int
    bytes: int

    @property
    def gflops(self) -> float:
        return self.flops / self.seconds / 1e9 if self.seconds else 0.0

    @property
    def gbytes(self) -> float:
        return self.bytes / self.seconds / 1e9 if self.seconds else 0.0

    def as_dict(self, run: float, ceilings: Ceilings) -> dict[str, Any]:
        """With the share of a run of so many seconds, and the parts of the ceilings: 1.0 is all of it."""
        return {
            **dataclasses.asdict(self),
            "share": self.seconds / run if run else 0.0,
            "gflops": self.gflops,
            "gbytes": self.gbytes,
            "of_arithmetic": self.gflops * 1e9 / ceilings.flops,
            "of_bandwidth": self.gbytes * 1e9 / ceilings.bytes,
        }


@dataclasses.dataclass(frozen=True)
class Event:
    """A bar of the timeline. lane: "load", "host", "device" or "worker 0". Seconds since the lane's process began:
    loading, or the run."""

    lane: str
    name: str
    begin: float
    end: float
    detail: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclasses.dataclass(frozen=True)
class Profile:
    """Times in seconds. See docs/profiling.md for what each means.

    method: a key of METHODS. run: a run as it always is; profiled: one with time stamps, taken in turn with the others.
    Each time is a median over `runs` runs. load: how the seconds of the first load and run are made up; empty for
    a session that was there. outside: how the seconds of a run that no kernel has are made up. launches: in the
    order of the plan. timeline: of the fastest profiled run, and of the load.
    """

    model: str
    device: str
    driver: str
    precision: str
    inputs: Mapping[str, str]
    method: str
    runs: int
    run: float
    profiled: float
    load: Mapping[str, float]
    outside: Mapping[str, float]
    launches: tuple[Row, ...]
    ceilings: Ceilings
    timeline: tuple[Event, ...] = dataclasses.field(repr=False)
    clconv: str = ""

    @property
    def in_kernels(self) -> float:
        """Seconds of a profiled run in which a kernel ran."""
        return sum(row.seconds for row in self.launches)

    @property
    def whole(self) -> float:
        """What shares are of: the sum of the medians of all parts, which is a run that nothing disturbed."""
        return self.in_kernels + sum(self.outside.values())

    def layers(self) -> tuple[Row, ...]:
        """A row for each layer, the one that takes longest first."""
        return _grouped(self.launches, lambda row: (row.layer,))

    def kernels(self) -> tuple[Row, ...]:
        """A row for each kernel, the one that takes longest first; one may serve several layers."""
        return _grouped(self.launches, lambda row: (row.kernel, row.variant))

    def slowest(self) -> tuple[Row, ...]:
        """The launches, the one that takes longest first."""
        return tuple(sorted(self.launches, key=lambda row: -row.seconds))

    def as_dict(self) -> dict[str, Any]:
        """All but the timeline, of types that JSON has."""

        def listed(rows: Iterable[Row]) -> list[dict[str, Any]]:
            return [row.as_dict(self.whole, self.ceilings) for row in rows]

        return {
            "model": self.model,
            "device": self.device,
            "driver": self.driver,
            "precision": self.precision,
            "inputs": dict(self.inputs),
            "clconv": self.clconv,
            "method": self.method,
            "runs": self.runs,
            "run_seconds": self.run,
            "profiled_seconds": self.profiled,
            "kernel_seconds": self.in_kernels,
            "outside_seconds": dict(self.outside),
            "load_seconds": dict(self.load),
            "ceilings": dataclasses.asdict(self.ceilings),
            "launches": listed(self.launches),
            "kernels": listed(self.kernels()),
            "layers": listed(self.layers()),
        }

    def write_trace(self, path: str | os.PathLike[str]) -> None:
        """Writes the timeline for ui.perfetto.dev and chrome://tracing. Raises OSError."""
        from clconv.profiling.trace import trace_text

        write(Path(path), trace_text(self))

    def write_html(self, path: str | os.PathLike[str]) -> None:
        """Writes one page for a browser, which needs no other file. Raises OSError."""
        from clconv.profiling.page import page_text

        write(Path(path), page_text(self))

    def __str__(self) -> str:
        return (
            f"profile of {self.model} on {self.device}: {self.run * 1e3:.3g} ms a run, "
            f"{len(self.launches)} kernel launches"
        )


def _grouped(rows: Iterable[Row], key: Callable[[Row], tuple[str, ...]]) -> tuple[Row, ...]:
    by_key: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        by_key.setdefault(key(row), []).append(row)
    return tuple(sorted(map(_together, by_key.values()), key=lambda row: -row.seconds))


def _together(rows: list[Row]) -> Row:
    """Names that differ are listed."""

    def names(field: str) -> str:
        return ", ".join(dict.fromkeys(getattr(row, field) for row in rows))

    return Row(
        names("layer"),
        names("operator"),
        names("variant"),
        names("kernel"),
        sum(row.launches for row in rows),
        sum(row.seconds for row in rows),
        sum(row.flops for row in rows),
        sum(row.bytes for row in rows),
    )
