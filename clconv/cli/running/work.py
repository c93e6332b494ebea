"""A model over many pictures: decoded ahead, run in batches, written down in order, gone on with after an interrupt."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from clconv.cli.console import interrupted
from clconv.cli.feeds import Picture, PictureOptions, read_picture
from clconv.cli.running.bar import PictureBar
from clconv.cli.running.decode import Decoded, decoded, threads
from clconv.cli.running.journal import Journal
from clconv.cli.running.tables import ResultTable
from clconv.errors import InputError
from clconv.graph.ir import TensorSpec

if TYPE_CHECKING:
    from clconv.session.session import Session

_SKIPPED = "skipped.jsonl"
_SHOWN = 10  # of the skipped pictures, at the end


class NoPictureError(InputError):
    """None of all pictures can be read."""


class Sink(Protocol):
    """Where rows go."""

    def add(self, path: str, outputs: Mapping[str, np.ndarray]) -> None: ...


@dataclasses.dataclass
class PictureReader:
    """Reads a picture for the only input of a model. spec: of the input, its batch open."""

    name: str
    spec: TensorSpec
    options: PictureOptions

    def __call__(self, path: str) -> Picture:
        return read_picture(Path(path), self.name, self.spec, self.options)


@dataclasses.dataclass
class Pictures:
    """batch: pictures that run together. strict: a bad picture ends the run."""

    paths: Sequence[str]
    read: Callable[[str], Picture]
    batch: int
    strict: bool

    def through(self, session: Session, sink: Sink, journal: Journal | None) -> None:
        """Runs what is left. Raises InputError for a bad picture if strict, or if there is no good one."""
        first = journal.done if journal else 0
        with PictureBar(len(self.paths), first) as bar:
            run = _Running(self, sink, journal, bar)
            try:
                run.all(session)
            except KeyboardInterrupt:
                kept = ""
                if journal is not None:
                    kept = (
                        f": {journal.done:,} of {len(self.paths):,} pictures are done, the same command goes on with the "
                        "others"
                    )
                raise interrupted(kept) from None
            finally:
                if journal is not None:
                    journal.close()
        bar.say(bar.summary(len(self.paths)))
        run.say_skipped()


class _Running:
    def __init__(
        self, work: Pictures, sink: Sink, journal: Journal | None, bar: PictureBar
    ) -> None:
        self._work, self._sink, self._journal, self._bar = work, sink, journal, bar
        self._done = journal.done if journal else 0
        # Pictures whose results are due, and bad ones among them, in order.
        self._due: collections.deque[Decoded[Picture]] = collections.deque()
        self._good = 0
        self._skipped: list[tuple[str, str]] = []
        if journal is not None and journal.size(_SKIPPED):
            with journal.path(_SKIPPED).open("rb") as lines:
                self._skipped = [tuple(json.loads(line)) for line in lines]

    def all(self, session: Session) -> None:
        work = self._work
        ahead = work.batch + threads() + 1
        pictures = decoded(work.paths[self._done :], work.read, ahead)
        batch = work.batch if not isinstance(_batch_of(session), int) else None
        for outputs in session.run_batches(self._arrays(pictures), batch):
            self._pass_bad()
            picture = self._due.popleft()
            assert picture.value is not None
            tiles = picture.value.tiling
            self._sink.add(picture.path, outputs if tiles is None else tiles.join(outputs))
            self._good += 1
            self._dealt()
            # A resumed run then has the same pictures in a batch, and the same results to the last bit.
            if self._good % work.batch == 0:
                self._step()
        self._pass_bad()
        self._step()
        if len(self._skipped) == len(work.paths):
            raise NoPictureError(
                f"none of {len(work.paths):,} pictures can be read; the first: {': '.join(self._skipped[0])}"
            )

    def _arrays(self, pictures: Iterator[Decoded[Picture]]) -> Iterator[np.ndarray]:
        for picture in pictures:
            if picture.error is not None and self._work.strict:
                raise InputError(f"{picture.path}: {picture.error}")
            if picture.value is None:
                self._due.append(picture)
                continue
            array = picture.value.array
            # Its pixels are in the batch, and need not wait here, too.
            light = dataclasses.replace(picture.value, array=array[:0])
            self._due.append(dataclasses.replace(picture, value=light))
            yield array

    def _pass_bad(self) -> None:
        """Reports the bad pictures before the next good one."""
        while self._due and self._due[0].value is None:
            bad = self._due.popleft()
            reason = bad.error or ""
            self._skipped.append((bad.path, reason))
            if self._journal is not None:
                self._journal.append(_SKIPPED, json.dumps([bad.path, reason]).encode() + b"\n")
            self._bar.say(f"skipped {bad.path}: {reason}")
            self._dealt()

    def _dealt(self) -> None:
        self._done += 1
        self._bar.at(self._done)

    def _step(self) -> None:
        if isinstance(self._sink, ResultTable):
            self._sink.flush()
        if self._journal is not None and self._done > self._journal.done:
            self._journal.step(self._done)

    def say_skipped(self) -> None:
        if not self._skipped:
            return
        count, all_of_them = len(self._skipped), len(self._work.paths)
        self._bar.say(f"skipped {count:,} of {all_of_them:,} pictures:")
        for path, reason in self._skipped[:_SHOWN]:
            self._bar.say(f"  {path}: {reason}")
        if count > _SHOWN:
            self._bar.say(f"  and {count - _SHOWN:,} more")


def _batch_of(session: Session) -> object:
    (spec,) = session.inputs.values()
    return spec.shape[0]
