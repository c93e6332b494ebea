"""Checks what a user passes to run() against the model's inputs."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.errors import ClconvWarning, InputError
from clconv.graph.ir import ANY_SHAPE, Graph, TensorSpec
from clconv.session.hints import hint

if TYPE_CHECKING:  # it loads OpenCL, which commands that only look at files do without
    from clconv.runtime.state import DeviceState

Feeds = Mapping[str, Any] | np.ndarray | Sequence[Any]

_CALLER = 5  # frames from here to whoever called run()


def as_feeds(specs: Mapping[str, TensorSpec], feeds: Any) -> Mapping[str, Any]:
    """What run() is given as a mapping by name: a mapping as it is; for a model of one input an array or nested lists;
    for one of several a list of arrays in their order. Raises InputError for anything else."""
    if isinstance(feeds, Mapping):
        return feeds
    names = list(specs)
    is_list = isinstance(feeds, list | tuple)
    if len(names) == 1:
        # A list with the whole input inside, rather than with the examples of a batch.
        if is_list and len(feeds) == 1 and getattr(feeds[0], "ndim", 0) == specs[names[0]].rank > 0:
            feeds = feeds[0]
        return {names[0]: feeds}
    takes = _listed(specs)
    if not is_list:
        raise InputError(
            f"the model takes {takes}: give a mapping by name or a list in this order, not {type(feeds).__name__}"
        )
    if len(feeds) != len(names):
        raise InputError(f"the model takes {len(names)} arrays, {takes}; {len(feeds)} were given")
    return dict(zip(names, feeds, strict=True))


def called_feeds(
    specs: Mapping[str, TensorSpec], arrays: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    """What a call with these arguments feeds, for as_feeds: arrays in the order of the inputs, or by their names."""
    if not named:
        return arrays[0] if len(arrays) == 1 else list(arrays)
    first = list(specs)[: len(arrays)]
    if len(arrays) > len(first):
        raise InputError(f"the model takes {_listed(specs)}; {len(arrays)} arrays were given")
    for name in first:
        if name in named:
            raise InputError(f"input '{name}' is given twice: in its place and by its name")
    return {**dict(zip(first, arrays, strict=True)), **named}


def conform(
    specs: Mapping[str, TensorSpec], feeds: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Contiguous arrays for exactly the model's inputs; a DeviceArray as it is.

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
        if refused := _refused(name, spec, shape, bound):
            raise InputError(refused)
        found[name] = TensorSpec(shape, spec.dtype)
    return found


def sets_of_shapes(
    shapes: Mapping[str, Sequence[int]] | Sequence[Mapping[str, Sequence[int]]] | None,
) -> list[Mapping[str, Sequence[int]]]:
    """Shapes by name, or several of these, as a list; what is in each is not looked at. Raises InputError for anything else."""
    if shapes is None or isinstance(shapes, Mapping):
        return [] if shapes is None else [shapes]
    if isinstance(shapes, str | bytes) or not isinstance(shapes, Iterable):
        raise InputError(
            f"shapes are a mapping from input name to shape, or a list of such, not {type(shapes).__name__}"
        )
    return list(shapes)


def _check_names(specs: Mapping[str, TensorSpec], given: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - set(specs), key=str)
    missing = sorted(set(specs) - set(given))
    if unknown or missing:
        raise InputError(
            f"inputs {unknown} unknown, {missing} missing; the model takes {_listed(specs)}"
        )


def _listed(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(f"'{n}': {s}" for n, s in specs.items()) or "no inputs"


def _conform_one(name: str, spec: TensorSpec, value: Any, bound: dict[str, int]) -> np.ndarray:
    on_device = getattr(type(value), "lies_on_device", False)
    array = value if on_device else _as_array(name, spec, value)
    if array.dtype.kind not in "biufc":
        raise InputError(f"input '{name}' takes {spec}, got {_described(value, array)}")
    if array.dtype.name != spec.dtype.value:
        raise InputError(
            f"input '{name}' takes {spec.dtype.value}, got {array.dtype.name}; "
            f"convert it with .astype('{spec.dtype.value}')"
        )
    if refused := _refused(name, spec, array.shape, bound):
        raise InputError(refused + hint(spec, array.shape))
    if on_device:
        return array
    # Contiguous, and in this machine's byte order, which the dtype's name does not tell.
    return np.asarray(array, spec.dtype.numpy, order="C")


def _refused(name: str, spec: TensorSpec, shape: tuple[int, ...], bound: dict[str, int]) -> str:
    """What is wrong with another rank or size, "" if nothing is; bound: what names of sizes stand for so far."""
    if spec.shape == ANY_SHAPE:
        return ""
    if len(shape) != spec.rank:
        return f"input '{name}' takes {spec}, got shape {shape}"
    for wanted, size in zip(spec.shape, shape, strict=True):
        if isinstance(wanted, int) and wanted != size:
            return f"input '{name}' takes {spec}, got shape {shape}"
        if isinstance(wanted, str) and bound.setdefault(wanted, size) != size:
            # Exporters call different sizes by one name; what is fed decides, as with onnxruntime.
            warnings.warn(
                f"input '{name}' takes {spec}, got shape {shape} where {wanted} = {bound[wanted]}: the model has one "
                "name for two sizes, each is taken as it is",
                ClconvWarning,
                stacklevel=_CALLER,
            )
    return ""


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
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
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
    from clconv.graph.verify import verify_state  # only now: it loads all operators

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
    from clconv.graph.ops import make_node  # only now: it loads all operators

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
