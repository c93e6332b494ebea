"""Every text of a model, to be sure that it is text: protobuf hands on bytes that are not UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import onnx

from clconv.errors import ModelError


def refuse_broken_text(model: onnx.ModelProto, label: str) -> None:
    """ModelError if a name or description is not UTF-8, as in damaged files."""
    for text in _texts(model):
        if not isinstance(text, str):
            raise ModelError(f"{label}: is damaged: {text!r} stands where text must be")


def _texts(model: onnx.ModelProto) -> Iterator[Any]:
    yield from (model.producer_name, model.producer_version, model.domain, model.doc_string)
    yield from (o.domain for o in model.opset_import)
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    yield from _graph(model.graph)
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        yield from function.attribute
        yield from (o.domain for o in function.opset_import)
        yield from _nodes(function.node)


def _graph(graph: onnx.GraphProto) -> Iterator[Any]:
    yield from (graph.name, graph.doc_string)
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
        yield from (d.dim_param for d in value.type.tensor_type.shape.dim)
    for tensor in graph.initializer:
        yield from _tensor(tensor)
    for sparse in graph.sparse_initializer:
        yield sparse.values.name
    yield from _nodes(graph.node)


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[Any]:
    for node in nodes:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
            if attribute.HasField("t"):
                yield from _tensor(attribute.t)
            if attribute.HasField("g"):
                yield from _graph(attribute.g)
            for inner in attribute.graphs:
                yield from _graph(inner)


def _tensor(tensor: onnx.TensorProto) -> Iterator[Any]:
    yield tensor.name
    for entry in tensor.external_data:
        yield from (entry.key, entry.value)
