"""Building a program from its source, and several at a time."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pyopencl as cl

BUILD_OPTIONS = ("-cl-std=CL1.2",)
NO_HEADER = "-D_OPENCL_H_"  # for what builtins.declared() made of a program
POCL_OPTIONS = (*BUILD_OPTIONS, NO_HEADER)

Made = TypeVar("Made")


@contextlib.contextmanager
def without_logs() -> Iterator[None]:
    """No warning that a build succeeded but logged something: Intel's runtime always does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CompilerWarning)
        yield


def built(context: Any, device: Any, source: str, options: Sequence[str]) -> Any:
    """The program of this source. Raises pyopencl.Error."""
    if NO_HEADER not in options:
        # Made without what would look for a binary in a cache of pyopencl's own, one thread at a time.
        return cl.Program(cl._cl._Program(context, source)).build([*options], [device])
    try:
        program = cl.Program(context, source).build([*options], [device])
        # Where a process died that had been refused a program, PoCL takes what is left of it for one without kernels.
        if program.num_kernels:
            return program
    except cl.RuntimeError:
        pass
    # It may name what only the header declares.
    return cl.Program(context, source).build([*BUILD_OPTIONS], [device])


def side_by_side(tasks: Iterable[Callable[[], Made]], threads: int) -> Generator[Made, None, None]:
    """What each task comes to, in their order, so many at a time. Where one raises, those that have not begun never do, and the
    others are over."""
    pool = ThreadPoolExecutor(max(1, threads), "clconv build")
    try:
        for result in [_begun(pool, task) for task in tasks]:
            yield result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begun(pool: ThreadPoolExecutor, task: Callable[[], Made]) -> Callable[[], Made]:
    try:
        return pool.submit(task).result
    except RuntimeError:  # the interpreter ends, or the system has no more threads
        return task
