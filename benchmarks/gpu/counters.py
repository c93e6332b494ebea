"""Kernels that NVIDIA's driver compiled, as CUDA modules, so that Nsight Compute reads their counters: it knows no OpenCL.

    python -m benchmarks.gpu.counters make gpu.json FOLDER --networks vgg16:16:tf32 --kernels 5    # here: needs ptxas
    ncu --clock-control none --set full --page raw python -m benchmarks.gpu.counters run FOLDER    # there: needs CuPy

make: reads what benchmarks.gpu left, gpu.json and gpu.programs.zip beside it, plans the networks for that device and writes the
modules and arguments of the launches that took most. What OpenCL's driver tells a kernel besides, offsets of work-items, is 0.
run: launches each once, on random numbers; --repeat prints milliseconds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.lanes import SIZES
from benchmarks.gpu.work import closed, network_graph
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.lowering.model.arguments import Scalar
from clconv.planning.planner import Planner

_OFFSETS = re.compile(r"mov\.[bu]32\s+(%r\d+), %envreg\d+;")
_BUFFER = 512 << 20  # bytes of each argument
TYPES = {"int": np.int32, "uint": np.uint32, "long": np.int64, "ulong": np.uint64, "float": np.float32}  # fmt: skip
Job = dict[str, Any]


def device_of(record: dict[str, Any]) -> DeviceInfo:
    """The device as it described itself."""
    fields = {k: frozenset(v) if isinstance(v, list) else v for k, v in record["info"].items()}
    return DeviceInfo(**fields)


def modules(path: Path) -> dict[str, str]:
    """The driver's PTX by the kernels that are in it."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            text = file.read(name).split(b"\0")[0].decode()
            found.update(dict.fromkeys(re.findall(r"\.entry (\w+)\(", text), text))
    return found


def without_offsets(text: str) -> str:
    return _OFFSETS.sub(r"mov.u32 \1, 0;", text)


def jobs_of(record: dict[str, Any], network: str, count: int) -> list[Job]:
    """The launches of a network, "name:batch:precision", that took most. Raises SystemExit if it was not measured."""
    name, batch, precision = network.split(":")
    rows = [r for r in record["networks"] if (r["name"], str(r["batch"]), r["precision"]) == (name, batch, precision)]  # fmt: skip
    if not rows or "top" not in rows[0]:
        raise SystemExit(f"{network} was not measured there")
    wanted = list(dict.fromkeys(launch["kernel"] for launch in rows[0]["top"]))[:count]
    graph = closed(network_graph(name, SIZES.get(name, 224)), int(batch))
    specs = {n: graph.specs[n] for n in graph.inputs}
    calls = Planner(device_of(record), PlanOptions(precision)).plan(graph, specs).calls
    by_kernel = {call.kernel.symbol: call for call in reversed(calls)}
    return [
        {
            "network": network,
            "kernel": kernel,
            "halves": precision == "float16",
            "global": call.global_size,
            "local": call.local_size,
            "arguments": [[a.ctype, a.value] if isinstance(a, Scalar) else None for _, a in call.arguments],
        }
        for kernel in wanted
        if (call := by_kernel.get(kernel)) is not None
    ]  # fmt: skip


def make(results: Path, folder: Path, networks: list[str], count: int) -> None:
    record = json.loads(results.read_text(encoding="utf-8"))
    known = modules(results.with_suffix(".programs.zip"))
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for job in [job for network in networks for job in jobs_of(record, network, count)]:
        if job["kernel"] not in known:
            print(
                f"{job['network']} {job['kernel']}: its program was not kept, or planned otherwise"
            )
            continue
        source = folder / f"{job['kernel']}.ptx"
        source.write_text(without_offsets(known[job["kernel"]]), encoding="utf-8")
        target = source.with_suffix(".cubin")
        subprocess.run(["ptxas", "-arch=sm_90", "-o", target, source], check=True)
        jobs.append(job)
    (folder / "jobs.json").write_text(json.dumps(jobs, indent=1) + "\n", encoding="utf-8")
    print(f"{len(jobs)} kernels in {folder}")


def run(folder: Path, repeat: int) -> None:
    import cupy

    def values(halves: bool) -> Any:
        found = cupy.random.standard_normal(_BUFFER // 4, dtype=cupy.float32)
        return found.astype(cupy.float16) if halves else found

    jobs = json.loads((folder / "jobs.json").read_text(encoding="utf-8"))
    buffers = {halves: [values(halves) for _ in range(4)] for halves in {j["halves"] for j in jobs}}
    for job in jobs:
        module = cupy.RawModule(path=str(folder / f"{job['kernel']}.cubin"))
        kernel, own = module.get_function(job["kernel"]), iter(4 * buffers[job["halves"]])
        arguments = [next(own) if a is None else TYPES[a[0]](a[1]) for a in job["arguments"]]
        local = [*job["local"], 1, 1][:3]
        grid = [a // b for a, b in zip([*job["global"], 1, 1], local, strict=False)]
        times = []
        for _ in range(max(repeat, 1)):
            begin, end = cupy.cuda.Event(), cupy.cuda.Event()
            begin.record()
            kernel(tuple(grid), tuple(local), tuple(arguments))
            end.record()
            end.synchronize()
            times.append(cupy.cuda.get_elapsed_time(begin, end))
        print(
            f"{job['network']} {job['kernel']}: {sorted(times)[len(times) // 2]:.4f} ms", flush=True
        )


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.counters")
    parts = parser.add_subparsers(dest="part", required=True)
    making, running = parts.add_parser("make"), parts.add_parser("run")
    making.add_argument("results", type=Path)
    making.add_argument("folder", type=Path)
    making.add_argument("--networks", nargs="+", required=True, metavar="NAME:BATCH:PRECISION")
    making.add_argument("--kernels", type=int, default=4, help="of each network")
    running.add_argument("folder", type=Path)
    running.add_argument("--repeat", type=int, default=0)
    options = parser.parse_args()
    if options.part == "make":
        make(options.results, options.folder, options.networks, options.kernels)
    else:
        run(options.folder, options.repeat)
    return 0


if __name__ == "__main__":
    sys.exit(main())
