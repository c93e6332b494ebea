"""CLCONV_DUMP: the graph after each pass, the plan, the sources, and a script that replays a launch."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from clconv import config
from clconv.errors import ConfigError
from clconv.graph.ir import Graph
from clconv.lowering.model.arguments import (
    Local,
    Packed,
    Read,
    Scalar,
    Table,
    Write,
)
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.template import numbered, program_source
from clconv.planning.plan import Plan
from clconv.runtime.opencl import BUILD_OPTIONS, POCL_OPTIONS, declared
from clconv.store.files import write

_REPLAY = '''"""Replays one launch of {symbol} (node {node}).

python {script} [argument=file.npy ...] [platform=part of its name]

Buffers that no file is given for hold zeros.
"""
import sys
from math import inf, nan  # noqa: F401  numbers among ARGUMENTS may be these
from pathlib import Path

import numpy as np
import pyopencl as cl

SOURCE = Path(__file__).with_name({source!r}).read_text(encoding="utf-8")
ARGUMENTS = {arguments!r}  # (name, "buffer", "local" or OpenCL type, bytes or value)
PLATFORM, DEVICE = {platform!r}, {device!r}
TYPES = {{
    "int": np.int32, "uint": np.uint32, "long": np.int64, "ulong": np.uint64,
    "float": np.float32, "double": np.float64,
}}

given = dict(a.split("=", 1) for a in sys.argv[1:])
platform = given.pop("platform", PLATFORM)
found = [d for p in cl.get_platforms() if platform in p.name for d in p.get_devices()]
if not found:
    sys.exit(f"no device of platform {{platform!r}}; there are {{[p.name for p in cl.get_platforms()]}}")
unknown = sorted(set(given) - {{name for name, _, _ in ARGUMENTS}})
if unknown:
    sys.exit(f"no arguments {{unknown}}; the kernel has {{[name for name, _, _ in ARGUMENTS]}}")
context = cl.Context([([d for d in found if d.name.strip() == DEVICE] or found)[0]])
queue = cl.CommandQueue(context, properties=cl.command_queue_properties.PROFILING_ENABLE)
kernel = cl.Kernel(cl.Program(context, SOURCE).build(options={options!r}), {symbol!r})
values = []
for name, kind, value in ARGUMENTS:
    if kind == "buffer":
        data = np.zeros(max(value, 4), np.uint8)
        if name in given:
            content = np.frombuffer(np.ascontiguousarray(np.load(given[name])).tobytes(), np.uint8)
            if content.size > value:
                sys.exit(f"{{given[name]}} has {{content.size}} bytes, {{name}} has {{value}}")
            data[: content.size] = content
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        values.append(cl.Buffer(context, flags, hostbuf=data))
    elif kind == "local":
        values.append(cl.LocalMemory(value))
    else:
        values.append(TYPES[kind](value))
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
        with _config_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def from_config(cls) -> Dump | None:
        """A Dump into CLCONV_DUMP's folder, None if it is not set."""
        folder = config.DUMP.get()
        return None if folder is None else cls(folder)

    def graph(self, stage: str, name: str, graph: Graph) -> None:
        target = self.folder / f"graph{self._passes:03}_{safe_name(stage)}_{safe_name(name)}.txt"
        _write(self.folder, target, f"{graph}\n")
        self._passes += 1

    def plan(self, plan: Plan) -> None:
        folder = self.folder / f"plan{self._plans:02}"
        self._plans += 1
        with _config_errors(self.folder):
            folder.mkdir(exist_ok=True)
        _write(self.folder, folder / "plan.txt", f"{plan}\n")
        done = set()
        for step, call in enumerate(plan.calls):
            symbol = call.kernel.symbol
            if symbol not in done:
                done.add(symbol)
                source = program_source((call.kernel,))
                if plan.device.wide_verified:  # else the header declares what it uses
                    source = declared(source, plan.device.wide)
                _write(self.folder, folder / f"{symbol}.cl", source)
                _write(self.folder, folder / f"{symbol}.numbered.txt", numbered(source))
            script = folder / f"launch{step:03}_{safe_name(call.node)}.py"
            _write(self.folder, script, _replay_script(plan, call, script.name))


@contextlib.contextmanager
def _config_errors(folder: Path) -> Iterator[None]:
    """What the disk refuses, as a ConfigError that names the setting."""
    try:
        yield
    except OSError as reason:
        raise ConfigError(f"{config.DUMP.name}={str(folder)!r}: {reason}") from None


def _write(folder: Path, path: Path, text: str) -> None:
    with _config_errors(folder):
        write(path, text, durable=False)


def _replay_script(plan: Plan, call: KernelCall, script: str) -> str:
    arguments: list[tuple[str, str, object]] = []
    for name, argument in call.arguments:
        match argument:
            case Read(value, offset) | Write(value, offset):
                whole = plan.memory.slots[plan.root(value)].nbytes
                arguments.append((name, "buffer", whole - offset))
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
        script=script, platform=plan.device.platform, device=plan.device.name,
        options=list(POCL_OPTIONS if plan.device.wide_verified else BUILD_OPTIONS),
        arguments=arguments, global_size=call.global_size, local_size=call.local_size,
    )  # fmt: skip
