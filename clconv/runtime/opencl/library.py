"""PoCL reads its library of built-in functions at the first program of a context that it compiles, which takes as long as a
small network. Here a thread has it read while Python plans what is to be compiled."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pyopencl as cl

from clconv.runtime import process
from clconv.runtime.opencl.built import POCL_OPTIONS

# PoCL looks for the function in its library, and then refuses the program: so it keeps nothing of it but the message, and reads
# the library the next time as well.
REFUSED = (
    "void clconv_missing(int);\nkernel void clconv_refused(global int *x) { clconv_missing(x[0]); }"
)


_seen: set[int] = set()


def read_ahead(context: Any, device: Any) -> None:
    """Returns at once; does nothing the second time. The end of the interpreter waits for the thread, and so does PoCL's next
    compilation."""
    if context.int_ptr in _seen:
        return
    _seen.add(context.int_ptr)

    def read() -> None:
        with process.opencl, contextlib.suppress(cl.Error):
            cl.Program(context, REFUSED).build([*POCL_OPTIONS], [device])

    threading.Thread(target=read, name="clconv library", daemon=True).start()
