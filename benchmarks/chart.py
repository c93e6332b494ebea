"""Draws what benchmarks.bench_models has measured: clconv's time over each peer's, network by network.

    python -m benchmarks.chart benchmarks/results/FILE.json --out docs/FILE.svg

Less than 1 is faster than the peer. The dashed lines are geometric means over the networks. The ending of the
picture's name says what it is: .svg, .png or .pdf.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
from pathlib import Path
from typing import Any

NAMES = {
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "alexnet": "AlexNet",
    "mobilenetv2": "MobileNetV2",
    "squeezenet1_1": "SqueezeNet 1.1",
    "densenet121": "DenseNet-121",
    "efficientnet_b0": "EfficientNet-B0",
    "unet": "U-Net",
    "yolo": "YOLOv8n-like",
}
# Told apart by people who see red and green alike, and in grey (Okabe and Ito).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
INK, FAINT = "#222222", "#dddddd"
_BAR, _MOST_RATIO = (
    0.19,
    2.5,
)  # inches a bar; a bar that is longer is cut off, and says how long it is


@dataclasses.dataclass(frozen=True)
class Series:
    """One peer: clconv's time over its, by network, and the version that was measured."""

    peer: str
    version: str
    ratios: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Geometric mean."""
        return math.exp(statistics.fmean(math.log(r) for r in self.ratios))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What one result file says: networks, clconv's milliseconds for each, the peers, the machine."""

    networks: tuple[str, ...]
    milliseconds: tuple[float, ...]
    series: tuple[Series, ...]
    machine: str


def read(record: dict[str, Any]) -> Comparison:
    """A record of benchmarks.bench_models. ValueError if it has no results, or no peer is in all of them."""
    results = record.get("results")
    if not results:
        raise ValueError("no results: is this a file of benchmarks.bench_models?")
    shared = [p for p in results[0]["engines"] if all(p in r["engines"] for r in results)]
    peers = [p for p in shared if p != "clconv"]
    if not peers:
        raise ValueError("there is no peer that every network was run with")
    batches = {r["batch"] for r in results}
    labels = tuple(
        NAMES.get(r["network"], r["network"]) + (f" x{r['batch']}" if len(batches) > 1 else "")
        for r in results
    )
    series = tuple(
        Series(
            peer,
            results[0]["engines"][peer]["version"],
            tuple(r["engines"][peer]["clconv_ratio"] for r in results),
        )
        for peer in peers
    )
    about = record["machine"]
    batch = f", batch {batches.pop()}" if len(batches) == 1 else ""
    where = f"{about['processor']}, {about['cores']} cores, float32{batch}, {about['date']}"
    ours = tuple(r["engines"]["clconv"]["median_ms"] for r in results)
    return Comparison(labels, ours, series, where)


def draw(found: Comparison) -> Any:
    """The chart as a matplotlib figure: a group of bars for each network, fastest against the first peer on top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    order = sorted(range(len(found.networks)), key=lambda i: found.series[0].ratios[i])
    count, bars = len(order), len(found.series)
    thickness = 0.8 / bars
    figure = Figure(figsize=(7.6, 1.3 + count * (bars * _BAR + 0.12)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    longest = min(max(max(s.ratios) for s in found.series), _MOST_RATIO)
    right = max(longest * 1.1, 1.15)
    for k, series in enumerate(found.series):
        colour = COLOURS[k % len(COLOURS)]
        places = [row - 0.4 + (k + 0.5) * thickness for row in range(count)]
        values = [series.ratios[i] for i in order]
        axes.barh(
            places,
            [min(v, right) for v in values],
            thickness * 0.9,
            color=colour,
            label=f"{series.version}: {series.mean:.2f}",
            zorder=2,
        )
        for place, value in zip(places, values, strict=True):
            # At the bar's foot, where no line crosses it.
            axes.text(0.008 * right, place, f"{value:.2f}", ha="left", va="center", fontsize=7.5,
                      color=_text_colour(colour), zorder=4)  # fmt: skip
        axes.axvline(series.mean, color=colour, linestyle=(0, (4, 3)), linewidth=1.1, zorder=3)
    axes.axvline(1, color=INK, linewidth=1.2, zorder=3)
    axes.set_yticks(
        range(count), [f"{found.networks[i]}  ({found.milliseconds[i]:.1f} ms)" for i in order]
    )
    axes.set_ylim(count - 0.45, -0.55)
    axes.set_xlim(0, right)
    axes.set_xlabel("clconv's time / the peer's time  (less than 1: clconv is faster)", color=INK)
    axes.set_title(found.machine, fontsize=8, color="#555555", loc="left")
    axes.grid(axis="x", color=FAINT, linewidth=0.8, zorder=0)
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)
    figure.legend(
        *axes.get_legend_handles_labels(),
        title="against, and the geometric mean (dashed)",
        title_fontsize=8,
        fontsize=8,
        frameon=False,
        loc="outside upper left",
        ncols=2,
        alignment="left",
    )
    return figure


def _text_colour(background: str) -> str:
    """Dark on light bars, white on dark ones."""
    red, green, blue = (int(background[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.3 * red + 0.59 * green + 0.11 * blue > 130 else "white"


def write(source: Path, target: Path) -> None:
    """The chart of a result file as a picture. ValueError if the file holds no comparison."""
    found = read(json.loads(source.read_text(encoding="utf-8")))
    import matplotlib

    target.parent.mkdir(parents=True, exist_ok=True)
    # The same file for the same figures: no date inside, and names that do not change from run to run.
    with matplotlib.rc_context({"svg.hashsalt": "clconv", "font.size": 9}):
        dated = {"metadata": {"Date": None}} if target.suffix == ".svg" else {}
        draw(found).savefig(target, dpi=160, facecolor="white", **dated)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("result", type=Path, help="JSON of benchmarks.bench_models")
    parser.add_argument("--out", type=Path, help="picture; by default beside the JSON, as .svg")
    options = parser.parse_args(words)
    try:
        write(options.result, options.out or options.result.with_suffix(".svg"))
    except ValueError as reason:
        parser.error(f"{options.result}: {reason}")


if __name__ == "__main__":
    main()
