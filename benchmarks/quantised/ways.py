"""Networks with and without instructions for bytes and for wider vectors, in one process: the least processor time of a run.

    POCL_MAX_PTHREAD_COUNT=1 python -m benchmarks.quantised.ways [NETWORK[:dynamic] ...] [--dot vnni words]
    POCL_MAX_PTHREAD_COUNT=1 python -m benchmarks.quantised.ways resnet18:float --dot wide
    POCL_MAX_PTHREAD_COUNT=1 python -m benchmarks.quantised.ways resnet18 --dot words "wide vnni"

The first way is without any; "wide": functions for AVX-512 although PoCL's compiler takes the processor for one without. Plans are kept on disk as usual: CLCONV_CACHE_DIR says where.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np

import clconv
from benchmarks.engines import feed
from benchmarks.nets import write
from benchmarks.quantise import dynamic, quantised
from benchmarks.quantised.bench import NETWORKS
from clconv.device.info import DeviceInfo, widened
from clconv.runtime.opencl import found

_ROUNDS, _RUNS = 12, 4


def _loaded(model: Path, way: str) -> clconv.Session:
    """A session on devices that are said to multiply bytes so, perhaps with wide vectors."""
    apply_quirks = found.apply_quirks
    wide = way.startswith("wide")
    dot = way.removeprefix("wide").strip()

    def with_dot(device: DeviceInfo) -> DeviceInfo:
        known = dataclasses.replace(apply_quirks(device), dot=dot, dot_verified=bool(dot))
        return widened(known) if wide else dataclasses.replace(known, wide="")

    found._device_infos.cache_clear()
    found.apply_quirks = with_dot
    try:
        return clconv.load(model)
    finally:
        found.apply_quirks = apply_quirks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--dot", nargs="+", default=["words"])
    arguments = parser.parse_args()
    ways = ["", *arguments.dot]
    print("| network |", " | ".join(f"{w or 'float32'}, ms" for w in ways), "| ratio to float32 |")
    for name in arguments.networks:
        plain, _, way = name.partition(":")
        floats = write(plain, Path(tempfile.gettempdir()) / "clconv-benchmark-nets")
        made = {"dynamic": dynamic, "float": Path, "": lambda model: quantised(model, "QDQ")}
        model = made[way](floats)
        sessions = [_loaded(model, dot) for dot in ways]
        feeds = {n: feed(list(s.shape), 0) for n, s in sessions[0].inputs.items()}
        for session in sessions:
            session.run(feeds)
        least = np.full(len(ways), np.inf)
        for _ in range(_ROUNDS):
            for i, session in enumerate(sessions):
                for _ in range(_RUNS):
                    began = time.process_time()
                    session.run(feeds)
                    least[i] = min(least[i], time.process_time() - began)
        times = " | ".join(f"{t * 1e3:.2f}" for t in least)
        print(
            f"| {name} | {times} | {' '.join(f'{r:.2f}' for r in least[1:] / least[0])} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
