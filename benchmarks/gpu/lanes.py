"""Processes that benchmarks/gpu works with, and what its parts share."""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.gpu.report import line

SIZES = {"unet": 256}  # of images, where they are not 224
ASKED_FOR = frozenset({"tune"})  # parts that run only if --only names them
_ROW_SECONDS = 90.0  # for one call of a process


class Lane:
    """A process for one side's work. What fails ends it, and its reason is returned: what a lost context would fail next
    is not to blame."""

    def __init__(self, quiet: bool = True) -> None:
        from clconv.runtime.worker import Worker

        self._worker = Worker(quiet=quiet)

    def call(
        self, function: Callable[..., Any], *arguments: Any, limit: float = _ROW_SECONDS
    ) -> tuple[Any, str]:
        """(what the function returns, "") or (None, why not)."""
        from benchmarks.gpu.work import short
        from clconv.errors import ClconvError

        try:
            return self._worker.call(function, *arguments, limit=max(1.0, limit)), ""
        except ClconvError as reason:
            self._worker.close()
            return None, short(reason)

    def close(self) -> None:
        self._worker.close()


@dataclasses.dataclass
class Bench:
    """Everything a run needs. end: when the whole must be over; part_end: when the part must be."""

    options: argparse.Namespace
    device: Any
    peer: str  # PyTorch's name of the device, "" without PyTorch
    record: dict[str, Any]
    end: float
    part_end: float
    ours: Lane
    theirs: Lane

    def wants(self, part: str) -> bool:
        """Whether a part, such as "networks float32", is asked for: by its name or its first word."""
        names, options = {part, part.split()[0]}, self.options
        asked = not names.isdisjoint(options.only or {part} - ASKED_FOR)
        return asked and names.isdisjoint(options.skip)

    @property
    def limit(self) -> float:
        """Seconds for a call. A dry run may compile for long on a busy machine."""
        most = _ROW_SECONDS * (5 if self.options.small else 1)
        return min(most, self.end - time.monotonic())

    @property
    def least(self) -> float:
        """Seconds of a row of runs that is timed."""
        return 0.001 if self.options.small else 0.03

    def save(self) -> None:
        if self.options.json:
            text = json.dumps(self.record, indent=1) + "\n"
            new = self.options.json.with_suffix(".new")
            new.write_text(text, encoding="utf-8")
            new.replace(self.options.json)

    def add(self, part: str, label: str, row: dict[str, Any], quiet: bool = False) -> None:
        """Keeps a row, unless it failed for want of time."""
        if "failed" in row and time.monotonic() > self.end - 2:
            print(f"{label}: the time was over", flush=True)
            return
        self.record.setdefault(part, []).append(row)
        self.save()
        if not quiet or "failed" in row or row.get("wrong"):
            print(line(label, row), flush=True)

    def both(
        self, mine: tuple[Any, ...], peers: tuple[Any, ...] | None
    ) -> tuple[tuple[Any, str], tuple[Any, str]]:
        """A call of each side at the same time: what is not timed."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            first = pool.submit(self.ours.call, *mine, limit=self.limit)
            second = pool.submit(self.theirs.call, *peers, limit=self.limit) if peers else None
            return first.result(), second.result() if second else (None, "")


def in_parallel(
    tasks: Sequence[tuple[Any, ...]], lanes: int, end: float, limit: float
) -> Iterator[tuple[int, Any, str]]:
    """(number, result, reason) of tasks (function, argument...) that as many processes take in order, until `end`."""
    waiting = iter(range(len(tasks)))  # next() is atomic
    done: concurrent.futures.Future[list[tuple[int, Any, str]]]

    def work() -> list[tuple[int, Any, str]]:
        lane, found = Lane(), []
        try:
            for number in waiting:
                if time.monotonic() > end:
                    break
                left = min(limit, end + 10 - time.monotonic())
                found.append((number, *lane.call(*tasks[number], limit=left)))
        finally:
            lane.close()
        return found

    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        for done in concurrent.futures.as_completed([pool.submit(work) for _ in range(lanes)]):
            yield from done.result()


def networks(options: argparse.Namespace) -> list[tuple[str, int]]:
    """(name, size of the images)"""
    return [(name, 32 if options.small else SIZES.get(name, 224)) for name in options.nets]
