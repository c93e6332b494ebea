"""bench(): how long whole runs take, by batch, and against another engine."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import ConfigError
from clconv.profiling.peers import Feeds, Run, open_peer
from clconv.runtime.bound import Progress
from clconv.runtime.check import relative_error
from clconv.session.random_feeds import random_feeds
from clconv.version import __version__

_WARM_UP = 0.2  # seconds of runs that do not count, and at least two
Shapes = Mapping[str, Sequence[int]]


@dataclasses.dataclass(frozen=True)
class Measured:
    """One engine at one set of shapes. engine: with its version. rounds: seconds of each run of each round.
    difference: largest relative difference between its outputs and clconv's."""

    engine: str
    shapes: Mapping[str, tuple[int, ...]]
    batch: int
    rounds: tuple[tuple[float, ...], ...]
    difference: float = 0.0

    @property
    def times(self) -> list[float]:
        return sorted(seconds for one in self.rounds for seconds in one)

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    def percentile(self, part: float) -> float:
        """The seconds that so many per cent of the runs do not exceed (nearest rank)."""
        times = self.times
        return times[max(0, math.ceil(part / 100 * len(times)) - 1)]

    @property
    def throughput(self) -> float:
        """Items of the batch a second, over all runs."""
        return self.batch * len(self.times) / sum(self.times)

    def ratio(self, other: Measured) -> float:
        """This engine's time over another's: the median over rounds, which they took in turn."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(statistics.median(a) / statistics.median(b) for a, b in pairs)

    def as_dict(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "batch": self.batch,
            "runs": len(self.times),
            "least_seconds": self.times[0],
            "median_seconds": self.median,
            "p90_seconds": self.percentile(90),
            "p99_seconds": self.percentile(99),
            "throughput": self.throughput,
            "difference": self.difference,
        }


def bench(
    model: str | bytes | os.PathLike[str],
    shapes: Sequence[Shapes],
    *,
    against: Sequence[str] = (),
    device: str | int | DeviceInfo | None = None,
    precision: str | None = None,
    rounds: int = 5,
    seconds: float = 0.5,
    progress: Progress | None = None,
    on_round: Callable[[int, int], None] = lambda done, total: None,
) -> list[list[Measured]]:
    """For each of several sets of input shapes: the measurements of clconv, and of each engine of `against`.

    Engines take turns: in every round each runs for about so many seconds, so that a machine whose speed drifts is fair to
    all. Before that each warms up. Inputs are random. on_round(done, all) is called after each round.

    Raises what load() and Session.run() raise, ConfigError for rounds or seconds that mean nothing and engines that are
    not there.
    """
    if rounds < 1 or not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError(f"rounds={rounds}, seconds={seconds}: say numbers above zero")
    session = load(model, device, progress=progress, precision=precision)
    engines: list[tuple[Run, str]] = [(session.run, f"clconv {__version__}")]
    engines += [open_peer(name, model, session.device.kind == "cpu") for name in against]
    found = []
    rounds_done = itertools.count(1)
    for one in shapes:
        feeds = random_feeds(session.inputs, one)
        timed = _timed(
            [run for run, _ in engines], feeds, (rounds, seconds),
            lambda: on_round(next(rounds_done), rounds * len(shapes)),
        )  # fmt: skip
        expected = session.run(feeds)
        settled = {name: tuple(shape) for name, shape in one.items()}
        found.append(
            [
                Measured(
                    name, settled, _batch(settled), tuple(times), _difference(run(feeds), expected)
                )
                for (run, name), times in zip(engines, timed, strict=True)
            ]
        )
    return found


def _batch(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return next((shape[0] for shape in shapes.values() if shape), 1)


def _timed(
    engines: Sequence[Run],
    feeds: Feeds,
    plan: tuple[int, float],
    on_round: Callable[[], None],
) -> list[list[tuple[float, ...]]]:
    """For each engine the seconds of its runs by round. plan: rounds, and seconds of one engine in one."""
    rounds, seconds = plan
    counts = []
    for run in engines:
        times: list[float] = []
        while len(times) < 2 or sum(times) < min(_WARM_UP, seconds):
            times.append(_once(run, feeds))
        counts.append(max(2, math.ceil(seconds / max(min(times), 1e-6))))
    found: list[list[tuple[float, ...]]] = [[] for _ in engines]
    for _ in range(rounds):
        for run, count, times_of in zip(engines, counts, found, strict=True):
            # What the engine before it left in the caches, and its threads, are gone after a run.
            _once(run, feeds)
            times_of.append(tuple(_once(run, feeds) for _ in range(count)))
        on_round()
    return found


def _once(run: Run, feeds: Feeds) -> float:
    begin = time.perf_counter()
    run(feeds)
    return time.perf_counter() - begin


def _difference(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    return max(
        (relative_error(np.asarray(found[n]), e) for n, e in expected.items() if n in found),
        default=0.0,
    )
