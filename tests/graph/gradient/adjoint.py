"""Whether the gradients of a graph are its derivatives: <J v, u> = <v, J' u> for random u and v.

J v comes from central differences of the float64 references along v, J' u from the gradient graph. Inputs are moved a
little at random first, so that no case stands on a kink of its own making (equal maxima, zeros); where a difference
still crosses one, the quotients of two step widths disagree, and the direction is drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise

_STEPS = (1e-5, 5e-6)
_TRIES = 6
_NARROW = ("float32", "float16")
Arrays = dict[str, np.ndarray]


def in_float64(graph: Graph) -> Graph:
    """The graph with float64 in the place of all other floats, its specs those of the inputs alone."""
    wide = {
        n: Constant(c.array.astype(np.float64)) if c.spec.dtype.is_float else c
        for n, c in graph.constants.items()
    }
    specs = {
        n: TensorSpec(s.shape, DType.FLOAT64 if s.dtype.is_float else s.dtype)
        for n, s in graph.specs.items()
        if n in graph.inputs
    }
    nodes = []
    for node in graph.nodes:
        narrow = {k: "float64" for k in ("dtype", "to") if node.attrs.get(k) in _NARROW}
        if narrow:
            node = make_node(
                node.op, node.inputs, node.outputs, node.name, **{**node.attrs, **narrow}
            )
        nodes.append(node)
    return graph.replace(constants=wide, specs=specs, nodes=tuple(nodes))


def worst_error(
    graph: Graph,
    feeds: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    fixed: Sequence[str] = (),
    moved: float = 1e-3,
) -> dict[str, float]:
    """By input or constant of floats: how far both sides differ, relative to the larger.

    graph: as in_float64 makes it, and fed accordingly. fixed: what is not differentiated. moved: how far inputs are
    moved, relative to their largest value.
    """
    sources = [
        n
        for n in (*graph.inputs, *graph.constants)
        if n not in fixed and _spec(graph, n).dtype.is_float and _spec(graph, n).size
    ]
    values = {n: np.array(feeds[n] if n in feeds else graph.constants[n].array) for n in sources}
    for n in sources:
        odd = ~(np.abs(values[n]) < 1e4)  # special values: what overflows, or is none
        values[n][odd] = rng.uniform(-1, 1, np.count_nonzero(odd))
        width = moved * max(1e-3, np.abs(values[n]).max())
        values[n] = values[n] + rng.uniform(-width, width, values[n].shape)
    settled = specialise(graph, graph.specs).graph
    # What stays float32, as LayerNormalization's statistics, is too coarse for differences.
    wide = [n for n in graph.outputs if settled.spec(n).dtype is DType.FLOAT64]
    results = [n for n in wide if settled.spec(n).size]
    if not sources or not results:
        return {}
    found = _run(graph, {**feeds, **values})
    # Masked scores are -inf, whatever the input: only what is finite has a derivative.
    weights = {n: np.isfinite(found[n]) * rng.standard_normal(found[n].shape) for n in results}
    weighted = _weighted(graph, weights)
    backward = gradients(weighted, ["objective"], sources)
    backward = (
        specialise(backward, backward.specs).graph
        if backward.nodes[-1].op == "Gradient"
        else backward
    )

    def objective(changed: Mapping[str, np.ndarray]) -> float:
        found = _run(graph, {**feeds, **values, **changed})
        return float(sum(np.where(w, found[n], 0).ravel() @ w.ravel() for n, w in weights.items()))

    found = _run(backward, {**feeds, **values})
    errors = {}
    for n in sources:
        gradient = found[f"{n}.grad"]
        assert gradient.shape == values[n].shape and gradient.dtype == values[n].dtype
        errors[n] = _compare(objective, n, values[n], gradient, rng)
    return errors


def _compare(
    objective: Callable[[Arrays], float],
    name: str,
    value: np.ndarray,
    gradient: np.ndarray,
    rng: np.random.Generator,
) -> float:
    scale = max(1e-2, float(np.abs(value).max()))
    error = np.inf
    for attempt in range(_TRIES):
        direction = rng.standard_normal(value.shape)
        direction *= (
            rng.random(value.shape) < 0.25**attempt
        )  # among many elements one always meets a kink
        if not direction.any():
            continue
        slopes = []
        for step in _STEPS:
            h = step * scale
            up, down = (objective({name: value + s * h * direction}) for s in (1, -1))
            slopes.append((up - down) / (2 * h))
        product = float((gradient * direction).sum())
        size = max(float(np.abs(gradient * direction).sum()), 1e-6)
        # Richardson: what both step widths have in the second power of the width falls away.
        error = abs((4 * slopes[1] - slopes[0]) / 3 - product) / size
        if abs(slopes[0] - slopes[1]) <= 1e-6 * size:
            break  # no kink between
    return error


def _weighted(graph: Graph, weights: Arrays) -> Graph:
    """The graph with an output "objective", the sum of its results times the weights."""
    nodes, constants, terms = list(graph.nodes), dict(graph.constants), []
    for i, (name, array) in enumerate(weights.items()):
        constants[f"weights{i}"] = Constant(array)
        nodes.append(make_node("Mul", [name, f"weights{i}"], [f"product{i}"]))
        nodes.append(make_node("ReduceSum", [f"product{i}"], [f"term{i}"], keepdims=0))
        terms.append(f"term{i}")
    nodes.append(make_node("Sum", terms, ["objective"]))
    return graph.replace(nodes=tuple(nodes), constants=constants, outputs=("objective",))


def _run(graph: Graph, values: Mapping[str, np.ndarray]) -> Arrays:
    changed = {n: Constant(values[n]) for n in graph.constants if n in values}
    if changed:
        graph = graph.replace(constants={**graph.constants, **changed})
    return run_reference(graph, {n: values[n] for n in graph.inputs})


def _spec(graph: Graph, name: str) -> TensorSpec:
    return graph.constants[name].spec if name in graph.constants else graph.specs[name]
