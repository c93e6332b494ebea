"""Canonical Graph -> ONNX model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import EncodeError
from onnx import helper

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx.attributes import attribute_kind
from clconv.frontend.onnx.export.control import inner_nodes, write_control
from clconv.frontend.onnx.export.unfold import unfolded
from clconv.frontend.onnx.reading.files import PROTOBUF_LIMIT
from clconv.frontend.onnx.reading.tensors import ENUMS, write_tensor
from clconv.frontend.onnx.structure import Names
from clconv.graph.ir import DType, Graph, Node, TensorSpec
from clconv.graph.ops import get_op
from clconv.store.files import write

# Engines in use read 21; only a graph with an operator that came later asks for more.
LEAST_OPSET = 21


def export_onnx(graph: Graph, path: str | os.PathLike[str] | None = None) -> bytes:
    """The graph as the bytes of an ONNX model, also written to `path` if one is given.

    Epilogue steps become nodes of their own, padding modes of convolution and pooling become Pad nodes.
    The opset is 21, or what the newest operator of the graph needs. Layouts are not part of ONNX: shapes
    are written in logical order.

    Raises GraphError or UnsupportedError naming a node that ONNX cannot say, ModelError if the model is
    over protobuf's 2 GiB or cannot be written.
    """
    nodes, extra = unfolded(graph)
    opset = max([LEAST_OPSET, *(_first_opset(n) for n in nodes)])
    constants = {**graph.constants, **extra}
    made = {name for node in nodes for name in (node.name, *node.outputs)}
    names = Names({*graph.inputs, *constants, *made})
    used = {n for node in nodes for n in node.inputs} | set(graph.outputs)
    size = sum(c.spec.nbytes for n, c in constants.items() if n in used)
    if size > PROTOBUF_LIMIT:
        raise ModelError(
            f"graph '{graph.name}': {size} bytes of constants, a model holds 2 GiB at most"
        )
    proto = helper.make_graph(
        [_node(n, opset, names) for n in nodes],
        graph.name or "model",
        [_value(n, graph.specs[n]) for n in graph.inputs],
        [],
        [write_tensor(c.array, n) for n, c in constants.items() if n in used],
        doc_string=str(graph.metadata.get("graph_description", "")) or None,
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        proto,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        **_described(graph.metadata),
    )
    helper.set_model_props(model, dict(graph.metadata.get("custom", {})))
    model.graph.output.extend(_outputs(graph, model))
    try:
        data = model.SerializeToString()
    except (EncodeError, ValueError) as reason:
        raise ModelError(f"graph '{graph.name}': cannot be written as ONNX: {reason}") from None
    if path is not None:
        try:
            write(Path(path), data)
        except OSError as reason:
            raise ModelError(f"{path}: cannot be written: {reason.strerror or reason}") from None
    return data


def _described(metadata: Mapping[str, Any]) -> dict[str, Any]:
    fields = {
        "domain": str(metadata.get("domain", "")),
        "doc_string": str(metadata.get("description", "")),
        "model_version": int(metadata.get("version", 0)),
    }
    return {"producer_name": "clconv", **{k: v for k, v in fields.items() if v}}


def _value(name: str, spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, ENUMS[spec.dtype], list(spec.shape))


def _outputs(graph: Graph, model: onnx.ModelProto) -> Iterable[onnx.ValueInfoProto]:
    """Declarations of the outputs: from the graph's specs, what was imported, or onnx's inference."""
    known: dict[str, TensorSpec] = {
        **graph.metadata.get("output_specs", {}),
        **graph.specs,
        **{n: c.spec for n, c in graph.constants.items()},
    }
    missing = [n for n in graph.outputs if n not in known]
    inferred = _inferred(model, missing) if missing else {}
    for name in graph.outputs:
        if name in known:
            yield _value(name, known[name])
        elif name in inferred:
            yield inferred[name]
        else:
            raise GraphError(
                f"graph '{graph.name}': dtype and rank of output '{name}' are not known; specialise the graph "
                "for given input shapes first"
            )


def _inferred(model: onnx.ModelProto, names: list[str]) -> dict[str, onnx.ValueInfoProto]:
    """What onnx infers about the named outputs (which the model does not declare yet)."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    try:
        result = onnx.shape_inference.infer_shapes(copy)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        return {}
    return {v.name: v for v in result.graph.output if v.type.tensor_type.HasField("shape")}


