"""What a first start costs where nothing was compiled before: a load and a first run, or the whole of `clconv demo`.

    python -m benchmarks.starting.cold --folder /tmp/networks --rounds 3 demo mobilenetv2 vgg16
    python -m benchmarks.starting.cold --folder /tmp/networks --against ../before demo

Each row is a process of its own with empty caches, PoCL's and clconv's. Another checkout takes turns with this one. "first" is from
the start of the process to the first answer, "clock" to its end, behind the answer what is kept is written; "cpu" is the time of all
threads and of the processes that it starts, the system's part included: other programs change it less. "load" is the
processor time of clconv.load() alone, imports left out.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.nets import write

_HERE = Path(__file__).resolve().parents[2]
_DEMO = "demo"
_LOAD = """
import sys, time
import clconv, clconv.api
import numpy as np
begin = time.process_time()
session = clconv.load(sys.argv[1])
loaded = time.process_time() - begin
(name, spec), = session.inputs.items()
session.run({name: np.zeros(spec.shape, np.float32)})
print(loaded, time.time())
"""


class Row(NamedTuple):
    first: float
    clock: float
    cpu: float
    load: float


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cold(checkout: Path, network: str, model: Path | None) -> Row:
    """Seconds of one process with empty caches. model: None for the demo."""
    with tempfile.TemporaryDirectory() as home:
        surroundings = {
            **os.environ,
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/cache",
            "CLCONV_CACHE_DIR": f"{home}/clconv",
        }
        # What pip installs has its bytecode: a checkout writes it in the round that nobody counts.
        for name in ("PYTHONDONTWRITEBYTECODE", "POCL_CACHE_DIR"):
            surroundings.pop(name, None)
        rest = ["-m", "clconv", "demo", "-o", f"{home}/read.png"]
        if model is not None:
            rest = ["-c", _LOAD, str(model)]
        before, begin, start = _children(), time.perf_counter(), time.time()
        done = subprocess.run(
            [sys.executable, *rest],
            cwd=checkout, env=surroundings, check=True, capture_output=True, text=True,
        )  # fmt: skip
        clock, used = time.perf_counter() - begin, _children() - before
        loaded, answered = (
            (math.nan, math.nan) if model is None else map(float, done.stdout.split())
        )
        return Row(answered - start, clock, used, loaded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, required=True, help="for the networks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout of clconv")
    parser.add_argument(
        "--without-warming", action="store_true", help="bytecode is written already"
    )
    parser.add_argument("networks", nargs="*", default=[_DEMO])
    options = parser.parse_args()
    checkouts = {"here": _HERE}
    if options.against:
        checkouts["against"] = options.against.resolve()
    table = Table("network", "", *checkouts, "ratio")
    for name in options.networks:
        model = None if name == _DEMO else write(name, options.folder)
        rows: dict[str, list[Row]] = {checkout: [] for checkout in checkouts}
        for number in range(options.rounds + (not options.without_warming)):
            for checkout, folder in checkouts.items():
                row = cold(folder, name, model)
                if number or options.without_warming:
                    rows[checkout].append(row)
        for i, what in enumerate(Row._fields):
            medians = [statistics.median(row[i] for row in rows[c]) for c in checkouts]
            least = [min(row[i] for row in rows[c]) for c in checkouts]
            cells = [f"{m:.2f} ({best:.2f})" for m, best in zip(medians, least, strict=True)]
            table.add_row(name if not i else "", what, *cells, f"{medians[0] / medians[-1]:.2f}")
    Console(width=110).print("Seconds: medians, and the least in brackets.", table)


if __name__ == "__main__":
    main()
