"""load() and save(): from a model to a Session, and from a network to a file, in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from clconv.debug import LOGGER
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ConfigError, InputError, ModelError, warn_once
from clconv.garbage import uncollected
from clconv.graph.described import DRAWINGS
from clconv.graph.inside import with_outputs
from clconv.graph.ir import Graph
from clconv.planning.persistent import is_wanted
from clconv.runtime.bound import Progress
from clconv.runtime.device import Wanted, choose_devices
from clconv.runtime.opencl import callers_place, open_device
from clconv.runtime.progress import silent
from clconv.session.coming import take
from clconv.session.compiled import (
    ENDING,
    CompiledPlans,
    is_compiled,
    model_inside,
    open_compiled,
    precision_of,
    why_not,
    write_compiled,
)
from clconv.session.inputs import sets_of_shapes
from clconv.session.kept_plans import KeptPlans, cached_plans, is_new
from clconv.session.plan_facts import is_looked_into
from clconv.session.session import Session
from clconv.session.stored_network import StoredNetwork
from clconv.spans import span

if TYPE_CHECKING:
    from clconv.frontend.layers import Network

# Bytes of a model's file that promise many layers, which take seconds to compile.
_LARGE = 1 << 20

Shapes = Mapping[str, Sequence[int]]
Source: TypeAlias = "str | os.PathLike[str] | bytes | Graph | Network"


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

    source: path of an ONNX file or of a compiled network (compile()), an ONNX file's bytes, a Graph, or a Network of
        clconv.layers. What is made of a path is kept in CLCONV_CACHE_DIR, for the next load: see docs/starting.md.
    device: part of a name, "gpu", "cpu", "gpu:0", an index, "platform:device", or a DeviceInfo of devices();
        None takes CLCONV_DEVICE, else the best device. Several in a list or with commas, or "all": run_batches()
        spreads its batches over them, all else runs on the first.
    progress(done, all): called while kernels are compiled and weights packed, if there are any; may run what is planned.
    precision: "float32"; "float16" to store a float32 network's weights and intermediate values as halves, with sums in
        float32; "strict" for float32 without Winograd's transforms and other variants in which a value can affect
        results that do not read it (by rounding, NaN or infinity); "tf32" if products may round their factors to 11
        bits. See docs/tuning.md. None takes CLCONV_PRECISION.
    outputs: names of values inside the model, or of nodes, which become the session's outputs in this order; None takes
        the model's. What no output needs is not computed.
    context, queue: of pyopencl, in which the session computes, so that it reads and writes the caller's arrays where they
        are: see docs/device-arrays.md. An in-order queue's device and context are taken; what the caller enqueues there
        comes before or behind the session's runs. A context alone gets a queue of the session's own.

    A model whose input sizes are all known is planned and compiled here, any other at the first run of each size. Raises
    ModelError for a file that is no valid model (UnsupportedError lists every unsupported operator), DeviceError if no device
    matches or the device refuses, InputError for an unknown output, or a context or queue that cannot be used.
    """
    external: dict[Path, Any] = {}

    def graph() -> Graph:
        found = read_model(source, external)
        return found if outputs is None else with_outputs(found, outputs)

    is_file = isinstance(source, str | os.PathLike) and os.path.isfile(source)
    loaded: Graph | KeptPlans | None = None if is_file else graph()
    network = open_compiled(source) if is_compiled(source) else None
    if network is not None:
        precision = precision_of(network, precision)
    place = None
    if context is not None or queue is not None:
        wanted = None if device is None else choose_devices(device)[0]
        place = callers_place(context, queue, wanted)
        loaded = loaded or graph()  # what is kept goes into a context of clconv's
    chosen, *others = choose_devices(device) if place is None else [place.device]
    if loaded is None:
        options = PlanOptions.from_config(precision)
        if outputs is None and not others and (ready := take(source, chosen, options)):
            return ready
        if network is not None and outputs is None and _serves(network, chosen, options):
            loaded = CompiledPlans(network, graph)
        else:
            loaded = _kept(source, chosen, options, outputs, graph, external) or graph()
    session = Session(loaded, place or chosen, precision=precision, progress=progress or silent)
    session.spread_over(others)
    return session


def _kept(
    source: Source,
    device: DeviceInfo,
    options: PlanOptions,
    outputs: Sequence[str] | None,
    graph: Callable[[], Graph],
    external: Mapping[Path, Any],
) -> KeptPlans | None:
    """The plans that are kept of a file; where there are none yet, the compiler gets ready for what comes."""
    begun = is_new(source, options)
    if begun:
        _get_ready(source, device, options)
        with span("import"), uncollected():  # while another thread reads the file
            import clconv.frontend.onnx
            import clconv.planning.planner  # noqa: F401
    plans = cached_plans(source, device, options, outputs, graph, external)
    if not begun and (plans is None or plans.network is None):
        _get_ready(source, device, options)
    return plans