def _schema(node: Node, opset: int | None = None) -> onnx.defs.OpSchema:
    try:
        return onnx.defs.get_schema(node.op, opset or onnx.defs.onnx_opset_version(), "")
    except onnx.defs.SchemaError:
        raise UnsupportedError(
            f"node '{node.name}': {node.op} is no ONNX operator, it cannot be exported"
        ) from None


def _first_opset(node: Node) -> int:
    """The oldest opset, 21 or later, whose form of the operator can say this node."""
    _schema(node)
    if get_op(node.op).control is not None:
        return max([LEAST_OPSET, *(_first_opset(inner) for inner in inner_nodes(node))])
    for opset in range(LEAST_OPSET, onnx.defs.onnx_opset_version() + 1):
        try:
            schema = onnx.defs.get_schema(node.op, opset, "")
        except onnx.defs.SchemaError:
            continue
        more = _attributes(node).keys() - schema.attributes.keys()
        if not more and len(node.inputs) <= schema.max_input:
            return opset
    unknown = sorted(_attributes(node).keys() - _schema(node).attributes.keys())
    what = f"attributes {unknown}" if unknown else f"form of it with {len(node.inputs)} inputs"
    raise UnsupportedError(f"node '{node.name}' ({node.op}): ONNX has no {what}")


_EMPTY: tuple[Any, ...] = (None, (), "")
# Attributes that ONNX leaves out, or does not have in opset 21 yet, where they have this value.
_SILENT: dict[tuple[str, str], Any] = {
    ("Split", "num_outputs"): 0,
    ("Cast", "round_mode"): "up",
    ("CastLike", "round_mode"): "up",
    ("Range", "stash_type"): 1,
    ("SpaceToDepth", "mode"): "DCR",
    ("QuantizeLinear", "precision"): 0,
    ("Attention", "left_window_size"): -1,
    ("Attention", "right_window_size"): -1,
    **{(op, "hidden_size"): 0 for op in ("RNN", "GRU", "LSTM")},
    **{(op, "clip"): 0.0 for op in ("RNN", "GRU", "LSTM")},
}
_DTYPES = {("Cast", "to"), ("EyeLike", "dtype"), ("QuantizeLinear", "output_dtype"),
           ("DequantizeLinear", "output_dtype"), ("MelWeightMatrix", "output_datatype")}  # fmt: skip


def _attributes(node: Node) -> dict[str, Any]:
    """The node's attributes as ONNX has them, without those that are absent or meaningless there."""
    attrs = {
        k: ENUMS[DType(v)] if (node.op, k) in _DTYPES else v
        for k, v in node.attrs.items()
        if v not in _EMPTY and v != _SILENT.get((node.op, k))
    }
    attrs.pop("pad_mode", None)  # a Pad node says it
    if node.op == "Dropout" and attrs.pop("generator") != "numpy":
        attrs.pop("seed")  # to ONNX it is one of NumPy's
    if attrs.get("auto_pad", "NOTSET") != "NOTSET":
        attrs.pop("pads", None)
    if node.op == "AveragePool" and set(node.attrs.dilations) == {1}:
        attrs.pop("dilations")  # onnxruntime's own operator for bytes refuses what it does not have
    if node.op == "ConstantOfShape":
        dtype = DType(attrs.pop("dtype"))
        attrs["value"] = helper.make_tensor("value", ENUMS[dtype], (1,), [attrs["value"]])
    return attrs


def _node(node: Node, opset: int, names: Names) -> onnx.NodeProto:
    if get_op(node.op).control is not None:
        return write_control(node, names, lambda inner: _node(inner, opset, names))
    schema = _schema(node, opset)
    # Behind ONNX's outputs stands what only a gradient reads.
    outputs = node.outputs[: schema.max_output]
    proto = onnx.NodeProto(op_type=node.op, name=node.name, input=node.inputs, output=outputs)
    for name, value in _attributes(node).items():
        kind = attribute_kind(schema, name)
        if kind in (onnx.AttributeProto.FLOAT, onnx.AttributeProto.FLOATS):
            value = [float(v) for v in value] if isinstance(value, tuple) else float(value)
        proto.attribute.append(helper.make_attribute(name, value, attr_type=kind))
    return proto
