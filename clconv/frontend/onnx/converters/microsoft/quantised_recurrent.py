"""DynamicQuantizeLSTM: an LSTM of float32, whose weights are dequantised at load.

onnxruntime rounds the input and each step's state to 8 bits as well. Here both have 16 bits or float32, so that results are nearer
to those of the network that was quantised.
"""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import copy_node

_STATES = 8  # inputs of LSTM; behind them scale and zero point of both weights


def _weights(source: Source, build: Builder, index: int, scale: int) -> str:
    """(directions, gates, inputs) of float32, from integers (directions, inputs, gates), with a scale for each direction or
    for each gate of it."""
    name = "WR"[index - 1]
    for needed in (scale, scale + 1):
        if not source.input(needed):
            source.fail(f"input {needed} is missing, the scale or zero point of {name}")
    numbers = [source.input(scale), source.input(scale + 1)]
    rank = build.rank(numbers[0])
    if rank not in (1, 2):
        source.unsupported(f"a scale of {name} that has {rank} axes, or that no file declares")
    turned = build.helper(source, "Transpose", (source.input(index),), name, perm=(0, 2, 1))
    if rank == 1:  # kernels that read bytes know such weights
        return build.helper(source, "DequantizeLinear", (turned, *numbers), f"{name}_real", axis=0)
    whole = build.helper(source, "Cast", (turned,), f"{name}_whole", to="float32")
    zero = build.helper(source, "Cast", (numbers[1],), f"{name}_zero", to="float32")
    last = build.integers(source, [2], f"{name}_last")
    scale_each, zero_each = (
        build.helper(source, "Unsqueeze", (n, last), f"{name}_each") for n in (numbers[0], zero)
    )
    shifted = build.helper(source, "Sub", (whole, zero_each), f"{name}_shifted")
    return build.helper(source, "Mul", (shifted, scale_each), f"{name}_real")


def _lstm(source: Source, build: Builder) -> None:
    weights = (_weights(source, build, 1, _STATES), _weights(source, build, 2, _STATES + 2))
    inputs = (source.input(0), *weights, *(source.input(i) for i in range(3, _STATES)))
    while not inputs[-1]:
        inputs = inputs[:-1]
    copy_node(source, build, "LSTM", inputs, source.attrs)


CONVERTERS: dict[str, Converter] = {"DynamicQuantizeLSTM": _lstm}