def _get_ready(source: Source, device: DeviceInfo, options: PlanOptions) -> None:
    """Before a model is planned and compiled: what takes long, and needs no plan, is begun."""
    joins = is_wanted(device) and options.joining and options.parts != 1 and not options.guard
    is_large = isinstance(source, str | os.PathLike) and os.path.getsize(source) >= _LARGE
    open_device(device).compiler.get_ready(in_parts=joins and is_large)
    if device.wide and not device.wide_verified:
        from clconv.probes.wide_probe import begin  # only now: it loads what plans

        begin(device)


def _serves(network: StoredNetwork, device: DeviceInfo, options: PlanOptions) -> bool:
    """Whether a compiled network's plans are for this device; if not, says why."""
    if is_looked_into():
        return False
    why = why_not(network, device, options)
    if why:
        text = f"{network.blobs.path}: {why}; what it holds is compiled anew from the model inside"
        LOGGER.warning("%s", text)
        warn_once(text)
    return not why


def compile(  # noqa: A001  its name in the package
    model: Source,
    path: str | os.PathLike[str],
    *,
    shapes: Shapes | Sequence[Shapes] | None = None,
    device: Wanted | None = None,
    precision: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Writes a compiled network: one file that load() takes like a model, and has ready in a fraction of the time.

    The file holds the model itself, its plans, packed weights, and machine code for one device with its driver and for
    this version of clconv. Elsewhere load() says so and compiles the model inside anew. Machine code can do all that its
    user may: load compiled networks of those only whose programs you would run.

    model: what load() takes. path: ends with .clconv. shapes: of the inputs by name, or several of these; None for a model
    that leaves no size open. device, precision, progress: as for load().

    Raises ConfigError for another ending, or a network that has state or whose sizes depend on what its inputs hold;
    InputError for shapes that the inputs do not take, or where they are needed; and what load() raises.
    """
    if not is_compiled(path):
        raise ConfigError(f"{os.fspath(path)}: end the name of a compiled network with {ENDING}")
    chosen, *_ = choose_devices(device)
    graph = read_model(model)
    given = sets_of_shapes(shapes)
    specs = graph.input_specs()
    if not given:
        still_open = [f"{n} {s}" for n, s in specs.items() if not s.is_static]
        if still_open:
            raise InputError(f"say for which shapes: {', '.join(still_open)} leaves sizes open")
        given = [{name: spec.shape for name, spec in specs.items()}]
    content = _onnx_bytes(model, graph)
    with Session(graph, chosen, precision=precision, progress=progress or silent) as session:
        write_compiled(session, path, given, content, chosen)


def _onnx_bytes(model: Source, graph: Graph) -> bytes:
    """A model as one ONNX file: as it is, or written anew where it is no file, or has data beside it."""
    from clconv.frontend.onnx import export_onnx, import_onnx

    if is_compiled(model):
        return model_inside(open_compiled(model))
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model)
    if isinstance(model, str | os.PathLike):
        beside: dict[Path, Any] = {}
        import_onnx(model, beside)
        if not beside:
            return Path(model).read_bytes()
    return export_onnx(graph)


def save(model: Source | Session, path: str | os.PathLike[str]) -> None:
    """Writes a network to a file: an ONNX model for .onnx, its weights alone by name for .safetensors.

    model: what load() takes, or a Session. Raises ConfigError for another ending, ModelError or UnsupportedError for a
    network that ONNX cannot say, or a file that cannot be written.
    """
    from clconv.frontend.layers.weights import state_dict
    from clconv.frontend.onnx import export_onnx
    from clconv.store.tensors import write_tensors

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


def read_model(source: Source, external: dict[Path, Any] | None = None) -> Graph:
    """The Graph of a model file's path or bytes, or of a Network; a Graph is returned as it is. Raises ModelError.

    external: takes the files beside the model that hold its data."""
    if isinstance(source, Graph):
        return source
    if is_compiled(source):
        source = model_inside(open_compiled(source))
    with span("import"), uncollected():
        from clconv.frontend.layers import Layer, Network  # only now: a warm load reads no model
        from clconv.frontend.onnx import import_onnx

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
    with span("import"), uncollected():
        return import_onnx(source, external)


def _drawing(graph: Graph) -> str:
    """What notebooks show of a graph besides its table."""
    from clconv.draw import svg

    try:
        return svg(graph)
    except ConfigError as reason:  # nothing is installed that lays graphs out
        from html import escape  # only now: it loads a table of 2,000 names

        return f"<p>{escape(str(reason))}</p>"


DRAWINGS.append(_drawing)
