"""PyTorch's convolutions forward and back, in a process of an environment of its own: see benchmarks/conv_gradients."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.conv_gradients.layers import LAYERS, Layer


def serve() -> None:
    """Answers each line, an index of LAYERS and how often, with the least milliseconds of each part."""
    import torch

    print(torch.__version__, flush=True)
    for line in sys.stdin:
        index, repeats, threads, by_clock = map(int, line.split())
        torch.set_num_threads(threads)
        now = time.perf_counter if by_clock else time.process_time
        found = _torch_times(torch, LAYERS[index], repeats, now)
        share = 1 if by_clock else threads
        print(json.dumps({name: value / share for name, value in found.items()}), flush=True)


def _torch_times(
    torch: Any, layer: Layer, repeats: int, now: Callable[[], float]
) -> dict[str, float]:
    best: dict[str, float] = {}
    for order in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(layer.batch, layer.channels, layer.size, layer.size)
        w = torch.randn(layer.filters, layer.channels // layer.group, layer.kernel, layer.kernel)
        x, w = x.contiguous(memory_format=order), w.contiguous(memory_format=order)
        two = ([layer.stride] * 2, [layer.pad] * 2, [1, 1])

        def forward(x: Any = x, w: Any = w, two: Any = two) -> Any:
            return torch.ops.aten.convolution(x, w, None, *two, False, [0, 0], layer.group)

        dy = torch.randn_like(forward())

        def backward(mask: list[bool], x: Any = x, w: Any = w, two: Any = two, dy: Any = dy) -> Any:
            return torch.ops.aten.convolution_backward(
                dy, x, w, None, *two, False, [0, 0], layer.group, mask
            )

        def together(forward: Any = forward, backward: Any = backward) -> None:
            forward()
            backward([True, True, False])

        runs = {
            "forward": forward,
            "data": lambda backward=backward: backward([True, False, False]),
            "weights": lambda backward=backward: backward([False, True, False]),
            "together": together,
        }
        for name, run in runs.items():
            run()
            times = []
            for _ in range(repeats):
                begin = now()
                run()
                times.append(now() - begin)
            best[name] = min(best.get(name, 1e9), 1e3 * min(times))
    return best


if __name__ == "__main__":
    serve()
