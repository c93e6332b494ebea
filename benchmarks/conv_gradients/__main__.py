"""Convolutions forward and back, by layer: clconv's kernels against PyTorch's, which runs in an environment of its own.

    python -m benchmarks.conv_gradients --torch TORCH_ENVIRONMENT/bin/python --json FILE.json

Times are those of a processor: of all threads together, divided by how many there are, so that what else runs on a machine
counts little; --clock takes the clock's. PyTorch runs in eager mode, the better of NCHW and channels_last. The least of several
runs, in turns. Conversions of layouts at the ends of a graph of one node are left out: inside a network there are none.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.conv_gradients.layers import LAYERS, Layer

PARTS = ("forward", "data", "weights")


class Clconv:
    """The three nodes of a layer as plans of their own, on a device."""

    def __init__(self, layer: Layer, weight_gradient: str | None = None) -> None:
        import numpy as np

        from clconv.device.options import PlanOptions
        from clconv.graph.derivatives import gradients
        from clconv.graph.ir import Constant, Graph, TensorSpec
        from clconv.graph.ops import make_node
        from clconv.planning.planner import Planner
        from clconv.runtime.device import choose_device
        from clconv.runtime.prepared import PreparedDevice

        rng = np.random.default_rng(0)
        x_shape = (layer.batch, layer.channels, layer.size, layer.size)
        w = (layer.filters, layer.channels // layer.group, layer.kernel, layer.kernel)
        window = {"strides": (layer.stride,) * 2, "dilations": (1, 1), "pads": (layer.pad,) * 4}
        node = make_node("Conv", ["x", "w"], ["y"], group=layer.group, **window)
        weights = Constant(rng.standard_normal(w).astype(np.float32))
        forward = Graph("g", (node,), ("x",), ("y",), {"x": TensorSpec(x_shape)}, {"w": weights})
        y_shape = (layer.batch, layer.filters, layer.out, layer.out)
        weighted = Graph(
            "g",
            (node, make_node("Mul", ["y", "dy"], ["z"])),
            ("x", "dy"),
            ("z",),
            {"x": TensorSpec(x_shape), "dy": TensorSpec(y_shape)},
            {"w": weights},
        )
        device = choose_device("cpu")
        forced = {"convweightgradient": weight_gradient} if weight_gradient else {}
        planner = Planner(device, PlanOptions(forced=forced, images_at_once=0, joining=False))
        self.bound, self.variants = {}, {}
        for name, graph in (
            ("forward", forward),
            ("data", _only(gradients(weighted, ["z"], ["x"]), "x.grad")),
            ("weights", _only(gradients(weighted, ["z"], ["w"]), "w.grad")),
        ):
            plan = planner.plan(graph, {n: graph.specs[n] for n in graph.inputs})
            bound = PreparedDevice(plan.device).bind(plan)
            bound.run(
                {
                    n: rng.standard_normal(plan.graph.spec(n).shape).astype(np.float32)
                    for n in plan.graph.inputs
                }
            )
            self.bound[name] = bound
            self.variants[name] = _variant(plan)

    def times(self, repeats: int, threads: int, by_clock: bool) -> dict[str, float]:
        """Milliseconds of each part."""
        found = {}
        now = time.perf_counter if by_clock else time.process_time
        share = 1 if by_clock else threads
        for name, bound in self.bound.items():
            nodes = {n.name for n in bound.plan.graph.nodes if "Conv" in n.op}
            queue = bound.device.queue()
            totals = []
            for _ in range(repeats):
                total = 0.0
                for call, launch in zip(bound.plan.calls, bound.launches, strict=True):
                    begin = now()
                    queue.launch(*launch)
                    queue.finish()
                    if call.node in nodes:
                        total += now() - begin
                totals.append(total)
            found[name] = 1e3 * min(totals) / share
        return found


def _only(graph: Any, output: str) -> Any:
    """The graph with that output alone, of what it depends on."""
    from clconv.graph.specialise.specialise import specialise

    settled = specialise(graph, graph.specs).graph.replace(outputs=(output,))
    needed, nodes = {output}, []
    for node in reversed(settled.nodes):
        if needed.intersection(node.outputs):
            nodes.append(node)
            needed.update(node.inputs)
    inputs = tuple(n for n in settled.inputs if n in needed)
    return settled.replace(nodes=tuple(reversed(nodes)), inputs=inputs)


def _variant(plan: Any) -> str:
    node = next(n for n in plan.graph.nodes if "Conv" in n.op)
    return f"{node.op}:{plan.lowered.choices[node.name].variant.name}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", help="a Python interpreter that has PyTorch")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", action="store_true", help="the clock's time, not the processors'"
    )
    parser.add_argument("--only", nargs="*", default=[], help="words of networks or layers")
    parser.add_argument("--weight-gradient", help="a variant of ConvWeightGradient to take")
    parser.add_argument("--json", help="a file for the numbers")
    given = parser.parse_args()
    os.environ["POCL_MAX_PTHREAD_COUNT"] = str(given.threads)
    peer = None
    if given.torch:
        peer = subprocess.Popen(
            [given.torch, "-m", "benchmarks.conv_gradients.torch_times"],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        print("torch", peer.stdout.readline().strip())  # type: ignore[union-attr]
    rows = []
    for index, layer in enumerate(LAYERS):
        text = f"{layer.network} {layer.label}"
        if given.only and not any(word in text for word in given.only):
            continue
        own = Clconv(layer, given.weight_gradient)
        mine: dict[str, float] = {}
        theirs: dict[str, float] = {}
        for _ in range(2):
            _least(mine, own.times(given.repeats, given.threads, given.clock))
            if peer is not None:
                peer.stdin.write(f"{index} {given.repeats} {given.threads} {int(given.clock)}\n")  # type: ignore[union-attr]
                peer.stdin.flush()  # type: ignore[union-attr]
                _least(theirs, json.loads(peer.stdout.readline()))  # type: ignore[union-attr]
        mine["together"] = sum(mine.values())
        row = {
            "layer": dataclasses.asdict(layer),
            "label": layer.label,
            "clconv": mine,
            "torch": theirs,
        }
        rows.append({**row, "variants": own.variants})
        print(_text(layer, mine, theirs, own.variants), flush=True)
    if given.json:
        from clconv.store.files import write

        write(Path(given.json), json.dumps(rows, indent=1))


def _least(best: dict[str, float], found: dict[str, float]) -> None:
    for name, value in found.items():
        best[name] = min(best.get(name, value), value)


def _text(
    layer: Layer, mine: dict[str, float], theirs: dict[str, float], variants: dict[str, str]
) -> str:
    parts = [f"{layer.network:11} {layer.label:34}"]
    for name in (*PARTS, "together"):
        text = f"{mine[name]:6.2f}"
        if theirs:
            text += f"/{theirs[name]:6.2f}={mine[name] / theirs[name]:4.2f}"
        parts.append(text)
    parts.append(f"{layer.flops / mine['weights'] / 1e6:4.0f} GF/s")
    parts.append(" ".join(variants.values()))
    return "  ".join(parts)


if __name__ == "__main__":
    main()
