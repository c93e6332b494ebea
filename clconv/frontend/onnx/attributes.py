"""Attributes of an ONNX node as Python values, checked against the operator's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx
from onnx import AttributeProto

from clconv.errors import GraphError, UnsupportedError
from clconv.frontend.onnx.reading.files import Origin
from clconv.frontend.onnx.reading.sparse import read_sparse
from clconv.frontend.onnx.reading.tensors import read_tensor

_SIMPLE: dict[int, tuple[str, Callable[[Any], Any]]] = {
    AttributeProto.INT: ("i", int),
    AttributeProto.FLOAT: ("f", float),
    AttributeProto.INTS: ("ints", tuple),
    AttributeProto.FLOATS: ("floats", tuple),
    AttributeProto.GRAPH: ("g", lambda g: g),
}

# Left over from the first opsets, where it declared which inputs an operator may overwrite.
MEANINGLESS = ("consumed_inputs",)


def read_attributes(
    node: onnx.NodeProto,
    label: str,
    schema: onnx.defs.OpSchema | None,
    origin: Origin,
    kinds: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """name -> int, float, str, tuple, np.ndarray or GraphProto.

    With a schema, GraphError for attributes it does not have, of the wrong type, or missing. kinds: attribute ->
    AttributeProto's number for its type, for an operator that has no schema.
    """
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        name = attribute.name
        if name in found:
            raise GraphError(f"{label}: attribute '{name}' is given twice")
        if name in MEANINGLESS:
            continue
        kind = attribute.type
        if schema is not None:
            if name not in schema.attributes:
                raise GraphError(
                    f"{label}: unknown attribute '{name}'; version {schema.since_version} of the "
                    f"operator has {sorted(schema.attributes) or 'none'}"
                )
            kind = _expected(kind, attribute_kind(schema, name), name, label)
        elif kinds is not None:
            if name not in kinds:
                raise GraphError(
                    f"{label}: unknown attribute '{name}'; clconv knows {sorted(kinds) or 'none'}"
                )
            kind = _expected(kind, kinds[name], name, label)
        found[name] = _value(attribute, kind, label, origin)
    if schema is not None:
        missing = [k for k, v in schema.attributes.items() if v.required and k not in found]
        if missing:
            raise GraphError(f"{label}: attributes {sorted(missing)} are required")
    return found


def _expected(kind: int, wanted: int, name: str, label: str) -> int:
    """The type that an attribute must have; GraphError if it says another."""
    if kind not in (wanted, AttributeProto.UNDEFINED):
        raise GraphError(
            f"{label}: attribute '{name}' is {_kind_name(kind)}, must be {_kind_name(wanted)}"
        )
    return wanted


def _kind_name(kind: int) -> str:
    try:
        return str(AttributeProto.AttributeType.Name(kind))
    except ValueError:
        return f"type {kind}"


def _value(attribute: AttributeProto, kind: int, label: str, origin: Origin) -> Any:
    name = attribute.name
    if attribute.ref_attr_name:
        raise GraphError(f"{label}: attribute '{name}' refers to a function that is not there")
    if kind in _SIMPLE:
        field, convert = _SIMPLE[kind]
        return convert(getattr(attribute, field))
    if kind == AttributeProto.STRING:
        return _text(attribute.s, name, label)
    if kind == AttributeProto.STRINGS:
        return tuple(_text(s, name, label) for s in attribute.strings)
    if kind == AttributeProto.TENSOR:
        return read_tensor(attribute.t, f"{label}, attribute {name}", origin)
    if kind == AttributeProto.SPARSE_TENSOR:
        return read_sparse(attribute.sparse_tensor, f"{label}, attribute {name}", origin)
    raise UnsupportedError(f"{label}: attribute '{name}' of type {_kind_name(kind)}")


def _text(data: bytes, name: str, label: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise GraphError(f"{label}: attribute '{name}' is not UTF-8 text: {data!r}") from None


def attribute_kind(schema: onnx.defs.OpSchema, name: str) -> int:
    """AttributeProto's number for the type that the schema gives an attribute."""
    kind: Any = schema.attributes[name].type  # an enum that onnx's type stubs do not know as one
    return int(kind.value)


def schema_default(schema: onnx.defs.OpSchema, name: str) -> Any:
    """The schema's default of an attribute, None if it has none."""
    default = schema.attributes[name].default_value
    if default.type == AttributeProto.UNDEFINED:
        return None
    return _value(default, default.type, schema.name, Origin("schema", None))
