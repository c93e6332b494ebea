"""The schema of an operator in a model's opset, and how many inputs and outputs it takes."""

from __future__ import annotations

import onnx

from clconv.errors import UnsupportedError
from clconv.frontend.onnx.build import Source


def schema_of(op: str, opset: int) -> onnx.defs.OpSchema:
    """The operator's schema; UnsupportedError if the opset does not have it yet."""
    try:
        return onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        first = min(
            s.since_version
            for s in onnx.defs.get_all_schemas_with_history()
            if s.name == op and s.domain == ""
        )
        raise UnsupportedError(f"opset {opset} does not have it, it came with {first}") from None


def has_schema(op: str, opset: int) -> bool:
    """Whether ONNX has the operator in that opset."""
    try:
        onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return False
    return True


def check_arity(source: Source, schema: onnx.defs.OpSchema) -> None:
    """GraphError if inputs or outputs are too few or too many, or one is missing that must be there."""
    for what, names, least, most in (
        ("inputs", source.inputs, schema.min_input, schema.max_input),
        ("outputs", source.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            source.fail(f"{len(names)} {what}, takes {least} to {most}")
    if not source.outputs:
        source.fail("has no output")
    for index in range(min(len(source.inputs), schema.min_input)):
        formal = schema.inputs[index]
        optional = formal.option == onnx.defs.OpSchema.FormalParameterOption.Optional
        # Exporters leave out the roi of Resize-11, though its schema wants it.
        if not source.inputs[index] and not optional and source.op != "Resize":
            source.fail(f"input {index} ({formal.name}) is missing")
