"""What of a network learns: its parameters, its running statistics, its inputs with the batch open."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence

from clconv.errors import InputError, ShapeError, UnsupportedError
from clconv.graph.epilogue import without_epilogues
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.specialise.specialise import specialise
from clconv.training.forms import inference_form
from clconv.training.way import QUANTISING

BATCH = "batch"

# Inputs that hold numbers which are not learned, by operator.
_SETTINGS: Mapping[str, tuple[int, ...]] = {
    "Clip": (1, 2), "Pad": (2,), "Resize": (1, 2), "Pow": (1,), "OneHot": (1, 2), "TopK": (1,),
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "FakeQuantize": (1, 2), "Dropout": (1, 2),
    "GridSample": (1,), "RoiAlign": (1,), "LSTM": (5, 6), "GRU": (5,), "RNN": (5,), "Range": (0, 1, 2),
    "Equal": (0, 1), "Less": (0, 1), "Greater": (0, 1), "LessOrEqual": (0, 1), "GreaterOrEqual": (0, 1),
}  # fmt: skip
_SCALING = ("Add", "Sub", "Mul", "Div")  # of an input of the network: what prepares it


@dataclasses.dataclass(frozen=True)
class Learner:
    """A network that learns.

    graph: for inference, without epilogues, the batch of its inputs open. parameters, statistics: names of constants; the latter are
    the running means and variances of batch norms. frozen: parameters that stay as they are.
    """

    graph: Graph
    parameters: tuple[str, ...]
    statistics: tuple[str, ...]
    frozen: frozenset[str]

    @property
    def trained(self) -> tuple[str, ...]:
        return tuple(n for n in self.parameters if n not in self.frozen)

    @property
    def nbytes(self) -> int:
        """Bytes of what learns, once."""
        return sum(self.graph.constants[n].spec.nbytes for n in self.trained)


def learner(graph: Graph, freeze: Sequence[str] = ()) -> Learner:
    """What of a graph learns. freeze: patterns of names as in a shell ('features.*') that stay as they are.

    Raises InputError for a pattern that no parameter has or a network without parameters, UnsupportedError for one of
    integers.
    """
    graph = inference_form(without_epilogues(graph))
    statistics = _statistics(graph)
    parameters = tuple(
        name
        for name, constant in graph.constants.items()
        if constant.spec.dtype.is_float and name not in statistics and _is_learned(graph, name)
    )
    _check_parameters(graph, parameters)
    frozen: set[str] = set()
    for pattern in [freeze] if isinstance(freeze, str) else freeze:
        found = fnmatch.filter(parameters, pattern)
        if not found:
            raise InputError(
                f"freeze: no parameter is named '{pattern}'; there are {', '.join(parameters[:20])}"
                + (", ..." if len(parameters) > 20 else "")
            )
        frozen.update(found)
    if len(frozen) == len(parameters):
        raise InputError(
            f"freeze: all {len(parameters)} parameters are frozen; nothing is left to learn"
        )
    return Learner(_open_batch(graph), parameters, statistics, frozenset(frozen))


def _statistics(graph: Graph) -> tuple[str, ...]:
    names = [
        name for node in graph.nodes if node.op == "BatchNormalization" for name in node.inputs[3:5]
    ]
    return tuple(dict.fromkeys(n for n in names if n in graph.constants))


def _is_learned(graph: Graph, name: str) -> bool:
    if graph.constants[name].spec.rank == 0:
        return False
    uses = [(node, i) for node in graph.nodes for i, n in enumerate(node.inputs) if n == name]
    return bool(uses) and all(_is_place_of_parameter(graph, node, i) for node, i in uses)


def _is_place_of_parameter(graph: Graph, node: Node, index: int) -> bool:
    if index in _SETTINGS.get(node.op, ()):
        return False
    others = [n for i, n in enumerate(node.inputs) if i != index]
    if node.op in _SCALING:
        size = graph.constants[node.inputs[index]].spec.size
        return size > 1 and not any(n in graph.inputs for n in others)
    return True


def _check_parameters(graph: Graph, parameters: Sequence[str]) -> None:
    kinds = {graph.constants[n].spec.dtype.value for n in parameters} - {"float32"}
    if kinds:
        raise UnsupportedError(
            f"'{graph.name}' has parameters of {', '.join(sorted(kinds))}; training computes in float32: convert the "
            "file, or export it anew in float32"
        )
    if parameters:
        return
    quantised = sorted({n.op for n in graph.nodes if n.op in QUANTISING})
    if quantised:
        raise UnsupportedError(
            f"'{graph.name}' computes with integers ({', '.join(quantised)}), which have no gradient; train the float "
            "network that it was made from"
        )
    integers = sorted(n for n, c in graph.constants.items() if not c.spec.dtype.is_float)
    if integers and any(graph.constants[n].spec.rank > 1 for n in integers):
        raise UnsupportedError(
            f"'{graph.name}' has weights of integers only ({', '.join(integers[:5])}), which have no gradient; train the "
            "float network that it was made from"
        )
    raise InputError(f"'{graph.name}' has no parameters: nothing to learn")


def _open_batch(graph: Graph) -> Graph:
    """The graph with axis 0 of its inputs open. A fixed batch is opened where the nodes do without it."""
    specs, fixed = dict(graph.input_specs()), False
    for name, spec in specs.items():
        if spec.shape and spec.shape != (...,):
            fixed |= isinstance(spec.shape[0], int)
            specs[name] = TensorSpec((BATCH, *spec.shape[1:]), spec.dtype)
    opened = graph.replace(specs=specs)
    if fixed and all(isinstance(d, int) for s in specs.values() for d in s.shape[1:]):
        _check_opened(graph, opened)
    return opened


def _check_opened(graph: Graph, opened: Graph) -> None:
    """InputError if a network that was made for one batch size does not take another."""
    count = 3
    try:
        sizes = {
            n: TensorSpec((count, *s.shape[1:]), s.dtype) for n, s in opened.input_specs().items()
        }
        found = specialise(opened, sizes).graph
        fits = all(found.spec(n).shape[:1] == (count,) for n in graph.outputs)
    except ShapeError as reason:
        raise InputError(
            f"'{graph.name}' is made for one batch size only: {reason}; export it with an open batch"
        ) from None
    if not fits:
        raise InputError(
            f"'{graph.name}' is made for one batch size only: fed {count} images it gives "
            f"{[str(found.spec(n)) for n in graph.outputs]}; export it with an open batch"
        )
