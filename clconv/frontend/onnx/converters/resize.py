"""What reads between pixels: Upsample and Resize, GridSample, RoiAlign."""

from __future__ import annotations

import numpy as np

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import copy_node
from clconv.graph.ir import DType

_OLD_MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear"}


def _upsample(source: Source, build: Builder) -> None:
    if "scales" in source.attrs:
        scales = build.constant(source, source.attrs["scales"], DType.FLOAT32, "scales")
    elif source.input(1):
        scales = source.input(1)
    else:
        source.unsupported("the form of opset 6 and older (height_scale, width_scale)")
    _emit_old(source, build, source.input(0), scales, "floor", source.outputs, source.name)


def _resize(source: Source, build: Builder) -> None:
    if source.opset < 11:
        _resize_10(source, build)
        return
    x, roi, scales, sizes = (source.input(i) for i in range(4))
    # Opset 11 wanted every input, so that absent ones are tensors without elements.
    scales, sizes = _dropped_if_empty(scales, build), _dropped_if_empty(sizes, build)
    if source.attrs.get("coordinate_transformation_mode") != "tf_crop_and_resize":
        roi = ""  # has no meaning otherwise
    inputs = [x, roi, scales, sizes]
    while not inputs[-1] and len(inputs) > 1:
        inputs.pop()
    copy_node(source, build, "Resize", tuple(inputs), source.attrs)


def _dropped_if_empty(name: str, build: Builder) -> str:
    value = build.known(name) if name else None
    return "" if value is not None and value.size == 0 else name


def _resize_10(source: Source, build: Builder) -> None:
    """Opset 10 names no rounding; onnxruntime, which models were made for, rounds coordinates down
    along axes that grow and up along axes that shrink."""
    x, scales = source.input(0), source.input(1)
    value = build.known(scales)
    if source.attrs.get("mode", "nearest") != "nearest" or (
        value is not None and (value >= 1).all()
    ):
        _emit_old(source, build, x, scales, "floor", source.outputs, source.name)
        return
    if value is not None and (value[value != 1] < 1).all():
        _emit_old(source, build, x, scales, "ceil", source.outputs, source.name)
        return
    # Nearest is separable: first the axes that shrink, then those that grow.
    one = build.constant(source, np.float32(1), DType.FLOAT32, "one")
    shrink = build.helper(source, "Min", (scales, one), "shrink")
    grow = build.helper(source, "Max", (scales, one), "grow")
    middle = build.values.fresh(f"{source.name}/shrunk")
    name = build.node_names.fresh(f"{source.name}/shrunk")
    _emit_old(source, build, x, shrink, "ceil", (middle,), name)
    _emit_old(source, build, middle, grow, "floor", source.outputs, source.name)


def _emit_old(
    source: Source,
    build: Builder,
    x: str,
    scales: str,
    nearest: str,
    outputs: tuple[str, ...],
    name: str,
) -> None:
    mode = source.attrs.get("mode", "nearest")
    if mode not in _OLD_MODES:
        source.fail(f"mode {mode!r} is not one of {sorted(_OLD_MODES)}")
    attrs = {
        "mode": _OLD_MODES[mode],
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": nearest,
    }
    build.emit("Resize", (x, "", scales), outputs, name, attrs)


def _grid_sample(source: Source, build: Builder) -> None:
    renamed = {"bilinear": "linear", "bicubic": "cubic"} if source.opset < 20 else {}
    mode = source.attrs.get("mode", "linear")
    attrs = {**source.attrs, "mode": renamed.get(mode, mode)}
    copy_node(source, build, "GridSample", source.inputs, attrs)


def _roi_align(source: Source, build: Builder) -> None:
    attrs = dict(source.attrs)
    if source.opset < 16:  # there was one mode, which is not today's default
        attrs["coordinate_transformation_mode"] = "output_half_pixel"
    copy_node(source, build, "RoiAlign", source.inputs, attrs)


CONVERTERS: dict[str, Converter] = {
    "Upsample": _upsample,
    "Resize": _resize,
    "GridSample": _grid_sample,
    "RoiAlign": _roi_align,
}
