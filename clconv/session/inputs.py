"""Checks what a user passes to run() against the model's inputs."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.errors import ClconvWarning, InputError
from clconv.graph.ir import ANY_SHAPE, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.verify import verify_state

if TYPE_CHECKING:  # it loads OpenCL, which commands that only look at files do without
    from clconv.runtime.state import DeviceState

_CALLER = 5  # frames from here to whoever called run()


def conform(
    specs: Mapping[str, TensorSpec], feeds: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Contiguous arrays for exactly the model's inputs.

    Raises InputError with the input's name and what it takes: for missing or unknown names, another dtype,
    another rank, or a size that differs from a declared one.
    """
    if not isinstance(feeds, Mapping):
        raise InputError(f"takes a mapping from input name to array, got {type(feeds).__name__}")
    _check_names(specs, feeds)
    bound: dict[str, int] = {}
    found = {}
    for name, spec in specs.items():
        found[name] = _conform_one(name, spec, feeds[name], bound)
    return found


def conform_shapes(
    specs: Mapping[str, TensorSpec], shapes: Mapping[str, Sequence[int]]
) -> dict[str, TensorSpec]:
    """Specs of exactly the model's inputs for shapes by name. Raises InputError as conform does."""
    if not isinstance(shapes, Mapping):
        raise InputError(f"takes a mapping from input name to shape, got {type(shapes).__name__}")
    _check_names(specs, shapes)
    bound: dict[str, int] = {}
    found = {}
    for name, spec in specs.items():
        try:
            shape = tuple(operator.index(d) for d in shapes[name])
        except TypeError:
            raise InputError(
                f"input '{name}' takes {spec}, got the shape {shapes[name]!r}"
            ) from None
        if min(shape, default=0) < 0:
            raise InputError(f"input '{name}': the shape {shape} has a negative size")
        _check_shape(name, spec, shape, bound)
        found[name] = TensorSpec(shape, spec.dtype)
    return found


def _check_names(specs: Mapping[str, TensorSpec], given: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - set(specs), key=str)
    missing = sorted(set(specs) - set(given))
    if unknown or missing:
        takes = ", ".join(f"'{n}': {s}" for n, s in specs.items())
        raise InputError(f"inputs {unknown} unknown, {missing} missing; the model takes {takes}")


def _conform_one(name: str, spec: TensorSpec, value: Any, bound: dict[str, int]) -> np.ndarray:
    array = _as_array(name, spec, value)
    if array.dtype.kind not in "biufc":
        raise InputError(f"input '{name}' takes {spec}, got {_described(value, array)}")
    if array.dtype.name != spec.dtype.value:
        raise InputError(
            f"input '{name}' takes {spec.dtype.value}, got {array.dtype.name}; "
            f"convert it with .astype('{spec.dtype.value}')"
        )
    _check_shape(name, spec, array.shape, bound)
    # Contiguous, and in this machine's byte order, which the dtype's name does not tell.
    return np.asarray(array, spec.dtype.numpy, order="C")


def _check_shape(
    name: str, spec: TensorSpec, shape: tuple[int, ...], bound: dict[str, int]
) -> None:
    """InputError for another rank or size; bound: what names of sizes stand for so far."""
    if spec.shape == ANY_SHAPE:
        return
    if len(shape) != spec.rank:
        raise InputError(f"input '{name}' takes {spec}, got shape {shape}")
    for wanted, size in zip(spec.shape, shape, strict=True):
        if isinstance(wanted, int) and wanted != size:
            raise InputError(f"input '{name}' takes {spec}, got shape {shape}")
        if isinstance(wanted, str) and bound.setdefault(wanted, size) != size:
            # Exporters call different sizes by one name; what is fed decides, as with onnxruntime.
            warnings.warn(
                f"input '{name}' takes {spec}, got shape {shape} where {wanted} = {bound[wanted]}: the model has one "
                "name for two sizes, each is taken as it is",
                ClconvWarning,
                stacklevel=_CALLER,
            )


def _described(value: Any, array: np.ndarray) -> str:
    """What was passed in the place of numbers, in words."""
    if value is None:
        return "None"
    if not hasattr(value, "dtype"):
        inside = "" if array.ndim == 0 else " that holds no numbers"
        return f"{type(value).__name__}{inside}"
    if array.dtype.kind == "O":
        kinds = sorted({type(element).__name__ for element in array.reshape(-1)[:1000]})
        return f"an array of Python objects ({', '.join(kinds[:4]) or 'none'}); convert it with .astype"
    return f"an array of {array.dtype}, which holds no numbers"


def _as_array(name: str, spec: TensorSpec, value: Any) -> np.ndarray:
    """What has no dtype of its own (a number, nested lists) takes the input's, if nothing is lost."""
    try:
        array = np.asarray(value)
    except Exception as reason:  # an object's own way to become an array may raise anything
        raise InputError(
            f"input '{name}' takes {spec}, got {type(value).__name__}, which is no array: {reason}"
        ) from reason
    if not hasattr(value, "dtype") and np.can_cast(array.dtype, spec.dtype.numpy, "same_kind"):
        try:
            return np.asarray(value, spec.dtype.numpy)
        except (ValueError, OverflowError) as reason:
            raise InputError(f"input '{name}' takes {spec}: {reason}") from None
    return array


def check_state(
    graph: Graph,
    device: DeviceInfo,
    state: DeviceState | None,
    initial: Mapping[str, np.ndarray] | None,
) -> None:
    """InputError where a session of this graph on this device cannot take these, GraphError or ShapeError for state that
    no graph can have."""
    verify_state(graph)
    unknown = sorted(set(initial or {}) - set(graph.state))
    if unknown:
        raise InputError(f"no state {unknown}; graph '{graph.name}' has {list(graph.state)}")
    if state is not None and state.prepared.device.info.index != device.index:
        raise InputError(
            f"the state lies on {state.prepared.device.info}, the session is for {device}"
        )


def fed_defaults(graph: Graph, feeds: Any) -> frozenset[str]:
    """Initialisers of the model that are among the feeds, in the place of which these come for this run."""
    defaults: Mapping[str, TensorSpec] = graph.metadata["defaults"]
    return frozenset(defaults.keys() & feeds.keys()) if isinstance(feeds, Mapping) else frozenset()


def with_inputs(graph: Graph, names: frozenset[str]) -> Graph:
    """The graph with these of its constants as inputs."""
    defaults: Mapping[str, TensorSpec] = graph.metadata["defaults"]
    chosen = {n: spec for n, spec in defaults.items() if n in names}
    # Values that are the same constant under another name are what is fed as well.
    keys = {graph.constants[n].key: n for n in chosen if n in graph.constants}
    others = {n: keys[c.key] for n, c in graph.constants.items() if c.key in keys}
    again = [make_node("Identity", (n,), (o,), f"{o}/fed") for o, n in others.items() if o != n]
    return graph.replace(
        inputs=(*graph.inputs, *chosen),
        specs={**graph.specs, **chosen},
        nodes=(*again, *graph.nodes),
        constants={n: c for n, c in graph.constants.items() if n not in others},
        metadata={**graph.metadata, "defaults": {}},
    )
