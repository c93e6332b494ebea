"""The gradient graph of a network by itself, for a look at every node: of a random projection of its outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.errors import UnsupportedError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.specialise.specialise import specialise
from clconv.training.forms import RANDOM, training_form
from clconv.training.model import learner
from clconv.training.way import check_way

Arrays = dict[str, np.ndarray]


def projected_gradients(
    graph: Graph, sizes: Mapping[str, TensorSpec], seed: int = 0
) -> tuple[Graph, Arrays, Arrays]:
    """The network as it learns, and the gradients of a scalar: all floats that it gives, each weighted at random.

    sizes: of its inputs. Returns the graph, whose state are the parameters; their values; and what its inputs are fed
    besides the network's own. Raises InputError, UnsupportedError for a network that cannot learn or whose outputs'
    sizes depend on data.
    """
    known = learner(graph)
    for name in known.graph.outputs:
        check_way(known, name)
    settled = specialise(known.graph, sizes)
    if settled.cut is not None:
        raise UnsupportedError(
            f"'{graph.name}': the sizes of its outputs depend on what its inputs hold; no gradient is planned through that"
        )
    to, _ = training_form(known.graph, train_statistics=True)
    for name in known.parameters:
        to.add_state(name, known.graph.constants[name].spec)
    rng, terms = np.random.default_rng(seed), list[str]()
    more: Arrays = {}
    for name in known.graph.outputs:
        spec = settled.graph.spec(name)
        if spec.dtype.is_float:
            weights = to.add_input(f"{name}.weights", spec.shape, spec.dtype)
            more[weights] = rng.standard_normal(spec.shape).astype(spec.dtype.numpy)
            weighted = to.one("Mul", name, weights)
            terms.append(to.one("ReduceSum", weighted, keepdims=0))
    if not terms:
        raise UnsupportedError(f"'{graph.name}' gives no floats, which alone have a gradient")
    total = terms[0] if len(terms) == 1 else to.one("Sum", *terms)
    found = [to.fresh(f"{name}.grad") for name in known.parameters]
    inputs = (total, *known.parameters)
    to.nodes.append(make_node("Gradient", inputs, found, to.fresh("gradient"), results=1))
    values = {n: known.graph.constants[n].array for n in known.parameters}
    if RANDOM in to.labelled:
        more[to.labelled[RANDOM]] = np.array([seed, 0], np.int64)
    return to.finish((*known.graph.outputs, *found), without=tuple(to.state)), values, more
