"""What a process that compiles along does: one program after another, each launched once so that its machine code is made.

Its text is all that a fresh interpreter gets, and on its standard input JSON, a line each: first where and how to compile,
then the programs. It imports nothing of clconv. It answers each program by a line, DONE, and ends where OpenCL refuses one: the same
comes where it can be told. It ends as well where no program comes.
"""

from __future__ import annotations

import contextlib
import io
import json
import select
import sys
from typing import Any

DONE = "done"


class Compiling:
    """path: sys.path; device: its place among all; options: the compiler's; refused: a program for which it reads its library
    before it says no."""

    def __init__(self, path: list[str], device: int, options: list[str], refused: str) -> None:
        sys.path[:] = path
        import numpy as np
        import pyopencl as cl

        self.np: Any = np
        self.cl: Any = cl
        self.options = options
        self.context = cl.Context([self.devices()[device]])
        with contextlib.suppress(cl.Error):
            cl.Program(self.context, refused).build(options=options)

    def devices(self) -> list[Any]:
        found: list[Any] = []
        for platform in self.cl.get_platforms():
            with contextlib.suppress(self.cl.Error):  # a platform without devices
                found += platform.get_devices()
        return found

    def compile(self, source: str, symbol: str, arguments: list[int | None], items: int) -> None:
        """arguments: numbers, and None for any buffer."""
        np, cl = self.np, self.cl
        buffer = cl.Buffer(self.context, cl.mem_flags.READ_WRITE, 4096)
        kernel = cl.Kernel(cl.Program(self.context, source).build(options=self.options), symbol)
        kernel.set_args(*(buffer if value is None else np.int32(value) for value in arguments))
        queue = cl.CommandQueue(self.context)
        cl.enqueue_fill_buffer(queue, buffer, np.uint8(0), 0, 4096)
        cl.enqueue_nd_range_kernel(queue, kernel, (items,), (1,))
        queue.finish()


def main() -> None:
    # What stands behind the first line is left in the pipe, to be waited for.
    given = io.FileIO(0, closefd=False)
    place = json.loads(given.readline())
    patience = place.pop("patience")
    compiling = Compiling(**place)
    if not select.select([given], [], [], patience)[0]:
        return
    for line in io.BufferedReader(given):
        compiling.compile(**json.loads(line))
        print(DONE, flush=True)


if __name__ == "__main__":
    main()
