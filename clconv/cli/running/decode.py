"""Pictures decoded by several threads, a few ahead of who needs them, in order."""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from clconv.device.cores import usable_cores
from clconv.errors import ClconvError
from clconv.records import record

Value = TypeVar("Value")


@record(frozen=True)
class Decoded(Generic[Value]):
    """A picture, or why it cannot be read."""

    path: str
    value: Value | None
    error: str | None


def threads() -> int:
    """As many as there are cores for this process, at most eight."""
    return min(usable_cores(), 8)


def decoded(
    paths: Iterable[str], read: Callable[[str], Value], ahead: int
) -> Iterator[Decoded[Value]]:
    """read(path) for each path, in order; `ahead` of them may be decoded and not yet taken."""

    def attempt(path: str) -> Decoded[Value]:
        try:
            return Decoded(path, read(path), None)
        except ClconvError as reason:
            return Decoded(path, None, str(reason).removeprefix(f"{path}: "))
        except OSError as reason:
            return Decoded(path, None, reason.strerror or str(reason))
        except MemoryError:
            return Decoded(path, None, "too large for the memory")

    pool = concurrent.futures.ThreadPoolExecutor(threads(), "decode")
    waiting: collections.deque[concurrent.futures.Future[Decoded[Value]]] = collections.deque()
    try:
        for path in paths:
            waiting.append(pool.submit(attempt, path))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
