"""load(): from a model to a Session in one call."""

from __future__ import annotations

import os

from clconv.device.info import DeviceInfo
from clconv.errors import ModelError
from clconv.frontend.onnx import import_onnx
from clconv.graph.ir import Graph
from clconv.runtime.bound import Progress
from clconv.runtime.device import choose_device
from clconv.session.session import Session

Source = str | os.PathLike[str] | bytes | Graph


def load(
    source: Source,
    device: str | int | DeviceInfo | None = None,
    *,
    progress: Progress | None = None,
    precision: str | None = None,
) -> Session:
    """A Session that runs a model on an OpenCL device.

    source: path of an ONNX file, its bytes, or a Graph.
    device: part of a name, "gpu", "cpu", an index, "platform:device", or a DeviceInfo of devices();
        None takes CLCONV_DEVICE, else the best device.
    progress(done, all): called while kernels are compiled and weights packed, where there are any to compile.
    precision: "float32"; "float16" to store a float32 network's weights and intermediate values as halves, with sums in
        float32; "strict" for float32 without Winograd's transforms and other variants in which a value can affect
        results that do not read it (by rounding, NaN or infinity); "tf32" if products may round their factors to 11
        bits. See docs/tuning.md. None takes CLCONV_PRECISION.

    A model whose input sizes are all known is planned and compiled here, any other at the first run of
    each size. Raises ModelError for a file that is no valid model (UnsupportedError lists every
    unsupported operator), DeviceError if no device matches or the device refuses.
    """
    graph = read_model(source)
    chosen = choose_device(device)
    if progress is None:
        return Session(graph, chosen, precision=precision)
    return Session(graph, chosen, progress=progress, precision=precision)


def read_model(source: Source) -> Graph:
    """The Graph of a model file's path or bytes; a Graph is returned as it is. Raises ModelError."""
    if isinstance(source, Graph):
        return source
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if not isinstance(source, str | os.PathLike | bytes):
        raise ModelError(
            f"a model is a path, the bytes of an ONNX file or a Graph, not {type(source).__name__}"
        )
    return import_onnx(source)
