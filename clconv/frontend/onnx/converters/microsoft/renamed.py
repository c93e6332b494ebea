"""Operators that ONNX has as well, under another name or in an older form."""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Converter, Source

_GRID_MODES = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}


def _same(op: str) -> Converter:
    def convert(source: Source, build: Builder) -> None:
        build.emit(op, source.inputs, source.outputs, source.name, source.attrs)

    return convert


def _grid_sample(source: Source, build: Builder) -> None:
    mode = source.attrs.get("mode", "bilinear")
    attrs = {**source.attrs, "mode": _GRID_MODES.get(mode, mode)}
    build.emit("GridSample", source.inputs, source.outputs, source.name, attrs)


CONVERTERS: dict[str, Converter] = {
    "ExpandDims": _same("Unsqueeze"),
    "GatherND": _same("GatherND"),
    "GridSample": _grid_sample,
    "Pad": _same("Pad"),
    "Range": _same("Range"),
    "Trilu": _same("Trilu"),
    "Unique": _same("Unique"),
}
