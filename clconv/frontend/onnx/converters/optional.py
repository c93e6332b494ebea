"""Optional values and sequences. What is optional is a tensor here, or it is absent: both are known at load."""

from __future__ import annotations

import numpy as np

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.graph.ir import DType


def _optional(source: Source, build: Builder) -> None:
    if not source.input(0):
        source.unsupported("an optional that holds nothing")
    build.alias(source.input(0), source.output(0))


def _get(source: Source, build: Builder) -> None:
    build.alias(source.input(0), source.output(0))


def _has(source: Source, build: Builder) -> None:
    name = build.constant(source, np.array(bool(source.input(0))), DType.BOOL, "has")
    build.alias(name, source.output(0))


CONVERTERS: dict[str, Converter] = {
    "Optional": _optional,
    "OptionalGetElement": _get,
    "OptionalHasElement": _has,
}
