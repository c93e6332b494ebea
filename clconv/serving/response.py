"""Arrays as a response's body: JSON, or JSON with the tensors' bytes behind it, as the request asked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.graph.ir import DType
from clconv.serving.datatypes import NAMES, in_body
from clconv.serving.request import HEADER_LENGTH, InferRequest


@dataclasses.dataclass(frozen=True)
class Encoded:
    content: bytes
    headers: dict[str, str]


def encode_response(
    model: str, version: str, request: InferRequest, outputs: Mapping[str, np.ndarray]
) -> Encoded:
    """The outputs that the request asked for. NaN and infinity are written as NaN and Infinity in JSON, as Triton and
    Python's json do; who reads strict JSON asks for bytes."""
    tensors: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for name, binary in request.binary.items():
        array = outputs[name]
        dtype = DType.of(array)
        tensor: dict[str, Any] = {
            "name": name,
            "datatype": NAMES[dtype],
            "shape": list(array.shape),
        }
        if binary:
            tail.append(array.astype(in_body(dtype), copy=False).tobytes())
            tensor["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            tensor["data"] = array.reshape(-1).tolist()
        tensors.append(tensor)
    document: dict[str, Any] = {"model_name": model, "model_version": version}
    if request.id is not None:
        document["id"] = request.id
    head = json.dumps({**document, "outputs": tensors}, separators=(",", ":")).encode()
    if not any(request.binary.values()):
        return Encoded(head, {"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
    return Encoded(b"".join([head, *tail]), headers)
