"""What a process of a trial does: builds programs and launches their kernels once, as a device would next.

Its text is all that a fresh interpreter gets, with a job in JSON on its standard input: it imports nothing of clconv.
Its buffers hold zeros. It ends with 0 if all went well, with REFUSED if OpenCL refused.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

REFUSED = 3


def arrays(sizes: Sequence[int]) -> Iterator[Any]:
    """Zeros at the beginnings of pages; what is never written takes no memory."""
    import numpy as np

    for size in sizes:
        room = np.zeros(max(size, 4) + 4096, np.uint8)
        begin = -room.ctypes.data % 4096
        yield room[begin : begin + max(size, 4)]


class Trial:
    """The programs and buffers of a job."""

    def __init__(self, job: dict[str, Any]) -> None:
        import numpy as np
        import pyopencl as cl

        self.np: Any = np
        self.cl: Any = cl
        self.job = job
        devices = [d for p in cl.get_platforms() for d in devices_of(cl, p)]
        self.context = cl.Context([devices[job["device"]]])
        self.queue = cl.CommandQueue(self.context)
        self.programs = [
            cl.Program(self.context, source).build(options=job["options"])
            for source in job["sources"]
        ]
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.USE_HOST_PTR
        memory = [*arrays(job["buffers"])]
        for index, text in job["contents"]:
            content = base64.b64decode(text)
            memory[index][: len(content)] = np.frombuffer(content, np.uint8)
        self.buffers = [cl.Buffer(self.context, flags, hostbuf=a) for a in memory]

    def run(self) -> None:
        for program, symbol, arguments, global_size, local_size in self.job["launches"]:
            self.launch(program, symbol, map(self.argument, arguments), global_size, local_size)

    def launch(
        self, program: int, symbol: str, arguments: Iterable[Any],
        global_size: Sequence[int], local_size: Sequence[int] | None,
    ) -> None:  # fmt: skip
        kernel = self.cl.Kernel(self.programs[program], symbol)
        kernel.set_args(*arguments)
        self.cl.enqueue_nd_range_kernel(self.queue, kernel, global_size, local_size)
        self.queue.finish()

    def argument(self, argument: Sequence[Any]) -> Any:
        kind, *values = argument
        if kind == "buffer":
            return self.part(*values)
        if kind == "local":
            return self.cl.LocalMemory(*values)
        if kind == "words":
            return self.words(*values)
        return self.number(*values)

    def number(self, dtype: str, value: float) -> Any:
        return self.np.dtype(dtype).type(value)

    def part(self, index: int, offset: int, nbytes: int) -> Any:
        whole = self.buffers[index]
        if not offset and nbytes >= whole.size:
            return whole
        return whole.get_sub_region(offset, max(nbytes, 4))

    def words(self, entries: Sequence[Sequence[Any]]) -> Any:
        """64 bits for each: a number's, or where a buffer begins."""
        np, cl = self.np, self.cl
        found = np.zeros(len(entries), np.uint64)
        for place, (kind, *values) in enumerate(entries):
            if kind == "number":
                number = self.number(*values)
                found[place : place + 1].view(number.dtype)[0] = number
                continue
            index, offset, _ = values
            found[place] = self.address(self.buffers[index]) + offset
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        buffer = cl.Buffer(self.context, flags, hostbuf=found)
        self.buffers.append(buffer)
        return buffer

    def address(self, buffer: Any) -> int:
        """Where a buffer begins, as a kernel tells it if one does next."""
        np, cl = self.np, self.cl
        program, symbol = self.job["address"]
        if program is None:
            return int(buffer.get_host_array((1,), np.uint8).ctypes.data)
        told = np.zeros(1, np.uint64)
        result = cl.Buffer(self.context, cl.mem_flags.READ_WRITE, 8)
        self.launch(program, symbol, [buffer, result, np.int32(0)], (1,), (1,))
        cl.enqueue_copy(self.queue, told, result)
        return int(told[0])


def devices_of(cl: Any, platform: Any) -> Sequence[Any]:
    try:
        return platform.get_devices()
    except cl.Error:
        return []


def main() -> None:
    job = json.load(sys.stdin)
    sys.path[:] = job["path"]
    try:
        Trial(job).run()
    except Exception:  # the same comes next where it can be told
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
