"""onnxruntime's names of tensor types, and what it tells of a model."""

from __future__ import annotations

import dataclasses

from clconv.graph.ir import DType

_NAMES = {DType.FLOAT32: "float", DType.FLOAT64: "double"}


def type_name(dtype: DType) -> str:
    """Such as "tensor(float)"."""
    return f"tensor({_NAMES.get(dtype, dtype.value)})"


@dataclasses.dataclass(frozen=True)
class NodeArg:
    """An input or output: name, type such as "tensor(float)", sizes (a name or None where it is open)."""

    name: str
    type: str
    shape: list[int | str | None]


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """What the model's file says of itself."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: dict[str, str] = dataclasses.field(default_factory=dict)
