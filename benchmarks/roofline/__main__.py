"""The least time of whole networks on this processor, and what clconv and onnxruntime reach of it.

    python -m benchmarks.roofline --nets resnet50 alexnet --json FILE

Arithmetic: the products of every layer, directly or by Winograd's transforms, whichever takes less, at the rate of
multiply-adds in registers. Bytes: weights, and values larger than the cores' own caches, at the rate at which the cores read
as many bytes again and again. A layer takes at least the longer of both; the bound is the sum over layers. A network whose
weights are loaded while other layers compute takes at least the larger one of both sums.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.bench_models import bench, machine
from benchmarks.nets import NETS
from benchmarks.roofline.rates import Reader, own_caches, peak_flops
from benchmarks.roofline.work import layers_of
from clconv.device.info import DeviceInfo
from clconv.runtime.device import choose_device

WANTED = 1.3  # times as fast as onnxruntime
_ROUNDS, _SECONDS = 7, 0.4


@dataclasses.dataclass(frozen=True)
class Row:
    """Milliseconds. bytes: that are read beyond the cores' own caches, at `rate` a second."""

    network: str
    flops: float
    bytes: float
    rate: float
    arithmetic: float
    reading: float
    bound: float
    clconv: float | None = None
    onnxruntime: float | None = None

    @property
    def text(self) -> str:
        cells = [
            self.network, f"{self.flops / 1e9:.2f}", f"{self.bytes / 1e6:.0f}", f"{self.rate / 1e9:.0f}",
            f"{self.arithmetic:.2f}", f"{self.reading:.2f}", f"{self.bound:.2f}",
        ]  # fmt: skip
        if self.clconv and self.onnxruntime:
            wanted = self.onnxruntime / WANTED
            cells += [f"{self.clconv:.2f}", f"{self.onnxruntime:.2f}", f"{wanted:.2f}"]
            cells += [f"{self.bound / t:.0%}" for t in (self.clconv, self.onnxruntime, wanted)]
        return "| " + " | ".join(cells) + " |"


HEAD = ("network", "10^9 operations", "MB", "GB/s", "arithmetic ms", "bytes ms", "bound ms")
TIMES = ("clconv ms", "onnxruntime ms", "wanted ms", "clconv reaches", "onnxruntime", "wanted")


def row_of(network: str, device: DeviceInfo, flops: float, reading: Callable[[int], float]) -> Row:
    """The bound. reading: bytes a second for so many bytes. Raises OSError where the system does not tell the size of caches."""
    layers = layers_of(NETS[network](1), device, own_caches(device))
    weights = sum(layer.weights for layer in layers)
    rate = reading(weights)
    least = [layer.least(flops, rate) for layer in layers]
    return Row(
        network,
        sum(work.flops for work in least),
        sum(work.bytes for work in least),
        rate,
        sum(work.flops for work in least) / flops * 1e3,
        sum(work.bytes for work in least) / rate * 1e3,
        sum(work.seconds(flops, rate) for work in least) * 1e3,
    )


def timed(row: Row) -> Row:
    """With what both engines take."""
    engines = bench(row.network, 1, ["onnxruntime"], _ROUNDS, _SECONDS)["engines"]
    found = {name: engines[name]["median_ms"] for name in ("clconv", "onnxruntime")}
    return dataclasses.replace(row, **found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--bound-only", action="store_true", help="run no engines")
    parser.add_argument(
        "--gflops", type=float, default=0, help="of all cores, instead of measuring"
    )
    parser.add_argument(
        "--gbytes", type=float, default=0, help="read a second, instead of measuring"
    )
    parser.add_argument("--json", type=Path, help="where to record the results")
    options = parser.parse_args()
    device = choose_device(None)
    flops = options.gflops * 1e9 if options.gflops else peak_flops(device)
    given = options.gbytes * 1e9
    reading = (lambda nbytes: given) if given else Reader(device).rate
    finish = (lambda row: row) if options.bound_only else timed
    rows = [
        finish(row_of(name, device, flops, reading))
        for name in track(options.nets, "networks", console=Console(stderr=True))
    ]
    print(f"multiply-adds of {device.compute_units} cores: {flops / 1e9:.0f} GFLOP/s")
    head = HEAD if options.bound_only else (*HEAD, *TIMES)
    print("| " + " | ".join(head) + " |")
    print("| --- " + "| ---: " * (len(head) - 1) + "|")
    print("\n".join(row.text for row in rows))
    if options.json:
        record = {"machine": machine(), "flops": flops, "rows": list(map(dataclasses.asdict, rows))}
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
