"""A request's body as arrays: JSON, or JSON with the tensors' bytes behind it (the binary tensor data extension).

Nothing is believed: a shape is compared with the data that is there before anything of its size is made.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.graph.ir import MOST_AXES, DType, TensorSpec
from clconv.serving.datatypes import NAMES, in_body
from clconv.serving.refused import bad
from clconv.serving.values import values_of

Specs = Mapping[str, TensorSpec]

# Behind it stands how many bytes of the body are JSON; all of them without it.
HEADER_LENGTH = "Inference-Header-Content-Length"

_LIKE_THIS = '{"inputs": [{"name": ..., "shape": [...], "datatype": ..., "data": [...]}]}'


@dataclasses.dataclass(frozen=True)
class InferRequest:
    """feeds: arrays by input name. binary: for each output that is asked for, in this order, whether its data comes as
    bytes. id: what the client calls the request, None if nothing."""

    feeds: dict[str, np.ndarray]
    binary: dict[str, bool]
    id: str | None


class _Tail:
    """The bytes behind the JSON part, which the inputs take in their order."""

    def __init__(self, content: memoryview) -> None:
        self._content, self._at = content, 0

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def take(self, name: str, size: Any, wanted: int) -> memoryview:
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise bad(f"input '{name}': binary_data_size is a number of bytes, not {size!r}")
        if size != wanted:
            raise bad(
                f"input '{name}': binary_data_size is {size}, but its shape and datatype need {wanted} bytes"
            )
        if size > self.left:
            raise bad(
                f"input '{name}': {size} bytes of data are announced and {self.left} are there: the body was cut off, or "
                f"{HEADER_LENGTH} is wrong"
            )
        self._at += size
        return self._content[self._at - size : self._at]


def parse_request(
    body: bytes, header_length: str | None, specs: Specs, outputs: tuple[str, ...]
) -> InferRequest:
    """What a body asks for. header_length: the text behind HEADER_LENGTH. specs: of the model's inputs; outputs: their
    names. Sizes are not compared with the specs. Raises Refused that says what to send instead."""
    length = _json_length(header_length, len(body))
    document = _document(body[:length])
    tail = _Tail(memoryview(body)[length:])
    given = document.get("inputs")
    if not isinstance(given, list):
        raise bad(f"the request has no list of inputs; send {_LIKE_THIS}")
    feeds: dict[str, np.ndarray] = {}
    for tensor in given:
        name, array = _input(tensor, specs, tail)
        if name in feeds:
            raise bad(f"input '{name}' is given twice; send it once")
        feeds[name] = array
    missing = [name for name in specs if name not in feeds]
    if missing:
        raise bad(f"input '{missing[0]}' is missing; the model takes {listed(specs)}")
    if tail.left:
        raise bad(
            f"{tail.left} bytes are left over behind the data of all inputs; give each binary input its binary_data_size"
        )
    called = document.get("id")
    if called is not None and not isinstance(called, str):
        raise bad(f"the request's id is a text, not {_short(called)}")
    return InferRequest(feeds, _wanted(document, outputs), called)


def listed(specs: Specs) -> str:
    """Inputs as a client has to name them: 'x' FP32 [-1, 3, 224, 224]."""
    return ", ".join(f"'{n}' {NAMES[s.dtype]} {shape_of(s)}" for n, s in specs.items())


def shape_of(spec: TensorSpec) -> list[int]:
    """A shape as the protocol has it, -1 where a size is open."""
    return [size if isinstance(size, int) else -1 for size in spec.shape]


def _json_length(text: str | None, total: int) -> int:
    if text is None:
        return total
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise bad(f"{HEADER_LENGTH} is the number of bytes of the JSON part, not {text!r}")
    if int(text) > total:
        raise bad(f"{HEADER_LENGTH} is {text}, but the body has {total} bytes: it was cut off")
    return int(text)


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as reason:
        why = "nested too deeply" if isinstance(reason, RecursionError) else str(reason)
        raise bad(f"the request is no JSON ({why}); send {_LIKE_THIS}") from None
    if not isinstance(document, dict):
        raise bad(f"the request is no JSON object; send {_LIKE_THIS}")
    return document


def _input(tensor: Any, specs: Specs, tail: _Tail) -> tuple[str, np.ndarray]:
    if not isinstance(tensor, dict):
        raise bad(f"an input is an object, not {_short(tensor)}; send {_LIKE_THIS}")
    name = tensor.get("name")
    if not isinstance(name, str) or name not in specs:
        raise bad(f"there is no input {_short(name)}; the model takes {listed(specs)}")
    dtype = specs[name].dtype
    if tensor.get("datatype") != NAMES[dtype]:
        raise bad(
            f"input '{name}' takes datatype {NAMES[dtype]}, not {_short(tensor.get('datatype'))}; convert the data"
        )
    shape = _shape(name, tensor.get("shape"))
    parameters = _parameters(tensor, f"input '{name}'")
    if "shared_memory_region" in parameters:
        raise bad(f"input '{name}': there is no shared memory here; send the data in the request")
    size = parameters.get("binary_data_size")
    if (size is None) == ("data" not in tensor):
        raise bad(f"input '{name}' needs either data or the parameter binary_data_size")
    if size is None:
        return name, values_of(name, tensor["data"], shape, dtype)
    return name, _from_bytes(name, tail, size, shape, dtype)


def _from_bytes(
    name: str, tail: _Tail, size: Any, shape: tuple[int, ...], dtype: DType
) -> np.ndarray:
    content = tail.take(name, size, math.prod(shape) * dtype.itemsize)
    flat = np.frombuffer(content, in_body(dtype))
    if dtype is DType.BOOL and flat.view(np.uint8).max(initial=0) > 1:
        raise bad(f"input '{name}': a BOOL is a byte that is 0 or 1")
    # A body's JSON may end anywhere, kernels want elements where their size says.
    return np.require(flat.reshape(shape), requirements="A")


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or any(type(size) is not int for size in shape):
        raise bad(f"input '{name}': the shape is a list of whole numbers, not {_short(shape)}")
    if any(size < 0 for size in shape):
        raise bad(
            f"input '{name}': the shape {_short(shape)} has a negative size; send the real one"
        )
    if len(shape) > MOST_AXES:
        raise bad(f"input '{name}': {len(shape)} axes are too many, there are at most {MOST_AXES}")
    if any(size >= 2**63 for size in shape):
        raise bad(f"input '{name}': the shape {_short(shape)} is too large")
    return tuple(shape)


def _parameters(owner: dict[str, Any], of: str) -> dict[str, Any]:
    found = owner.get("parameters", {})
    if not isinstance(found, dict):
        raise bad(f"the parameters of {of} are an object, not {_short(found)}")
    return found


def _wanted(document: dict[str, Any], outputs: tuple[str, ...]) -> dict[str, bool]:
    """The outputs that are asked for, all without a list of them, and which of them as bytes."""
    usual = _flag(_parameters(document, "the request"), "binary_data_output", False)
    asked = document.get("outputs")
    if asked is None or asked == []:
        return dict.fromkeys(outputs, usual)
    if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
        raise bad('the outputs are a list such as [{"name": "y"}]; leave it out for all of them')
    found = {}
    for one in asked:
        name = one.get("name")
        if not isinstance(name, str) or name not in outputs:
            raise bad(f"there is no output {_short(name)}; the model has {', '.join(outputs)}")
        parameters = _parameters(one, f"output '{name}'")
        for other in ("classification", "shared_memory_region"):
            if parameters.get(other):
                raise bad(f"output '{name}': there is no {other} here; ask for the whole output")
        found[name] = _flag(parameters, "binary_data", usual)
    return found


def _flag(parameters: dict[str, Any], name: str, usual: bool) -> bool:
    found = parameters.get(name, usual)
    if not isinstance(found, bool):
        raise bad(f"the parameter {name} is true or false, not {_short(found)}")
    return found


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 2**64 else "a huge number"
    return text if len(text) <= 80 else f"{text[:80]}…"
