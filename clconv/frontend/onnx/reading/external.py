"""Tensors whose data lie in files beside the model."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
from onnx import TensorProto

from clconv.errors import ModelError
from clconv.frontend.onnx.reading.files import Origin
from clconv.frontend.onnx.reading.readers import FileReader, FileSpan


def external_span(tensor: TensorProto, what: str, expected: int, origin: Origin) -> FileSpan:
    """Where the tensor's bytes lie, `expected` of them. what: the tensor, for messages.

    Raises ModelError if they cannot be had: no file, one that leads out of the model's folder, one too short.
    """
    entries = {e.key: e.value for e in tensor.external_data}
    location = entries.get("location", "")
    if origin.folder is None:
        raise ModelError(
            f"{what} lies in the external file {location!r}, which bytes cannot lead to: "
            "import the model by its path"
        )
    path = _found(location, what, origin)
    offset = _whole_number(entries, "offset", what, 0)
    length = _whole_number(entries, "length", what, expected)
    if length != expected:
        raise ModelError(
            f"{what} of shape {tuple(tensor.dims)} needs {expected} bytes, its external data says {length}"
        )
    try:
        reader = origin.opened.get(path)
        if reader is None:
            reader = origin.opened[path] = FileReader(path)
        if offset + length > reader.size:
            raise ModelError(
                f"{what}: external file {path} is too short: {reader.size} bytes, "
                f"{offset + length} are needed"
            )
        return FileSpan(reader, offset, length)
    except OSError as reason:
        raise ModelError(
            f"{what}: external file {path} cannot be read: {reason.strerror or reason}"
        ) from None


def external_bytes(tensor: TensorProto, what: str, expected: int, origin: Origin) -> np.ndarray:
    """The tensor's bytes. Raises what external_span does."""
    return external_span(tensor, what, expected, origin).read()


def _found(location: str, what: str, origin: Origin) -> Path:
    """The external file: in the model's folder, or in that of the file which the model's symbolic link leads to.

    Links of the data are followed as far as one of these folders: stores that keep files by their content have
    model and data side by side, and links to both elsewhere.
    """
    parts = location.replace("\\", "/").split("/")
    if not location or "\0" in location:
        raise ModelError(f"{what}: external data has no usable location ({location!r})")
    if location.startswith(("/", "\\")) or parts[0].endswith(":") or ".." in parts:
        raise ModelError(
            f"{what}: external data {location!r} must be a relative path inside the model's folder"
        )
    folders = [f for f in (origin.folder, origin.target) if f is not None]
    outside = False
    try:
        homes = [folder.resolve() for folder in folders]
        for folder in folders:
            path = (folder / location).resolve()
            if not _is_file(path):
                continue
            if any(path.is_relative_to(home) for home in homes):
                return path
            outside = True
    except (OSError, RuntimeError, ValueError) as reason:  # a loop of links, a name too long
        why = getattr(reason, "strerror", None) or reason
        raise ModelError(f"{what}: external file {_short_text(location)}: {why}") from None
    if outside:
        raise ModelError(
            f"{what}: external file {_short_text(location)} leads out of the model's folder"
        )
    raise ModelError(
        f"{what}: external file {_short_text(str(folders[0] / location))} does not exist"
    )


def _is_file(path: Path) -> bool:
    """Whether there is a regular file. Raises OSError for what is no name of one."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _short_text(text: str) -> str:
    return repr(text if len(text) <= 300 else f"{text[:140]} ... {text[-140:]}")


def _whole_number(entries: dict[str, str], key: str, what: str, default: int) -> int:
    text = entries.get(key, "") or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 100):
        raise ModelError(f"{what}: external data has the {key} {text[:40]!r}, not a whole number")
    return int(text)
