"""From a path or bytes to a ModelProto that is at least an ONNX model; every way that fails, in words."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from clconv.errors import ModelError
from clconv.frontend.onnx.reading.readers import BytesReader, FileReader, FileSpan, Window
from clconv.frontend.onnx.reading.spans import leave_out_weights
from clconv.frontend.onnx.reading.text import refuse_broken_text
from clconv.records import record

PROTOBUF_LIMIT = 2**31 - 1  # bytes in one protobuf message

# First bytes of files that people pass by mistake, and what to do instead.
_LOOKALIKES = (
    (b"version https://git-lfs", "a Git LFS pointer, not the model itself: run `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive (a PyTorch checkpoint?): export the model to ONNX first"),
    (b"\x89HDF", "an HDF5 file (Keras?): convert the model to ONNX first"),
    (b"\x80\x02", "a pickle (an old PyTorch checkpoint?): export the model to ONNX first"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"<", "a web page or XML, not an ONNX model: check the download"),
)


File = str | os.PathLike[str] | bytes
Opened = dict[Path, FileReader]


@record(frozen=True)
class Origin:
    """Where a model came from.

    label: for messages. folder: for external data, None for bytes; target: where the model lies that a
    symbolic link in the folder leads to, else None. weights: where large tensors lie that were left out of the
    parsed model, by their names. opened: files of external data, by their paths.
    """

    label: str
    folder: Path | None
    target: Path | None = None
    weights: Mapping[str, FileSpan] = dataclasses.field(default_factory=dict)
    opened: Opened = dataclasses.field(default_factory=dict)


def read_model(source: File, opened: Opened | None = None) -> tuple[onnx.ModelProto, Origin]:
    """The parsed model and where it came from. opened: takes the files of external data that will be opened.

    Raises ModelError, naming the file, for whatever is not a readable ONNX model.
    """
    reader: BytesReader | FileReader
    data: memoryview | Window
    if isinstance(source, bytes | bytearray | memoryview):
        given = bytes(source)
        reader, origin = BytesReader(given), Origin(f"<{len(given)} bytes>", None)
        data = memoryview(given)
    elif isinstance(source, str | os.PathLike):
        path = _path(source)
        reader = _opened(path)
        data = Window(reader)
        target = path.resolve().parent if path.is_symlink() else None
        origin = Origin(str(path), path.parent, target)
    else:
        raise ModelError(f"a model is a path or bytes, not {type(source).__name__}")
    skeleton, weights = leave_out_weights(data, reader)
    origin = dataclasses.replace(origin, weights=weights, opened={} if opened is None else opened)
    return _parse(skeleton, origin.label), origin


def _path(source: str | os.PathLike[str]) -> Path:
    text = os.fspath(source)
    if not isinstance(text, str):
        raise ModelError(f"{text!r}: give the path as text")
    if "\0" in text or not text:
        raise ModelError(f"{text!r} is no path of a file")
    return Path(text)


def _opened(path: Path) -> FileReader:
    try:
        if path.is_dir():
            inside = sorted(p.name for p in path.glob("*.onnx"))[:5]
            hint = f"; it holds {', '.join(inside)}" if inside else ""
            raise ModelError(f"{path}: is a folder, not an ONNX file{hint}")
        if not path.exists():
            raise ModelError(f"{path}: no such file")
        if not path.is_file():
            raise ModelError(f"{path}: is not a regular file")
        size = path.stat().st_size
        if size > PROTOBUF_LIMIT:
            raise ModelError(
                f"{path}: {size} bytes, but protobuf stops at 2 GiB: save the model with external data"
            )
        return FileReader(path)
    except OSError as reason:
        raise ModelError(f"{path}: cannot be read: {reason.strerror or reason}") from None


def _parse(data: bytes, label: str) -> onnx.ModelProto:
    if not data:
        raise ModelError(f"{label}: is empty, not an ONNX model")
    for start, what in _LOOKALIKES:
        if data.startswith(start):
            raise ModelError(f"{label}: is {what}")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError, RecursionError):
        raise ModelError(
            f"{label}: is not an ONNX model, or is truncated or damaged ({len(data)} bytes that "
            "protobuf cannot read)"
        ) from None
    if not model.HasField("graph"):
        raise ModelError(f"{label}: is not an ONNX model: it has no graph")
    if not model.HasField("ir_version") or model.ir_version < 1:
        raise ModelError(f"{label}: is not an ONNX model: it has no IR version")
    refuse_broken_text(model, label)
    return model
