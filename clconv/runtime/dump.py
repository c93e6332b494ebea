"""CLCONV_DUMP: the graph after each pass, the plan, the sources, and a script that replays a launch."""

from __future__ import annotations

import re
from pathlib import Path

from clconv import config
from clconv.graph.ir import Graph
from clconv.lowering.kernel import KernelCall, Local, Packed, Read, Scalar, Table, Write
from clconv.lowering.template import numbered, program_source
from clconv.runtime.plan import Plan

_REPLAY = '''"""Replays one launch of {symbol} (node {node!r}) on zeros or on arrays given as .npy files."""
import sys

import numpy as np
import pyopencl as cl

SOURCE = open(__file__.rsplit("/", 1)[0] + "/" + {source!r}).read()
ARGUMENTS = {arguments!r}  # (name, "buffer" bytes | OpenCL type, value)
context = cl.create_some_context(interactive=False)
queue = cl.CommandQueue(context, properties=cl.command_queue_properties.PROFILING_ENABLE)
kernel = cl.Kernel(cl.Program(context, SOURCE).build(options=["-cl-std=CL1.2"]), {symbol!r})
types = {{"int": np.int32, "long": np.int64, "float": np.float32, "uint": np.uint32}}
given = dict(a.split("=", 1) for a in sys.argv[1:])  # argument=file.npy
values = []
for name, kind, value in ARGUMENTS:
    if kind == "buffer":
        data = np.load(given[name]) if name in given else np.zeros(max(value, 4), np.uint8)
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        values.append(cl.Buffer(context, flags, hostbuf=np.ascontiguousarray(data)))
    elif kind == "local":
        values.append(cl.LocalMemory(value))
    else:
        values.append(types[kind](value))
kernel.set_args(*values)
for _ in range(5):
    event = cl.enqueue_nd_range_kernel(queue, kernel, {global_size!r}, {local_size!r})
    event.wait()
    print(f"{{(event.profile.end - event.profile.start) / 1e3:.1f}} us")
'''


def safe_name(text: str) -> str:
    """A file name part from any text of a model: letters, digits and _ only, short."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text)[:60] or "_"


class Dump:
    """Writes into one folder; each kind of thing numbered in the order it happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._passes = self._plans = 0
        folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def from_config(cls) -> Dump | None:
        """A Dump into CLCONV_DUMP's folder, None if it is not set."""
        folder = config.DUMP.get()
        return None if folder is None else cls(folder)

    def graph(self, stage: str, name: str, graph: Graph) -> None:
        target = self.folder / f"graph{self._passes:03}_{safe_name(stage)}_{safe_name(name)}.txt"
        target.write_text(f"{graph}\n", encoding="utf-8")
        self._passes += 1

    def plan(self, plan: Plan) -> None:
        folder = self.folder / f"plan{self._plans:02}"
        self._plans += 1
        folder.mkdir(exist_ok=True)
        (folder / "plan.txt").write_text(f"{plan}\n", encoding="utf-8")
        done = set()
        for step, call in enumerate(plan.calls):
            symbol = call.kernel.symbol
            if symbol not in done:
                done.add(symbol)
                source = program_source((call.kernel,))
                (folder / f"{symbol}.cl").write_text(source, encoding="utf-8")
                (folder / f"{symbol}.numbered.txt").write_text(numbered(source), encoding="utf-8")
            script = folder / f"launch{step:03}_{safe_name(call.node)}.py"
            script.write_text(_replay_script(plan, call), encoding="utf-8")


def _replay_script(plan: Plan, call: KernelCall) -> str:
    arguments: list[tuple[str, str, object]] = []
    for name, argument in call.arguments:
        match argument:
            case Read(value) | Write(value):
                arguments.append((name, "buffer", plan.memory.slots[plan.root(value)].nbytes))
            case Packed(constant, packing):
                packed = packing.function(plan.graph.constants[constant].array)
                arguments.append((name, "buffer", int(packed.nbytes)))
            case Scalar(value, ctype):
                arguments.append((name, ctype, value))
            case Local(nbytes):
                arguments.append((name, "local", nbytes))
            case Table(array):
                arguments.append((name, "buffer", int(array.nbytes)))
    return _REPLAY.format(
        symbol=call.kernel.symbol, node=safe_name(call.node), source=f"{call.kernel.symbol}.cl",
        arguments=arguments, global_size=call.global_size, local_size=call.local_size,
    )  # fmt: skip
