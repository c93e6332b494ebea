"""What a process that works for another one does: it compiles programs and launches their kernels, one job after another.

Its text is all that a fresh interpreter gets, and on its standard input JSON, a line each: first where and how to compile,
then the jobs. It imports nothing of clconv. It answers each by a line, DONE with what it found, or with why OpenCL refused:
the same comes where it can be told. It ends where the compiler fails, or where no job comes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any

DONE = "done "


class Working:
    """path: sys.path; device: its place among all; options: the compiler's; refused: a program for which it reads its library
    before it says no, "" where there is none."""

    def __init__(self, path: list[str], device: int, options: list[str], refused: str) -> None:
        sys.path[:] = path
        import numpy as np
        import pyopencl as cl

        self.np: Any = np
        self.cl: Any = cl
        self.options = options
        self.context = cl.Context([self.devices()[device]])
        self.queue = cl.CommandQueue(self.context)
        self.held: list[Any] = []  # arguments of kernels
        if refused:
            with contextlib.suppress(cl.Error):
                self.built(refused)

    def devices(self) -> list[Any]:
        found: list[Any] = []
        for platform in self.cl.get_platforms():
            with contextlib.suppress(self.cl.Error):  # a platform without devices
                found += platform.get_devices()
        return found

    def built(self, source: str) -> Any:
        return self.cl.Program(self.context, source).build(options=self.options)

    def launch(
        self, program: Any, symbol: str, arguments: Iterable[Any],
        global_size: Sequence[int], local_size: Sequence[int] | None,
    ) -> Callable[[], None]:  # fmt: skip
        """What launches a kernel and waits for it."""
        kernel, values = self.cl.Kernel(program, symbol), [*arguments]
        kernel.set_args(*values)
        self.held += values  # a kernel does not keep its buffers

        def launch() -> None:
            self.cl.enqueue_nd_range_kernel(self.queue, kernel, global_size, local_size)
            self.queue.finish()

        return launch

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        self.held.clear()
        return Launches(self, job).run()


class Launches:
    """The launches of a job, see runtime/trials/job.py. Buffers hold zeros but for what the job says."""

    def __init__(self, working: Working, job: dict[str, Any]) -> None:
        self.np, self.cl, self.working = working.np, working.cl, working
        self.programs = [working.built(source) for source in job["sources"]]
        self.address = job["address"]
        self.memory = [*arrays(job["buffers"])]
        for index, offset, text in job["contents"]:
            content = self.np.frombuffer(base64.b64decode(text), self.np.uint8)
            self.memory[index][offset : offset + content.size] = content
        flags = self.cl.mem_flags.READ_WRITE | self.cl.mem_flags.USE_HOST_PTR
        self.buffers = [self.cl.Buffer(working.context, flags, hostbuf=a) for a in self.memory]
        self.ready = [self.launch(*launch) for launch in job["launches"]]
        self.rounds, self.results = job["rounds"], job["results"]

    def launch(
        self, program: int, symbol: str, arguments: Sequence[Any],
        global_size: Sequence[int], local_size: Sequence[int] | None,
    ) -> Callable[[], None]:  # fmt: skip
        values = [*map(self.argument, arguments)]
        return self.working.launch(self.programs[program], symbol, values, global_size, local_size)

    def run(self) -> dict[str, Any]:
        """The bytes that the job asks for, and the least seconds of each launch, of so many rounds."""
        least = [float("inf")] * len(self.ready)
        for _ in range(self.rounds):
            for i, launch in enumerate(self.ready):
                began = time.perf_counter()
                launch()
                least[i] = min(least[i], time.perf_counter() - began)
        return {"results": [*map(self.content, self.results)], "seconds": least}

    def content(self, place: Sequence[int]) -> str:
        index, offset, nbytes = place
        found = self.np.empty(self.memory[index].size, self.np.uint8)
        self.cl.enqueue_copy(self.working.queue, found, self.buffers[index])
        return base64.b64encode(found[offset : offset + nbytes]).decode()

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
            found[place] = self.begin(self.buffers[index]) + offset
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        buffer = cl.Buffer(self.working.context, flags, hostbuf=found)
        self.buffers.append(buffer)
        return buffer

    def begin(self, buffer: Any) -> int:
        """Where a buffer begins, as a kernel tells it if one does next."""
        np, cl = self.np, self.cl
        program, symbol = self.address
        if program is None:
            return int(buffer.get_host_array((1,), np.uint8).ctypes.data)
        told = np.zeros(1, np.uint64)
        result = cl.Buffer(self.working.context, cl.mem_flags.READ_WRITE, 8)
        values = [buffer, result, np.int32(0)]
        self.working.launch(self.programs[program], symbol, values, (1,), (1,))()
        cl.enqueue_copy(self.working.queue, told, result)
        return int(told[0])


def arrays(sizes: Sequence[int]) -> Iterator[Any]:
    """Zeros at the beginnings of pages; what is never written takes no memory."""
    import numpy as np

    for size in sizes:
        room = np.zeros(max(size, 4) + 4096, np.uint8)
        begin = -room.ctypes.data % 4096
        yield room[begin : begin + max(size, 4)]


def lines(given: IO[bytes], patience: float | None) -> Iterator[bytes]:
    """patience: seconds that a line is waited for before the process ends, None: any."""
    timer = getattr(signal, "setitimer", None)  # not every system has it
    while True:
        if timer and patience is not None:
            timer(signal.ITIMER_REAL, patience)
        line = given.readline()
        if timer:
            timer(signal.ITIMER_REAL, 0)
        if not line:
            return
        yield line


def main() -> None:
    given = sys.stdin.buffer
    place = json.loads(given.readline())
    patience = place.pop("patience")
    working = Working(**place)
    for line in lines(given, patience):
        job = json.loads(line)
        try:
            found = working.do(job)
        except Exception as reason:
            found = {"refused": str(reason) or repr(reason)}
        print(DONE + json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
