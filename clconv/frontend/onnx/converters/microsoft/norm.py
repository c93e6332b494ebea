"""Normalisations that onnxruntime fuses: layer and RMS normalisation with a skip connection, of embeddings, GroupNorm."""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.graph.ir import DType

_EPSILON = 1e-5


def _normalised(source: Source, build: Builder, op: str, x: str, scale_and_bias: list[str]) -> None:
    _refuse_outputs(source, 1)
    attrs = {
        "axis": source.attrs.get("axis", -1),
        "epsilon": source.attrs.get("epsilon", _EPSILON),
    }
    build.emit(op, (x, *scale_and_bias), source.outputs[:1], source.name, attrs)


def _refuse_outputs(source: Source, first: int, last: int | None = None) -> None:
    if any(source.outputs[first:last]):
        source.unsupported("statistics as further outputs, which only training has")


def _layer(source: Source, build: Builder) -> None:
    given = [n for n in source.inputs[1:3] if n]
    _normalised(source, build, "LayerNormalization", source.input(0), given)


def _simplified(source: Source, build: Builder) -> None:
    _normalised(source, build, "RMSNormalization", source.input(0), [source.input(1)])


def _with_skip(op: str, bias_index: int) -> Converter:
    """Normalises x + skip (+ bias); the last output is that sum."""

    def convert(source: Source, build: Builder) -> None:
        _refuse_outputs(source, 1, 3)
        terms = [n for n in (*source.inputs[:2], source.input(bias_index)) if n]
        total = source.output(3) or build.values.fresh(f"{source.name}/sum")
        build.emit("Sum", terms, (total,), build.node_names.fresh(f"{source.name}/sum"))
        own = [n for n in source.inputs[2:bias_index] if n]
        attrs = {"axis": -1, "epsilon": source.attrs.get("epsilon", 1e-12)}
        build.emit(op, (total, *own), source.outputs[:1], source.name, attrs)

    return convert


def _group(source: Source, build: Builder) -> None:
    """GroupNorm, channels last unless channels_last is 0, then x * sigmoid(x) if activation is 1.

    SkipGroupNorm normalises x + skip + bias, where skip and bias may be (batch, channels).
    """
    x, scale, bias = source.inputs[:3]
    if source.op == "SkipGroupNorm":
        total = source.output(1) or build.values.fresh(f"{source.name}/sum")
        terms = [n for n in (x, *source.inputs[3:5]) if n]
        if any(build.rank(n) not in (1, 4) for n in terms[1:]):
            source.unsupported("a skip or bias whose rank is not known to be 4 or 1")
        build.emit("Sum", terms, (total,), build.node_names.fresh(f"{source.name}/sum"))
        x = total
    last = source.attrs.get("channels_last", 1)
    if last:
        x = build.helper(source, "Transpose", (x,), "nchw", perm=(0, 3, 1, 2))
    attrs = {
        "num_groups": source.attrs["groups"],
        "epsilon": source.attrs.get("epsilon", _EPSILON),
    }
    normal = build.helper(source, "GroupNormalization", (x, scale, bias), "normal", **attrs)
    if source.attrs.get("activation", 0):
        normal = build.helper(source, "Swish", (normal,), "swish", alpha=1.0)
    perm = (0, 2, 3, 1) if last else (0, 1, 2, 3)
    build.emit("Transpose", (normal,), source.outputs[:1], source.name, {"perm": perm})


def _embedding(source: Source, build: Builder) -> None:
    """EmbedLayerNormalization: the rows of tables for words, places and segments, added and normalised.

    Inputs words, segments, three tables, scale and bias of the norm, mask, places (counted from 0 by default). Outputs: the
    result, how many words the mask leaves each row, and the sum.
    """
    words, segments = source.input(0), source.input(1)
    for index in (2, 3, *([4] if segments else []), 5, 6):
        if not source.input(index):
            source.fail(f"input {index} is missing")
    total = build.helper(source, "Gather", (source.input(2), words), "words", axis=0)
    if source.input(8):
        places = build.helper(
            source, "Gather", (source.input(3), source.input(8)), "places", axis=0
        )
    else:
        first, axis = build.integers(source, (0,), "first"), build.integers(source, (0,), "axis")
        count = build.helper(source, "Shape", (words,), "count", start=1, end=2)
        places = build.helper(source, "Slice", (source.input(3), first, count, axis), "places")
    terms = [total, places]
    if segments:
        rows = (source.input(4), segments)
        terms.append(build.helper(source, "Gather", rows, "segments", axis=0))
    total = source.output(2) or build.values.fresh(f"{source.name}/sum")
    build.emit("Sum", terms, (total,), build.node_names.fresh(f"{source.name}/sum"))
    attrs = {"axis": -1, "epsilon": source.attrs.get("epsilon", 1e-12)}
    affine = (source.input(5), source.input(6))
    build.emit("LayerNormalization", (total, *affine), source.outputs[:1], source.name, attrs)
    if source.output(1):
        _counted(source, build, source.input(7) or words, bool(source.input(7)))


def _counted(source: Source, build: Builder, mask: str, is_mask: bool) -> None:
    """The second output: the sum of each row of a mask, 0 without one."""
    name = build.node_names.fresh(f"{source.name}/kept")
    numbers = build.helper(source, "Cast", (mask,), "numbers", to="int32")
    if not is_mask:
        zero = build.constant(source, 0, DType.INT32, "zero")
        numbers = build.helper(source, "Mul", (numbers, zero), "none")
    axes = build.integers(source, (1,), "axes")
    build.emit("ReduceSum", (numbers, axes), (source.output(1),), name, {"keepdims": 0})


CONVERTERS: dict[str, Converter] = {
    "EmbedLayerNormalization": _embedding,
    "LayerNormalization": _layer,
    "SimplifiedLayerNormalization": _simplified,
    "SkipLayerNormalization": _with_skip("LayerNormalization", 4),
    "SkipSimplifiedLayerNormalization": _with_skip("RMSNormalization", 3),
    "GroupNorm": _group,
    "SkipGroupNorm": _group,
}
