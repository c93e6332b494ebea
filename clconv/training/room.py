"""A batch that a device has no memory for: what would fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from clconv.errors import DeviceMemoryError
from clconv.runtime.bound import BoundPlan
from clconv.session.session import Session


def run_batch(
    session: Session, feeds: Mapping[str, np.ndarray], examples: int, batch: int = 0, spare: int = 0
) -> dict[str, np.ndarray]:
    """Runs a graph of training on so many examples. Raises DeviceMemoryError that says how many would fit.

    batch: of how many examples an update is made, if this is one, or a part of one. spare: bytes that summing over parts
    takes besides.
    """
    with _saying_what_fits(session, feeds, examples, batch, spare):
        return session.run(feeds)


def prepare_batch(
    session: Session, feeds: Mapping[str, np.ndarray], examples: int, batch: int, spare: int
) -> BoundPlan:
    """Plans and compiles what run_batch() of the same runs, and raises what that raises."""
    with _saying_what_fits(session, feeds, examples, batch, spare):
        return session.prepare({name: array.shape for name, array in feeds.items()})


@contextmanager
def _saying_what_fits(
    session: Session, feeds: Mapping[str, np.ndarray], examples: int, batch: int, spare: int
) -> Iterator[None]:
    try:
        yield
    except DeviceMemoryError as reason:
        fitting = _most(session, feeds, examples, spare if batch else 0)
        raise DeviceMemoryError(
            f"{examples} examples at once are too many for {session.device}: {reason}. {_cure(fitting, batch)}"
        ) from None


def _most(session: Session, feeds: Mapping[str, np.ndarray], examples: int, spare: int) -> int:
    """How many examples fit: half of those, a quarter and so on; 0 if not one does."""
    count = examples // 2
    while count:
        shapes = {
            name: (count, *a.shape[1:]) if a.shape[:1] == (examples,) else a.shape
            for name, a in feeds.items()
        }
        if session.has_room(shapes, spare):
            return count
        count //= 2
    return 0


def _cure(fitting: int, batch: int) -> str:
    if not fitting:
        return "Not even one fits: take smaller inputs, a smaller network, or a device with more memory"
    if not batch:
        return f"{fitting} at a time fit: give batch_size={fitting}"
    return (
        f"{fitting} at a time fit: accumulate={-(-batch // fitting)} makes one update of the {batch} in so many parts, "
        f"or give batches of {fitting}"
    )
