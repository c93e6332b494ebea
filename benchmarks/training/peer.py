"""PyTorch as the peer in training: one step in eager mode on two threads, of a network that lies in a folder.

    python -m benchmarks.training.peer FOLDER LAYOUT

LAYOUT is nchw or channels_last. The folder holds what training.engine.write() left there. Needs torch and numpy only, so
that it runs in an environment without clconv. Speaks as benchmarks/engines.py does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.engines import Runner, serve

Tensor = Any
THREADS = 2
MEMORY = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}
LOSSES = {
    "cross_entropy": F.cross_entropy,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
}


def _conv(at: Any, x: Tensor, w: Tensor, b: Tensor = None) -> Tensor:
    half = len(at["pads"]) // 2
    assert at["pads"][:half] == at["pads"][half:], "even padding only"
    return F.conv2d(x, w, b, at["strides"], at["pads"][:half], at["dilations"], at["group"])


def _conv_transpose(at: Any, x: Tensor, w: Tensor, b: Tensor = None) -> Tensor:
    pads, more = at["pads"][:2], at["output_padding"]
    return F.conv_transpose2d(x, w, b, at["strides"], pads, more, at["group"], at["dilations"])


def _pool(at: Any, x: Tensor) -> Tensor:
    half = len(at["pads"]) // 2
    pads, ceil = at["pads"][:half], bool(at["ceil_mode"])
    return F.max_pool2d(x, at["kernel_shape"], at["strides"], pads, ceil_mode=ceil)


def _batch_norm(at: Any, x: Tensor, s: Tensor, b: Tensor, m: Tensor, v: Tensor) -> Tensor:
    return F.batch_norm(x, m, v, s, b, True, 1 - at["momentum"], at["epsilon"])


# Activations overwrite what they read, as torchvision's models do: no operator here keeps its own result for later but
# batch norms and convolutions, which keep what they read.
OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNormalization": _batch_norm,
    "Relu": lambda at, x: F.relu_(x),
    "Clip": lambda at, x, low, high: F.hardtanh_(x, float(low), float(high)),
    "LRN": lambda at, x: F.local_response_norm(x, at["size"], at["alpha"], at["beta"], at["bias"]),
    "Dropout": lambda at, x, rate: F.dropout(x, float(rate), training=True),
    "MaxPool": _pool,
    "GlobalAveragePool": lambda at, x: F.adaptive_avg_pool2d(x, 1),
    "Flatten": lambda at, x: torch.flatten(x, at["axis"]),
    "Gemm": lambda at, a, b, c: F.linear(a, b if at["transB"] else b.T, c),
    "Add": lambda at, x, y: x + y,
    "Concat": lambda at, *xs: torch.cat(xs, at["axis"]),
}


def load(folder: Path, layout: str, device: str = "cpu") -> tuple[Runner, str]:
    """device: as PyTorch calls it; on a GPU products of float32 are not rounded to tf32."""
    torch.set_num_threads(THREADS)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    net = json.loads((folder / "net.json").read_text(encoding="utf-8"))
    values = {n: torch.from_numpy(a) for n, a in np.load(folder / "values.npz").items()}
    for name, value in values.items():
        if value.dim() == 4:
            value = value.contiguous(memory_format=MEMORY[layout])
        # Single numbers are read by the host, which must not wait for the device.
        values[name] = value.to(device) if value.dim() else value
    learned = [values[n].requires_grad_() for n in net["parameters"]]
    optimizer = torch.optim.SGD(learned, **net["sgd"])
    loss_of, target = LOSSES[net["loss"]], values.pop(net["target"])
    steps = [(OPERATORS[n["op"]], n) for n in net["nodes"]]

    def forward() -> Tensor:
        found = dict(values)
        for call, node in steps:
            given = [found[n] for n in node["inputs"] if n]
            found[node["outputs"][0]] = call(node["attrs"], *given)
            for name in node["last"]:
                del found[name]
        return found[net["output"]]

    def run() -> dict[str, np.ndarray]:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(forward(), target)
        loss.backward()
        optimizer.step()
        return {"loss": np.array(loss.item())}

    return run, f"torch {torch.__version__}, {torch.get_num_threads()} threads, {layout}"


if __name__ == "__main__":
    serve(lambda: load(Path(sys.argv[1]), sys.argv[2]))
