"""Convolution and pooling: strides, dilations and pads spelled out for every spatial axis."""

from __future__ import annotations

from typing import Any

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import copy_node
from clconv.graph.ops import get_op

# Which input holds the filters.
_FILTERS = {"Conv": 1, "ConvTranspose": 1, "DeformConv": 1, "ConvInteger": 1, "QLinearConv": 3}
_AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def _spelled_out(source: Source, spatial: int) -> dict[str, Any]:
    """The node's attributes with defaults for `spatial` axes; GraphError for wrong lengths.

    VALID becomes pads of zero; SAME_* stays and is settled when sizes are known.
    """
    attrs = dict(source.attrs)
    auto_pad = attrs.get("auto_pad", "NOTSET") or "NOTSET"
    if auto_pad not in _AUTO_PADS:
        source.fail(f"auto_pad {auto_pad!r} is not one of {_AUTO_PADS}")
    if auto_pad != "NOTSET":
        attrs.pop("pads", None)  # ONNX: either one or the other
    attrs["auto_pad"] = "NOTSET" if auto_pad == "VALID" else auto_pad
    for name, default, length in (
        ("strides", 1, spatial),
        ("dilations", 1, spatial),
        ("pads", 0, 2 * spatial),
    ):
        values = attrs.get(name) or (default,) * length
        if len(values) != length:
            source.fail(
                f"{name} {tuple(values)} must have {length} values for {spatial} spatial axes"
            )
        attrs[name] = values
    known = get_op(source.op).attributes  # not every operator with a window has every one of these
    return {k: v for k, v in attrs.items() if k in known or k in source.attrs}


def _pool(source: Source, build: Builder) -> None:
    kernel = source.attrs["kernel_shape"]
    if not kernel:
        source.fail("kernel_shape is empty")
    rank = build.rank(source.input(0))
    if rank is not None and rank != len(kernel) + 2:
        source.fail(f"kernel_shape {kernel} does not fit an input of rank {rank}")
    copy_node(source, build, source.op, source.inputs, _spelled_out(source, len(kernel)))


def _conv(source: Source, build: Builder) -> None:
    attrs = _spelled_out(source, _spatial_axes(source, build))
    attrs.pop("kernel_shape", None)
    copy_node(source, build, source.op, source.inputs, attrs)


def _spatial_axes(source: Source, build: Builder) -> int:
    """How many, from the filters, else from kernel_shape, else from the input, else from strides."""
    kernel = source.attrs.get("kernel_shape")
    name = source.input(_FILTERS[source.op])
    filters = build.shape(name)
    if filters is not None:
        if len(filters) < 3:
            source.fail(f"filters of shape {filters} must be (filters, channels, spatial...)")
        if kernel and not _agree(kernel, filters[2:]):
            source.fail(f"kernel_shape {kernel} disagrees with filters of shape {filters}")
        return len(filters) - 2
    if kernel:
        return len(kernel)
    rank = build.rank(source.input(0))
    if rank is not None and rank >= 3:
        return rank - 2
    for given in ("strides", "dilations"):
        if source.attrs.get(given):
            return len(source.attrs[given])
    source.fail(
        "nothing says how many spatial axes there are: give kernel_shape, or declare the shape of the "
        f"filters '{name}'"
    )


def _agree(kernel: tuple[int, ...], sizes: tuple[Any, ...]) -> bool:
    return len(kernel) == len(sizes) and all(
        k == s for k, s in zip(kernel, sizes, strict=True) if isinstance(s, int)
    )


CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys(_FILTERS, _conv),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "MaxUnpool"), _pool),
}
