"""Control flow: If, Loop, Scan. Their subgraphs are attributes, and take what they use as inputs.

A subgraph sees nothing of the graph around it: its inputs are its own ones and behind them the values it
takes from outside, which the node lists as inputs, too. Constants from outside are constants inside.

Where a condition becomes known, `specialise` puts the branch in the If's place, and it writes the iterations of
a Loop or Scan out where they are known and few. Others are driven by the host; what is inside them runs wherever
`run` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from clconv import config
from clconv.errors import GraphError, ModelError, ShapeError
from clconv.graph.ir import Attributes, Graph, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, RunGraph, register

Arrays = Sequence[np.ndarray | None]


def branch_of(node: Node, condition: bool) -> tuple[Graph, tuple[str, ...]]:
    """The subgraph that an If takes, and the values that are its inputs, in order.

    Behind the condition an If lists what its then-branch takes, then what its else-branch takes.
    """
    split = 1 + len(node.attrs.then_branch.inputs)
    if condition:
        return node.attrs.then_branch, node.inputs[1:split]
    return node.attrs.else_branch, node.inputs[split:]


def _if(attrs: Attributes, arrays: Arrays, run: RunGraph) -> tuple[np.ndarray, ...]:
    split = 1 + len(attrs.then_branch.inputs)
    taken = truth(arrays[0])
    branch, given = (
        (attrs.then_branch, arrays[1:split]) if taken else (attrs.else_branch, arrays[split:])
    )
    values = run(branch, _feeds(branch, given))
    return tuple(values[name] for name in branch.outputs)


def run_loop(
    attrs: Attributes,
    arrays: Arrays,
    run: RunGraph,
    blocks: Sequence[tuple[int, Graph]] = (),
) -> tuple[np.ndarray, ...]:
    """Inputs: trip count or none, condition or none, carried values, values from outside.

    The body gets iteration, condition, carried, outside; it gives condition, carried, and one slice of each
    scan output. Stops when the trip count is reached or the condition is false. blocks: how many trips
    are one graph (graph/specialise/trips.py has what it gives), the most first, taken while so many are left.
    Raises ModelError for a loop of more trips than CLCONV_LOOP_LIMIT, at once where it is sure to have them.
    """
    body = attrs.body
    limit = None if arrays[0] is None else trip_count(arrays[0])
    going = arrays[1] is None or truth(arrays[1])
    most = config.LOOP_LIMIT.get()
    if going and (limit is None or limit > most) and always_goes_on(body):
        raise ModelError(
            _too_long(most, "without an end" if limit is None else f"of {limit:,} trips")
        )
    carried = list(arrays[2 : 2 + attrs.carried])
    outside = arrays[2 + attrs.carried :]
    slices: list[list[np.ndarray]] = [[] for _ in body.outputs[1 + attrs.carried :]]
    iteration = 0
    while going and (limit is None or iteration < limit):
        if iteration >= most:
            raise ModelError(_too_long(most, "that still goes on"))
        count, condition = np.array(iteration, np.int64), np.array(going, np.bool_)
        left = 1 if limit is None else limit - iteration
        size, graph = next(((n, block) for n, block in blocks if n <= left), (1, body))
        values = run(graph, _feeds(graph, [count, condition, *carried, *outside]))
        results = [values[name] for name in graph.outputs]
        going = truth(results[0])
        carried = list(results[1 : 1 + attrs.carried])
        for i, part in enumerate(results[1 + attrs.carried :]):
            slices[i % len(slices)].append(part)
        iteration += size
    names = body.outputs[1 + attrs.carried :]
    if not iteration and not all(declares(body, name) for name in names):
        start = [np.array(0, np.int64), np.array(True), *carried, *outside]
        return (*(np.asarray(a) for a in carried), *_never_made(body, names, start, run))
    scanned = [_stacked(s, body, n, 0) for s, n in zip(slices, names, strict=True)]
    return tuple(np.asarray(a) for a in (*carried, *scanned))


def always_goes_on(body: Graph) -> bool:
    """Whether a Loop's body never ends it: its condition is true, or the one it was given."""
    producers = body.producers()
    condition = body.outputs[0]
    while condition in producers and producers[condition].op == "Identity":
        condition = producers[condition].inputs[0]
    known = body.constants.get(condition)
    return condition == body.inputs[1] or (known is not None and truth(known.array))


