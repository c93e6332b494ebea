"""Large weights stay in the model's file: found by walking the protobuf, left out of what is parsed.

A parsed model would hold every weight a second time, beside the bytes it came from. The wire format
(protobuf.dev/programming-guides/encoding) is a run of (tag, value) fields; only three levels matter here:
ModelProto.graph = 7, GraphProto.initializer = 5, and of TensorProto name = 8 and raw_data = 9.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from clconv.frontend.onnx.reading.readers import FileSpan, Reader, Window
from clconv.records import record

_GRAPH, _INITIALIZER, _NAME, _RAW_DATA = 7, 5, 8, 9
LARGE = 1 << 16  # bytes: smaller tensors are parsed with the model
_MOST_FIELDS = (
    1 << 20
)  # that are looked at: a model of more is parsed whole, sooner than it would be walked
_VARINT = 10  # bytes at most

Bytes = memoryview | Window


@record(frozen=True)
class _Field:
    """One field: its number, where its tag begins, and its value's span if it has a length."""

    number: int
    start: int
    value: int
    end: int


class _NotWalked(Exception):
    """Not the wire format, as protobuf will say; or so many fields that they take long."""


def leave_out_weights(data: Bytes, reader: Reader) -> tuple[bytes, dict[str, FileSpan]]:
    """The model's bytes without the raw data of large initializers, and where each one lies.

    Bytes that are no protobuf come back as they are, for the parser to refuse. So do models of more than a million
    fields, and those in which the name of a large tensor is not unique.
    """
    try:
        found = list(_large_tensors(data))
    except _NotWalked:
        return bytes(data[:]), {}
    names = {name for name, _, _, _ in found}
    if not found or len(names) != len(found):
        return bytes(data[:]), {}
    spans = {name: FileSpan(reader, raw.value, raw.end - raw.value) for name, _, _, raw in found}
    return _rewrite(data, found), spans


def _large_tensors(view: Bytes) -> Iterator[tuple[str, _Field, _Field, _Field]]:
    """(name, graph, initializer, raw data) of every large initializer."""
    left = itertools.count(_MOST_FIELDS, -1)
    graphs = [f for f in _fields(view, 0, len(view), left) if f.number == _GRAPH]
    if len(graphs) != 1:  # protobuf would merge several; leave that to it
        return
    for tensor in _fields(view, graphs[0].value, graphs[0].end, left):
        if tensor.number != _INITIALIZER or tensor.end - tensor.value < LARGE:
            continue
        inner = list(_fields(view, tensor.value, tensor.end, left))
        names = [f for f in inner if f.number == _NAME]
        raws = [f for f in inner if f.number == _RAW_DATA]
        if len(names) == len(raws) == 1 and raws[0].end - raws[0].value >= LARGE:
            try:
                name = bytes(view[names[0].value : names[0].end]).decode()
            except UnicodeDecodeError:
                raise _NotWalked from None
            yield name, graphs[0], tensor, raws[0]


def _rewrite(data: Bytes, found: list[tuple[str, _Field, _Field, _Field]]) -> bytes:
    graph = found[0][1]
    body: list[bytes | memoryview] = []
    position = graph.value
    for _, _, tensor, raw in found:
        body.append(data[position : tensor.start])
        kept = b"".join([data[tensor.value : raw.start], data[raw.end : tensor.end]])
        body += [_tag(_INITIALIZER), _varint(len(kept)), kept]
        position = tensor.end
    body.append(data[position : graph.end])
    inside = b"".join(body)
    return b"".join(
        [data[: graph.start], _tag(_GRAPH), _varint(len(inside)), inside, data[graph.end :]]
    )


def _fields(view: Bytes, position: int, end: int, left: Iterator[int]) -> Iterator[_Field]:
    """left: counts down, and ends the walk at 0."""
    while position < end:
        if not next(left):
            raise _NotWalked
        start = position
        tag, position = _read_varint(view, position, end)
        number, kind = tag >> 3, tag & 7
        value = position
        if kind == 0:
            _, position = _read_varint(view, position, end)
        elif kind == 1:
            position += 8
        elif kind == 5:
            position += 4
        elif kind == 2:
            length, value = _read_varint(view, position, end)
            position = value + length
        else:
            raise _NotWalked
        if position > end or not number:
            raise _NotWalked
        yield _Field(number if kind == 2 else 0, start, value, position)


def _read_varint(view: Bytes, position: int, end: int) -> tuple[int, int]:
    result = 0
    for i, byte in enumerate(view[position : min(position + _VARINT, end)]):
        result |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return result, position + i + 1
    raise _NotWalked


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _tag(number: int) -> bytes:
    return _varint(number << 3 | 2)
