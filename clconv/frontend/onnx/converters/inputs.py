"""Attributes of old opsets that became inputs: axes, starts, pads, bounds, k, split, ratio."""

from __future__ import annotations

import numpy as np

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import convert_default, copy_node
from clconv.graph.ir import DType


def _integers_to_input(name: str, required: bool = False) -> Converter:
    """A converter that turns one attribute of integers into input 1 where it is an attribute."""

    def convert(source: Source, build: Builder) -> None:
        if name not in source.attrs:
            if required and not source.input(1):
                source.fail(f"neither an attribute nor an input says {name}")
            convert_default(source, build)
            return
        values = build.integers(source, np.atleast_1d(source.attrs[name]), name)
        copy_node(source, build, source.op, (source.input(0), values), source.without(name))

    return convert


def _slice(source: Source, build: Builder) -> None:
    if "starts" not in source.attrs:
        convert_default(source, build)
        return
    starts, ends = source.attrs["starts"], source.attrs["ends"]
    axes = source.attrs.get("axes", tuple(range(len(starts))))
    if not len(starts) == len(ends) == len(axes):
        source.fail(f"starts {starts}, ends {ends} and axes {axes} must be of one length")
    inputs = [source.input(0)]
    inputs += [
        build.integers(source, values, hint)
        for values, hint in ((starts, "starts"), (ends, "ends"), (axes, "axes"))
    ]
    copy_node(source, build, "Slice", tuple(inputs), {})


def _clip(source: Source, build: Builder) -> None:
    if source.opset >= 11:
        convert_default(source, build)
        return
    x = source.input(0)
    bounds = [
        build.scalar_like(source, source.attrs[name], x, name) if name in source.attrs else ""
        for name in ("min", "max")
    ]
    while bounds and not bounds[-1]:
        bounds.pop()
    copy_node(source, build, "Clip", (x, *bounds), {})


def _pad(source: Source, build: Builder) -> None:
    if source.opset >= 11:
        convert_default(source, build)
        return
    pads = source.attrs.get("pads", source.attrs.get("paddings", ()))
    inputs = [source.input(0), build.integers(source, pads, "pads")]
    value, mode = source.attrs.get("value", 0.0), source.attrs.get("mode", "constant")
    if value and mode == "constant":
        inputs.append(build.scalar_like(source, value, source.input(0), "value"))
    copy_node(source, build, "Pad", tuple(inputs), {"mode": mode})


def _split(source: Source, build: Builder) -> None:
    attrs = source.without("split", "num_outputs")
    inputs = source.inputs
    if "split" in source.attrs:
        inputs = (source.input(0), build.integers(source, source.attrs["split"], "split"))
    if len(inputs) == 1:
        count = source.attrs.get("num_outputs", len(source.outputs))
        if count != len(source.outputs):
            source.fail(f"num_outputs {count} but {len(source.outputs)} outputs")
        attrs["num_outputs"] = count
    elif source.attrs.get("num_outputs"):
        source.fail("sizes in split and num_outputs exclude each other")
    copy_node(source, build, "Split", inputs, attrs)


def _dropout(source: Source, build: Builder) -> None:
    """Before opset 7 an attribute selected training, which is refused."""
    if source.opset < 7 and not source.attrs.get("is_test", 0):
        source.unsupported("training mode (is_test 0)")
    if source.opset >= 12:
        seed = source.attrs.get("seed")
        told = {} if seed is None or not 0 <= seed < 2**32 else {"generator": "numpy"}
        copy_node(source, build, "Dropout", source.inputs, {**source.attrs, **told})
        return
    ratio = build.constant(source, source.attrs.get("ratio", 0.5), DType.FLOAT32, "ratio")
    x, mask = source.input(0), source.output(1)
    build.emit("Dropout", (x, ratio), (source.output(0),), source.name)
    if mask:  # opset 12 made it true where data is kept; before, onnxruntime leaves it zero
        name = build.node_names.fresh(f"{source.name}/mask")
        shape = build.helper(source, "Shape", (x,), "shape")
        zeros = {"value": False, "dtype": DType.BOOL.value}
        if source.opset >= 10:
            build.emit("ConstantOfShape", (shape,), (mask,), name, zeros)
        else:
            plain = build.helper(source, "ConstantOfShape", (shape,), "zeros", **zeros)
            build.emit("CastLike", (plain, x), (mask,), name)


_REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp")
CONVERTERS: dict[str, Converter] = {
    **{f"Reduce{kind}": _integers_to_input("axes") for kind in _REDUCTIONS},
    "Squeeze": _integers_to_input("axes"),
    "Unsqueeze": _integers_to_input("axes", required=True),
    "TopK": _integers_to_input("k", required=True),
    "Reshape": _integers_to_input("shape", required=True),
    "Slice": _slice,
    "Clip": _clip,
    "Pad": _pad,
    "Split": _split,
    "Dropout": _dropout,
}
