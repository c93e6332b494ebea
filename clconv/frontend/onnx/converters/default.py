"""Operators that are the same in every opset: everything is copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx

from clconv.frontend.onnx.arity import has_schema
from clconv.frontend.onnx.attributes import schema_default
from clconv.frontend.onnx.build import Builder, Source
from clconv.graph.ops import get_op


def convert_default(source: Source, build: Builder) -> None:
    """The node as it is. UnsupportedError for an attribute that clconv's operator does not know."""
    copy_node(source, build, source.op, source.inputs, source.attrs)


def copy_node(
    source: Source, build: Builder, op: str, inputs: tuple[str, ...], attrs: Mapping[str, Any]
) -> None:
    """Emits the node itself, attributes restricted to those the operator knows."""
    known = {k: v for k, v in attrs.items() if k in get_op(op).attributes}
    for name in attrs.keys() - known.keys():
        if attrs[name] != _default(source, name):
            source.unsupported(f"attribute {name}={attrs[name]!r}")
    build.emit(op, inputs, source.outputs, source.name, known)


def _default(source: Source, name: str) -> Any:
    """ONNX's default; None where ONNX has no such operator in that opset, or it has no such attribute."""
    if not has_schema(source.op, source.opset):
        return None
    schema = onnx.defs.get_schema(source.op, source.opset, "")
    return schema_default(schema, name) if name in schema.attributes else None
