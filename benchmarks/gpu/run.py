"""clconv on a GPU against PyTorch and cuDNN on the same card, in the same precision, within minutes.

    python -m benchmarks.gpu --json FILE.json

On a machine that has nothing but NVIDIA's driver, PyTorch and clconv's dependencies: finds NVIDIA's OpenCL library where
no .icd names it. First correctness, many processes at a time, which compile the networks' kernels along; then networks in
float32, latency, training, tf32 and float16, then single layers. Each part has a share of the time, and what it leaves goes
to the next; FILE.json is written after every row, so that an end before its time loses nothing. All that touches the device
runs in processes of its own: a kernel that hangs, dies or takes the context along costs one row. What is wrong is kept in
FILE.failed.txt with its source, the compiler's words and the numbers; FILE.programs.zip holds what the driver made of the
networks' kernels, PTX of NVIDIA's.

    python -m benchmarks.gpu --only cases                              # each part alone; --cases names operators
    python -m benchmarks.gpu --only networks --precisions float32 --nets resnet50 --batches 16
    python -m benchmarks.gpu --only training                           # gradients, and a step of ResNet-18
    python -m benchmarks.gpu --only tune --batches 1 16                # faster choices for the networks' layers

Without such a card the same runs whole on any OpenCL device, so that minutes on a card are spent measuring:

    python -m benchmarks.gpu --device cpu --small                # the kernels for CPUs
    python -m benchmarks.gpu --device cpu --small --as-gpu       # those for GPUs, matrix instructions emulated
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu import nvidia
from benchmarks.gpu.caches import private_cache
from benchmarks.gpu.cases import known_operators, run_cases
from benchmarks.gpu.ceilings import run_ceilings, run_load
from benchmarks.gpu.lanes import Bench, Lane
from benchmarks.gpu.report import summary
from benchmarks.gpu.rows import run_latency, run_layers, run_networks
from benchmarks.gpu.training import run_training
from benchmarks.nets import OPEN

PRECISIONS = ("float32", "tf32", "float16")
# Part, and its share of all the time that is asked for; more for those of ASKED_FOR.
PARTS = {
    "cases": 0.20, "ceilings": 0.01, "networks float32": 0.18, "latency": 0.02, "training": 0.09, "networks tf32": 0.17,
    "networks float16": 0.20, "layers float32": 0.04, "layers tf32": 0.03, "layers float16": 0.03, "load": 0.03,
    "tune": 0.20,
}  # fmt: skip
# The same of a dry run, which compiles on a CPU most of the time, for emulated instructions the longest.
SMALL_PARTS = {
    "cases": 0.05, "ceilings": 0.01, "networks float32": 0.13, "latency": 0.02, "training": 0.18, "networks tf32": 0.19,
    "networks float16": 0.31, "layers float32": 0.04, "layers tf32": 0.01, "layers float16": 0.03, "load": 0.03,
    "tune": 0.20,
}  # fmt: skip
_SECONDS, _SMALL_SECONDS = 420, 470
EMULATED = frozenset({"tf32", "f16", "f16 k16", "emulated"})


def plain(device: Any) -> dict[str, Any]:
    """All that is known of the device, so that its plans can be made, and its sources rendered, on another machine."""
    fields = dataclasses.asdict(device)
    return {k: sorted(v) if isinstance(v, frozenset) else v for k, v in fields.items()}


def said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as reason:
        return str(reason)
    return done.stdout.strip()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.gpu", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--small", action="store_true", help="small sizes, for a dry run on a CPU")
    parser.add_argument("--as-gpu", action="store_true", help="the kernels for GPUs on any device")
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"the whole takes no longer; {_SECONDS}, of a dry run {_SMALL_SECONDS}",
    )
    parts = [*PARTS, *dict.fromkeys(part.split()[0] for part in PARTS)]
    names = dict(nargs="*", default=[], metavar="PART", choices=parts)
    parser.add_argument(
        "--only", **names, help=f"these parts: {', '.join(PARTS)}, or their first words"
    )
    parser.add_argument("--skip", **names, help="all but these parts")
    parser.add_argument(
        "--cases", nargs="*", default=[], metavar="OPERATOR", help="cases of these operators only"
    )
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 16, 64])
    parser.add_argument(
        "--nets",
        nargs="*",
        default=["resnet50", "vgg16", "mobilenetv2", "unet"],
        choices=list(OPEN),
    )
    parser.add_argument("--precisions", nargs="*", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--jobs", type=int, default=max(1, min(12, (os.cpu_count() or 1) - 2)))
    parser.add_argument("--note", default="", help="kept with the results: a prediction, say")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    unknown = sorted({*options.cases} - {*known_operators()})
    if unknown:
        parser.error(f"--cases: no cases of {', '.join(unknown)}")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.absolute().parent}")
    if options.small:
        options.batches = options.batches[:1]
    if options.seconds is None:
        options.seconds = _SMALL_SECONDS if options.small else _SECONDS
    return options


def main() -> int:
    options = parsed()
    started = time.monotonic()
    found = nvidia.find(options.device)
    if found is not None:
        print(f"{found}, registered in {os.environ['OCL_ICD_VENDORS']}", flush=True)
    from clconv.errors import DeviceError
    from clconv.runtime.device import choose_device

    try:
        device = choose_device(options.device)
    except DeviceError as reason:
        print(f"{reason}\n{nvidia.what_there_is()}")
        return 2
    if options.as_gpu:
        device = dataclasses.replace(
            device,
            kind="gpu",
            matrix=EMULATED,
            shuffle="emulated",
            dot="emulated",
            dot_verified=True,
        )
    private_cache()
    cuda = "NVIDIA" in device.vendor
    has_torch = importlib.util.find_spec("torch") is not None and (cuda or options.small)
    record: dict[str, Any] = {
        "started": datetime.datetime.now().isoformat(timespec="seconds"), "note": options.note,
        "device": str(device), "info": plain(device), "driver": device.driver, "version": device.version,
        "small": options.small, "peer": "", "python": sys.version.split()[0],
        "smi": said("nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,clocks.max.sm,temperature.gpu,power.draw",
                    "--format=csv,noheader") if cuda else "",
    }  # fmt: skip
    end = started + options.seconds
    peer = ("cuda" if cuda else "cpu") if has_torch else ""
    bench = Bench(options, device, peer, record, end, end, Lane(), Lane())
    print(
        f"{device}, driver {device.driver}, {device.compute_units} units; {record['smi']}",
        flush=True,
    )
    try:
        measure_all(bench)
    finally:
        bench.ours.close()
        bench.theirs.close()
        record["summary"] = summary(record)
        bench.save()
        print("\n".join(record["summary"]), flush=True)
    return 0


def verified_device(bench: Bench) -> tuple[Any, dict[str, str]]:
    """The device with those of its matrix instructions, shuffles and products of bytes that are right, each tried where it
    can do no harm."""
    from clconv.probes.dot_probe import with_verified_dot
    from clconv.probes.matrix_probe import refusal, settle
    from clconv.probes.shuffle_probe import with_verified_shuffles

    limit = 150 if bench.options.small else 30

    def tried(instruction: str, device: Any, precision: str) -> str:
        wrong, failed = bench.ours.call(refusal, device, precision, limit=limit)
        return str(wrong or failed)

    able, refused = settle(bench.device, ("tf32", "float16"), tried)
    refused = dict(refused)
    for what, verified, more in (
        ("shuffles", with_verified_shuffles, ()),
        ("products of bytes", with_verified_dot, ("float32",)),
    ):
        known, reason = bench.ours.call(verified, None, able, *more, limit=2 * limit)
        able = known or able
        if reason:
            refused[what] = reason
    return able, refused


def tune(bench: Bench) -> None:
    """Imports clconv's whole runtime, which must not be before the driver is found."""
    from benchmarks.gpu.tuning import run_tuning

    run_tuning(bench)


