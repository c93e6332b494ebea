"""Where a graph has to stop until values are known: the part that runs first, and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clconv.graph.ir import Graph, Node
from clconv.graph.specialise.differentiate import refuse_gradients
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.specialise.specialise import Specialiser


@record(frozen=True)
class Cut:
    """Where a graph has to stop until values are known.

    host_nodes run on the host with their references, once the first part has run; `needed` are values
    whose content (not only shape) the rest needs; rest is the remaining graph, whose inputs are values of
    the first part, outputs of the host nodes, or graph inputs.
    """

    host_nodes: tuple[Node, ...]
    needed: tuple[str, ...]
    rest: Graph


@record(frozen=True)
class Specialised:
    """A graph with all specs known, and the cut behind it if it is not the whole."""

    graph: Graph
    cut: Cut | None = None


def cut(state: Specialiser) -> Specialised:
    graph, known, constants = state.graph, state.known, state.constants
    done, host, needed = state.done, state.host, state.needed
    refuse_gradients(state.waiting, state.needed or [n.name for n in state.host])
    waiting = [*state.sequences.remade(state.waiting, graph.outputs), *state.waiting]
    made_later = {o for node in waiting for o in node.outputs if o}
    read_later = [n for node in waiting for n in node.inputs if n and n not in made_later]
    read_later += [n for n in graph.outputs if n not in made_later]
    known_later = (constants, graph.state)  # state is where it was: on the device
    boundary = tuple(
        dict.fromkeys(n for n in read_later if not any(n in names for names in known_later))
    )
    host_inputs = [n for node in host for n in node.inputs if n and n not in constants]
    host_outputs = {o for node in host for o in node.outputs}
    first_outputs = dict.fromkeys(
        n for n in (*boundary, *needed, *host_inputs) if n in known and n not in host_outputs
    )
    rest = graph.replace(
        nodes=tuple(waiting),
        inputs=tuple(
            dict.fromkeys((*boundary, *(n for n in needed if n not in constants), *graph.state))
        ),
        specs={name: known[name] for name in graph.state},
        constants=constants,
    )
    first = graph.replace(
        nodes=tuple(done),
        inputs=tuple(n for n in graph.inputs if n in known),
        outputs=tuple(first_outputs),
        specs=known,
        constants=constants,
        state={name: name for name in graph.state},  # what changes, changes in the rest
    )
    return Specialised(first, Cut(tuple(host), tuple(dict.fromkeys(needed)), rest))
