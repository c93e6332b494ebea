"""Batch and group normalisation of every opset."""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import convert_default, copy_node


def _batch(source: Source, build: Builder) -> None:
    if source.attrs.get("training_mode"):
        _batch_statistics(source, build)
        return
    if source.opset < 7 and not source.attrs.get("is_test", 0):
        source.unsupported("is_test 0, only inference")
    if any(source.outputs[1:]):
        source.unsupported("more outputs than one, which only training has")
    attrs = {k: v for k, v in source.attrs.items() if k not in ("spatial", "is_test")}
    if source.attrs.get("spatial", 1):
        copy_node(source, build, "BatchNormalization", source.inputs, attrs)
        return
    # spatial 0: statistics of shape (C, spatial...) for every pixel, which broadcasting says as well.
    x, scale, bias, mean, variance = source.inputs
    epsilon = build.scalar_like(source, attrs.get("epsilon", 1e-5), variance, "epsilon")
    raised = build.helper(source, "Add", (variance, epsilon), "raised")
    deviation = build.helper(source, "Sqrt", (raised,), "deviation")
    factor = build.helper(source, "Div", (scale, deviation), "factor")
    centred = build.helper(source, "Sub", (x, mean), "centred")
    scaled = build.helper(source, "Mul", (centred, factor), "scaled")
    build.emit("Add", (scaled, bias), source.outputs, source.name)


def _batch_statistics(source: Source, build: Builder) -> None:
    """training_mode: statistics are those of this batch, as networks have them that keep no running ones.

    Further outputs are running statistics: running * momentum + the batch's * (1 - momentum).
    """
    x, scale, bias, mean, variance = source.inputs
    rank = build.rank(x)
    if rank is None:
        source.unsupported("training_mode 1 for an input whose rank is not known")
    axes = build.integers(source, (0, *range(2, rank)), "axes")
    behind = build.integers(source, range(1, rank - 1), "behind")
    # The mean and what rounding takes from it, which a large mean's deviation is not larger than.
    rounded = build.helper(source, "ReduceMean", (x, axes), "rounded_mean")
    near = build.helper(source, "Sub", (x, rounded), "near")
    rest = build.helper(source, "ReduceMean", (near, axes), "rest")
    centred = build.helper(source, "Sub", (near, rest), "centred")
    batch_mean = build.helper(source, "Add", (rounded, rest), "mean")
    squares = build.helper(source, "Mul", (centred, centred), "squares")
    batch_variance = build.helper(source, "ReduceMean", (squares, axes), "variance")
    epsilon = build.scalar_like(source, source.attrs.get("epsilon", 1e-5), x, "epsilon")
    raised = build.helper(source, "Add", (batch_variance, epsilon), "raised")
    deviation = build.helper(source, "Sqrt", (raised,), "deviation")
    normal = build.helper(source, "Div", (centred, deviation), "normal")
    wide = [build.helper(source, "Unsqueeze", (v, behind), "wide") for v in (scale, bias)]
    scaled = build.helper(source, "Mul", (normal, wide[0]), "scaled")
    build.emit("Add", (scaled, wide[1]), source.outputs[:1], source.name)
    momentum = source.attrs.get("momentum", 0.9)
    for index, (old, new) in enumerate(((mean, batch_mean), (variance, batch_variance)), 1):
        if source.output(index):
            flat = build.helper(source, "Squeeze", (new, axes), "flat")
            keep = build.scalar_like(source, momentum, old, "keep")
            take = build.scalar_like(source, 1 - momentum, old, "take")
            kept = build.helper(source, "Mul", (old, keep), "kept")
            added = build.helper(source, "Mul", (flat, take), "added")
            name = build.node_names.fresh(f"{source.name}/running{index}")
            build.emit("Add", (kept, added), (source.output(index),), name)


def _group(source: Source, build: Builder) -> None:
    """Until opset 20 scale and bias had one value a group: instance normalisation of the groups."""
    if source.opset >= 21:
        convert_default(source, build)
        return
    x, scale, bias = source.inputs
    wanted = build.integers(source, (0, source.attrs["num_groups"], -1), "groups_shape")
    groups = build.helper(source, "Reshape", (x, wanted), "groups")
    shape = build.helper(source, "Shape", (x,), "shape")
    normal = build.values.fresh(f"{source.name}/normal")
    attrs = {"epsilon": source.attrs["epsilon"]} if "epsilon" in source.attrs else {}
    build.emit("InstanceNormalization", (groups, scale, bias), (normal,), source.name, attrs)
    name = build.node_names.fresh(f"{source.name}/reshape")
    build.emit("Reshape", (normal, shape), source.outputs, name, {"allowzero": 1})


CONVERTERS: dict[str, Converter] = {"BatchNormalization": _batch, "GroupNormalization": _group}