def nothing_works(cases: Mapping[str, Any]) -> bool:
    """Whether the time is better kept for another try."""
    return not cases["passed"] and len(cases["failed"]) >= 10


def load_peer(bench: Bench) -> None:
    """While cases run: from a cold disk, PyTorch and cuDNN take a while."""
    from benchmarks.gpu import peer as peer_work

    if bench.peer:
        found, reason = bench.theirs.call(peer_work.peer_version, bench.peer, limit=150)
        bench.record["peer"] = found or f"FAILED {reason}"
        print(f"peer: {bench.record['peer']}", flush=True)


def measure_all(bench: Bench) -> None:
    options, record = bench.options, bench.record
    loading = threading.Thread(target=load_peer, args=(bench,))
    loading.start()
    bench.device, refused = verified_device(bench)
    record["matrix"] = {"right": sorted(bench.device.matrix), "refused": refused}
    record["shuffles"] = bench.device.shuffle_verified and bench.device.shuffle
    record["info"] = plain(bench.device)
    record["dot"] = bench.device.dot_verified and bench.device.dot
    print(
        f"matrix instructions {record['matrix']}, shuffles {record['shuffles']}, products of bytes {record['dot']}",
        flush=True,
    )
    parts: dict[str, Callable[[], None]] = {
        "cases": lambda: run_cases(bench),
        "ceilings": lambda: run_ceilings(bench),
        "latency": lambda: run_latency(bench),
        "load": lambda: run_load(bench),
        "training": lambda: run_training(bench),
        "tune": lambda: tune(bench),
    }
    for precision in options.precisions:
        parts[f"networks {precision}"] = lambda p=precision: run_networks(bench, p)
        parts[f"layers {precision}"] = lambda p=precision: run_layers(bench, p)
    wanted = [part for part in PARTS if part in parts and bench.wants(part)]
    record["seconds"] = {}
    shares = SMALL_PARTS if options.small else PARTS
    for number, part in enumerate(wanted):
        begun = time.monotonic()
        share = shares[part] / sum(shares[later] for later in wanted[number:])
        bench.part_end = begun + share * (bench.end - begun)
        if part != "cases":
            loading.join()
        parts[part]()
        record["seconds"][part] = round(time.monotonic() - begun, 1)
        if part == "cases" and nothing_works(record["cases"]):
            print("no case is right: the rest would measure nothing", flush=True)
            break
        print(
            f"{part}: {record['seconds'][part]} s, {bench.end - time.monotonic():.0f} s left",
            flush=True,
        )
    loading.join()