def _too_long(most: int, what: str) -> str:
    return (
        f"a loop {what}: at most {most:,} trips are run; if the model is right, allow more by "
        f"{config.LOOP_LIMIT.name}"
    )


def _scan(attrs: Attributes, arrays: Arrays, run: RunGraph) -> tuple[np.ndarray, ...]:
    """A Scan, or (batched, opset 8's form) one for every index of the first axis of states and sequences."""
    if not attrs.batched:
        return _one_scan(attrs, arrays, run)
    own = attrs.states + attrs.num_scan_inputs
    batches = {0 if a is None or not a.ndim else len(a) for a in arrays[:own]}
    if len(batches) != 1 or batches == {0}:
        raise ShapeError(
            f"Scan: states and sequences have different or empty batches {sorted(batches)}"
        )
    parts = [
        _one_scan(attrs, [*(np.asarray(a)[i] for a in arrays[:own]), *arrays[own:]], run)
        for i in range(batches.pop())
    ]
    return tuple(np.stack(results) for results in zip(*parts, strict=True))


def _one_scan(attrs: Attributes, arrays: Arrays, run: RunGraph) -> tuple[np.ndarray, ...]:
    """Inputs: states, sequences, values from outside; the body gets states, one slice of each sequence,
    outside, and gives states and one slice of each scan output."""
    body = attrs.body
    count = attrs.num_scan_inputs
    states = list(arrays[: attrs.states])
    sequences = [
        _first_axis(a, axis, backwards)
        for a, axis, backwards in zip(
            arrays[attrs.states : attrs.states + count],
            attrs.scan_input_axes or (0,) * count,
            attrs.scan_input_directions or (0,) * count,
            strict=True,
        )
    ]
    outside = arrays[attrs.states + count :]
    lengths = {len(s) for s in sequences}
    if len(lengths) != 1:
        raise ShapeError(f"Scan: its sequences have different lengths {sorted(lengths)}")
    names = body.outputs[attrs.states :]
    slices: list[list[np.ndarray]] = [[] for _ in names]
    for step in range(lengths.pop()):
        parts = [np.asarray(s[step], order="C") for s in sequences]
        values = run(body, _feeds(body, [*states, *parts, *outside]))
        states = [values[name] for name in body.outputs[: attrs.states]]
        for kept, name in zip(slices, names, strict=True):
            kept.append(values[name])
    axes = attrs.scan_output_axes or (0,) * len(names)
    backwards = attrs.scan_output_directions or (0,) * len(names)
    scanned = [
        _stacked(list(reversed(s)) if back else s, body, name, axis)
        for s, name, axis, back in zip(slices, names, axes, backwards, strict=True)
    ]
    return tuple(np.asarray(a) for a in (*states, *scanned))


def truth(value: np.ndarray | None) -> bool:
    """A condition's value; ShapeError unless it is one element."""
    if value is None or value.size != 1:
        shape = None if value is None else value.shape
        raise ShapeError(f"a condition must be one bool, it has shape {shape}")
    return bool(value.reshape(-1)[0])


def trip_count(value: np.ndarray) -> int:
    """How often a Loop may run; ShapeError unless it is one integer."""
    if value.size != 1 or value.dtype.kind not in "iu":
        raise ShapeError(
            f"a trip count must be one integer, it has shape {value.shape} and type {value.dtype}"
        )
    return int(value.reshape(-1)[0])


def _feeds(graph: Graph, arrays: Arrays) -> dict[str, np.ndarray]:
    if len(arrays) != len(graph.inputs):
        raise GraphError(
            f"subgraph '{graph.name}' takes {len(graph.inputs)} inputs {list(graph.inputs)}, "
            f"got {len(arrays)}"
        )
    return {n: np.asarray(a) for n, a in zip(graph.inputs, arrays, strict=True)}


