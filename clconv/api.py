"""load() and save(): from a model to a Session, and from a network to a file, in one call."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.errors import ConfigError, ModelError
from clconv.frontend.layers import Layer, Network
from clconv.frontend.layers.weights import state_dict
from clconv.frontend.onnx import export_onnx, import_onnx
from clconv.graph.described import DRAWINGS
from clconv.graph.inside import with_outputs
from clconv.graph.ir import Graph
from clconv.runtime.bound import Progress
from clconv.runtime.device import Wanted, choose_devices
from clconv.runtime.opencl import Place, callers_place
from clconv.session.session import Session
from clconv.spans import span
from clconv.store.tensors import write_tensors

Source = str | os.PathLike[str] | bytes | Graph | Network


def load(
    source: Source,
    device: Wanted | Sequence[Wanted] | None = None,
    *,
    progress: Progress | None = None,
    precision: str | None = None,
    outputs: Sequence[str] | None = None,
    context: Any = None,
    queue: Any = None,
) -> Session:
    """A Session that runs a model on an OpenCL device.

    source: path of an ONNX file, its bytes, a Graph, or a Network of clconv.layers.
    device: part of a name, "gpu", "cpu", "gpu:0", an index, "platform:device", or a DeviceInfo of devices();
        None takes CLCONV_DEVICE, else the best device. Several in a list or with commas, or "all": run_batches()
        spreads its batches over them, all else runs on the first.
    progress(done, all): called while kernels are compiled and weights packed, where there are any to compile.
    precision: "float32"; "float16" to store a float32 network's weights and intermediate values as halves, with sums in
        float32; "strict" for float32 without Winograd's transforms and other variants in which a value can affect
        results that do not read it (by rounding, NaN or infinity); "tf32" if products may round their factors to 11
        bits. See docs/tuning.md. None takes CLCONV_PRECISION.
    outputs: names of values inside the model, or of nodes, which become the session's outputs in this order; None takes
        the model's. What no output needs is not computed.
    context, queue: of pyopencl, in which the session computes, so that it reads and writes the caller's arrays where they
        are: see docs/device-arrays.md. An in-order queue's device and context are taken; what the caller enqueues there
        comes before or behind the session's runs. A context alone gets a queue of the session's own.

    A model whose input sizes are all known is planned and compiled here, any other at the first run of
    each size. Raises ModelError for a file that is no valid model (UnsupportedError lists every
    unsupported operator), DeviceError if no device matches or the device refuses, InputError for an unknown output, or a context or queue that
    cannot be used.
    """
    graph = read_model(source)
    if outputs is not None:
        graph = with_outputs(graph, outputs)
    chosen: DeviceInfo | Place
    others: list[DeviceInfo] = []
    if context is not None or queue is not None:
        wanted = None if device is None else choose_devices(device)[0]
        chosen = callers_place(context, queue, wanted)
    else:
        chosen, *others = choose_devices(device)
    if progress is None:
        session = Session(graph, chosen, precision=precision)
    else:
        session = Session(graph, chosen, progress=progress, precision=precision)
    session.spread_over(others)
    return session


def save(model: Source | Session, path: str | os.PathLike[str]) -> None:
    """Writes a network to a file: an ONNX model for .onnx, its weights alone by name for .safetensors.

    model: what load() takes, or a Session. Raises ConfigError for another ending, ModelError or UnsupportedError for a
    network that ONNX cannot say, or a file that cannot be written.
    """
    graph = model.imported if isinstance(model, Session) else read_model(model)
    ending = Path(path).suffix.lower()
    if ending == ".onnx":
        export_onnx(graph, path)
    elif ending == ".safetensors":
        write_tensors(path, state_dict(graph))
    else:
        raise ConfigError(
            f"{os.fspath(path)}: end the name with .onnx for the whole network, or with .safetensors for its weights"
        )


def read_model(source: Source) -> Graph:
    """The Graph of a model file's path or bytes, or of a Network; a Graph is returned as it is. Raises ModelError."""
    if isinstance(source, Graph):
        return source
    if isinstance(source, Network):
        return source.graph()
    if isinstance(source, Layer):
        raise ModelError(
            f"a layer ({type(source).__name__}) has no sizes yet: build() makes a graph of it for an input's sizes, such "
            "as layer.build((3, 32, 32))"
        )
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if not isinstance(source, str | os.PathLike | bytes):
        raise ModelError(
            f"a model is a path, the bytes of an ONNX file, a Graph or a Network, not {type(source).__name__}"
        )
    with span("import"):
        return import_onnx(source)


def _drawing(graph: Graph) -> str:
    """What notebooks show of a graph besides its table."""
    from clconv.draw import svg

    try:
        return svg(graph)
    except ConfigError as reason:  # nothing is installed that lays graphs out
        return f"<p>{html.escape(str(reason))}</p>"


DRAWINGS.append(_drawing)
