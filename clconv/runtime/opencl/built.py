"""Building a program from its source."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pyopencl as cl

BUILD_OPTIONS = ("-cl-std=CL1.2",)
NO_HEADER = "-D_OPENCL_H_"  # for what builtins.declared() made of a program
POCL_OPTIONS = (*BUILD_OPTIONS, NO_HEADER)


@contextlib.contextmanager
def without_logs() -> Iterator[None]:
    """No warning that a build succeeded but logged something: Intel's runtime always does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CompilerWarning)
        yield


def built(context: Any, device: Any, source: str, options: Sequence[str]) -> Any:
    """The program of this source. Raises pyopencl.Error."""
    try:
        program = cl.Program(context, source).build([*options], [device])
        # Where a process died that had been refused a program, PoCL takes what is left of it for one without kernels.
        if NO_HEADER not in options or program.num_kernels:
            return program
    except cl.RuntimeError:
        if NO_HEADER not in options:
            raise
    # It may name what only the header declares.
    return cl.Program(context, source).build([*BUILD_OPTIONS], [device])
