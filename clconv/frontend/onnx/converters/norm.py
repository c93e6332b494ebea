"""Batch and group normalisation of every opset."""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import convert_default, copy_node


def _batch(source: Source, build: Builder) -> None:
    # Before opset 14 it is the further outputs that say training.
    if source.attrs.get("training_mode") or (any(source.outputs[1:]) and source.opset >= 7):
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
    """training_mode: statistics are those of this batch. The batch's own, which ONNX does not return, are named as well,
    so that a gradient finds them. Before opset 14 it does, as saved mean and variance: the latter is 1 / deviation, as in
    Caffe2, whose operator that was."""
    if not source.attrs.get("spatial", 1):
        source.unsupported("statistics of each pixel over the batch (spatial 0)")
    attrs = {k: v for k, v in source.attrs.items() if k in ("epsilon", "momentum")}
    attrs["training_mode"] = 1
    outputs = [source.output(i) for i in range(3)]
    outputs += [
        source.output(i) or build.values.fresh(f"{source.name}/{what}")
        for i, what in ((3, "mean"), (4, "inverse"))
    ]
    build.emit("BatchNormalization", source.inputs, tuple(outputs), source.name, attrs)


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
