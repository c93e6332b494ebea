"""Sizes that a model leaves open, as names: what volumes are in terms of N, H and W.

A graph is specialised for known sizes only, so it is at several, and what each size does follows from the differences.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from fractions import Fraction

from clconv.errors import ClconvError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.specialise.cut import Specialised
from clconv.graph.specialise.specialise import specialise
from clconv.graph.summary import summary
from clconv.records import record

Size = int | str
_EXAMPLES = (
    224,
    256,
    512,
    128,
    64,
)  # heights and widths; all strides of usual networks divide them
_OTHER = 16  # a size that is neither batch, height nor width
_BY_PLACE = {4: {0: "N", 1: "C", 2: "H", 3: "W"}, 3: {0: "N"}, 2: {0: "N"}, 1: {0: "N"}}


@record(frozen=True)
class OpenSizes:
    """A graph at example sizes, and what of its shapes depends on the open ones.

    example: the size of each name. shapes: of inputs, outputs and the first result of every node, in names where a size depends
    on an open one: ("N", 32, "H/2", "W/2"), "?" where the formula is neither linear nor a product. A division is exact for
    sizes that the strides divide. Keys: names of nodes, "value NAME" for inputs and outputs.
    """

    specialised: Specialised
    graph: Graph
    example: Mapping[str, int]
    shapes: Mapping[str, tuple[Size, ...]]


def named_inputs(specs: Mapping[str, TensorSpec]) -> dict[str, tuple[Size, ...]]:
    """Shapes of inputs with a name for each open size: N, H, W by place in pictures, else the model's own."""
    by_symbol: dict[str, str] = {}
    shapes: dict[str, tuple[Size, ...]] = {}
    for name, spec in specs.items():
        places = dict(_BY_PLACE.get(spec.rank, {}))
        if spec.rank == 4 and spec.shape[3] in (1, 3, 4) and spec.shape[1] not in (1, 3, 4):
            places = {0: "N", 1: "H", 2: "W", 3: "C"}
        made: list[Size] = []
        for axis, size in enumerate(spec.shape):
            if isinstance(size, int):
                made.append(size)
                continue
            usual = places.get(axis) or (size if size and size.isidentifier() else "D")
            # One symbol is one size; two symbols that stand in the same place are two, H and H2.
            symbol = size or f"{name} {axis}"
            if symbol not in by_symbol:
                by_symbol[symbol] = _unused(usual, by_symbol.values())
            made.append(by_symbol[symbol])
        shapes[name] = tuple(made)
    return shapes


def _unused(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}{i}" for i in itertools.count(2))
    return next(n for n in itertools.chain((name,), numbered) if n not in taken)


def at_sizes(graph: Graph, inputs: Mapping[str, tuple[Size, ...]], fused: bool) -> OpenSizes:
    """The graph at sizes that are all known. Raises ShapeError where they do not fit."""
    return _measured(graph, inputs, {}, fused)


def with_open_sizes(
    graph: Graph, inputs: Mapping[str, tuple[Size, ...]], fused: bool
) -> OpenSizes | None:
    """The graph in terms of the names in its inputs' shapes; None where it takes none of the example sizes.
    fused: after the passes have joined layers. Raises what at_sizes() raises where no size is open."""
    names = list(dict.fromkeys(s for shape in inputs.values() for s in shape if isinstance(s, str)))
    if not names:
        return at_sizes(graph, inputs, fused)
    for side in _EXAMPLES:
        example = {n: 1 if n[0] == "N" else side if n[0] in "HW" else _OTHER for n in names}
        try:
            return _measured(graph, inputs, example, fused)
        except ClconvError:
            continue
    return None


_Shapes = Mapping[str, tuple[int, ...]]


def _measured(
    graph: Graph, inputs: Mapping[str, tuple[Size, ...]], example: Mapping[str, int], fused: bool
) -> OpenSizes:
    specialised, known, base = _at(graph, inputs, example, fused)
    doubled = {
        name: _shapes_at(graph, inputs, {**example, name: 2 * size}, fused)
        for name, size in example.items()
    }
    tripled = _shapes_at(graph, inputs, {name: 3 * size for name, size in example.items()}, fused)
    shapes = {
        key: tuple(
            _formula(
                size,
                example,
                {name: _size_of(found, key, axis) for name, found in doubled.items()},
                _size_of(tripled, key, axis),
            )
            for axis, size in enumerate(shape)
        )
        for key, shape in base.items()
    }
    return OpenSizes(specialised, known, example, shapes)


def _at(
    graph: Graph, inputs: Mapping[str, tuple[Size, ...]], sizes: Mapping[str, int], fused: bool
) -> tuple[Specialised, Graph, _Shapes]:
    """The graph with these sizes, and the shapes of layers, inputs and outputs there."""
    dtypes = {name: spec.dtype for name, spec in graph.input_specs().items()}
    specs = {
        name: TensorSpec(tuple(sizes[s] if isinstance(s, str) else s for s in shape), dtypes[name])
        for name, shape in inputs.items()
    }
    made = specialise(graph, specs)
    known = run_passes(made.graph) if fused else made.graph
    found = {row.name: row.output for row in summary(known)}
    for name in (*known.inputs, *known.outputs):
        if name in known.specs or name in known.constants:
            found[f"value {name}"] = known.spec(name).shape
    return made, known, found


def _shapes_at(
    graph: Graph, inputs: Mapping[str, tuple[Size, ...]], sizes: Mapping[str, int], fused: bool
) -> _Shapes:
    """Nothing where the graph does not take these sizes."""
    try:
        return _at(graph, inputs, sizes, fused)[2]
    except ClconvError:
        return {}


def _size_of(found: _Shapes, key: str, axis: int) -> int | None:
    shape = found.get(key)
    return None if shape is None or axis >= len(shape) else shape[axis]


def _formula(
    size: int, example: Mapping[str, int], larger: Mapping[str, int | None], joint: int | None
) -> Size:
    """The size in terms of the names. larger: what it becomes with one of them doubled; joint: with all threefold."""
    if joint is None or any(found is None for found in larger.values()):
        return "?"
    changing = {n: found for n, found in larger.items() if found is not None and found != size}
    if not changing:
        return size if joint == size else "?"
    slopes = {n: Fraction(found - size, example[n]) for n, found in changing.items()}
    rest = size - sum(slope * example[n] for n, slope in slopes.items())
    if rest.denominator == 1 and joint == rest + 3 * sum(s * example[n] for n, s in slopes.items()):
        terms = "+".join(_scaled(n, slope) for n, slope in slopes.items())
        return f"{terms}{int(rest):+d}" if rest else terms
    product = Fraction(size)
    for name in changing:
        product /= example[name]
    if all(found == 2 * size for found in changing.values()) and joint == size * 3 ** len(changing):
        return _scaled("*".join(changing), product)
    return "?"


def _scaled(name: str, factor: Fraction) -> str:
    over = "" if factor.numerator == 1 else f"{factor.numerator}*"
    under = "" if factor.denominator == 1 else f"/{factor.denominator}"
    return f"{over}{name}{under}"
