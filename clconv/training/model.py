"""What of a network learns: its parameters, its running statistics, its inputs with the batch open."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Sequence

from clconv.errors import InputError, ShapeError, UnsupportedError
from clconv.graph.epilogue import without_epilogues
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.parameters import parameter_names, statistic_names
from clconv.graph.specialise.specialise import specialise
from clconv.training.forms import inference_form
from clconv.training.way import check_floats

BATCH = "batch"


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
    parameters, statistics = parameter_names(graph), statistic_names(graph)
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


def _check_parameters(graph: Graph, parameters: Sequence[str]) -> None:
    kinds = {graph.constants[n].spec.dtype.value for n in parameters} - {"float32"}
    if kinds:
        raise UnsupportedError(
            f"'{graph.name}' has parameters of {', '.join(sorted(kinds))}; training computes in float32: convert the "
            "file, or export it anew in float32"
        )
    if parameters:
        return
    check_floats(graph)
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
        specialised = specialise(opened, sizes)
        if specialised.cut is not None:
            return  # sizes depend on what the inputs hold; whether that can learn is asked later
        found = specialised.graph
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