def length_along(shape: tuple[int, ...], axis: int) -> int:
    """How long a sequence of that shape is; ShapeError for an axis that it does not have."""
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"Scan: a sequence of shape {shape} has no axis {axis}")
    return shape[axis]


def _first_axis(array: Any, axis: int, backwards: int) -> np.ndarray:
    length_along(np.shape(array), axis)
    moved = np.moveaxis(array, axis, 0)
    return moved[::-1] if backwards else moved


def _stacked(slices: list[np.ndarray], body: Graph, name: str, axis: int) -> np.ndarray:
    """The slices along a new axis."""
    if slices:
        if len({s.shape for s in slices}) > 1:
            raise ShapeError(
                f"subgraph '{body.name}': scan output '{name}' changes its shape from "
                f"{slices[0].shape} to {next(s.shape for s in slices if s.shape != slices[0].shape)}"
            )
        if not -slices[0].ndim - 1 <= axis <= slices[0].ndim:
            raise ShapeError(
                f"subgraph '{body.name}': scan output '{name}' of shape {slices[0].shape} has no place for axis {axis}"
            )
        return np.stack(slices, axis)
    return empty_scan(body, name, axis)


def declares(body: Graph, name: str) -> bool:
    """Whether a subgraph says of which shape, perhaps with open sizes, an output is."""
    return name in body.metadata.get("output_specs", {})


def _never_made(
    body: Graph, names: Sequence[str], start: Sequence[np.ndarray | None], run: RunGraph
) -> list[np.ndarray]:
    """Empty scan outputs of a Loop whose body never ran and declares no shapes: as its first trip would have
    made them."""
    values = run(body, _feeds(body, start))
    return [np.zeros((0, *values[name].shape), values[name].dtype) for name in names]


def empty_scan(body: Graph, name: str, axis: int) -> np.ndarray:
    """A scan output of a body that never ran: what it declares, sizes it leaves open being 0."""
    declared: TensorSpec | None = body.metadata.get("output_specs", {}).get(name)
    if declared is None:
        raise ShapeError(
            f"subgraph '{body.name}' never ran, and it does not declare the shape of scan output '{name}'"
        )
    shape = [d if isinstance(d, int) else 0 for d in declared.shape]
    shape.insert(axis % (len(shape) + 1), 0)
    return np.zeros(shape, declared.dtype.numpy)


def _infer_if(call: Call) -> Sequence[TensorSpec]:
    call.value(0)  # NeedsValue: with the condition known, the branch takes the node's place
    call.fail("its branch has to be put in its place before shapes are inferred")


def _infer_never(call: Call) -> NoReturn:
    call.fail("the shapes of its outputs are known when it has run")


def _no_reference(*anything: Any) -> NoReturn:
    raise GraphError("control flow has no reference of its own: evaluate_node runs its subgraphs")


register(
    Op(
        "If",
        _infer_if,
        _no_reference,
        attributes={"then_branch": REQUIRED, "else_branch": REQUIRED},
        inputs=(1, None),
        host_only=True,
        folds=False,  # its branch takes its place
        control=_if,
    )
)
register(
    Op(
        "Loop",
        _infer_never,
        _no_reference,
        attributes={"body": REQUIRED, "carried": REQUIRED},
        inputs=(0, None),
        host_only=True,
        control=run_loop,
    )
)
register(
    Op(
        "Scan",
        _infer_never,
        _no_reference,
        attributes={
            "body": REQUIRED,
            "states": REQUIRED,
            "num_scan_inputs": REQUIRED,
            "scan_input_axes": (),
            "scan_input_directions": (),
            "scan_output_axes": (),
            "scan_output_directions": (),
            "batched": 0,
        },
        inputs=(1, None),
        host_only=True,
        control=_scan,
    )
)
