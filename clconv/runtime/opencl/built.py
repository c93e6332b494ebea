"""Building a program from its source."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pyopencl as cl

BUILD_OPTIONS = ("-cl-std=CL1.2",)
NO_HEADER = "-D_OPENCL_H_"  # for what builtins.declared() made of a program
# PoCL optimises a kernel twice itself, and has Clang do it a third time before, which changes next to nothing of the machine
# code. It takes the options of OpenCL alone, parted by spaces; what follows another white space reaches Clang.
_OPTIMISED_BY_POCL = "-DCLCONV_ONCE\t-disable-llvm-passes"
POCL_OPTIONS = (*BUILD_OPTIONS, NO_HEADER, _OPTIMISED_BY_POCL)


@contextlib.contextmanager
def without_logs() -> Iterator[None]:
    """No warning that a build succeeded but logged something: Intel's runtime always does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CompilerWarning)
        yield


def built(context: Any, device: Any, source: str, options: Sequence[str]) -> Any:
    """The program of this source. Raises pyopencl.Error."""
    try:
        return cl.Program(context, source).build([*options], [device])
    except (cl.RuntimeError, cl.LogicError):
        if NO_HEADER not in options:
            raise
    # It may name what only the header declares, or another PoCL refuses the options.
    return cl.Program(context, source).build([*BUILD_OPTIONS], [device])
