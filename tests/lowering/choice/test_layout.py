"""Layouts: what conversions cost, and how near the choice comes to the best there is."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clconv.device.info import DeviceInfo
from clconv.graph.ir import PLAIN, Constant, Graph, Layout, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.choice.layout import choose_signatures, is_free
from clconv.lowering.lower import lower_graph
from clconv.lowering.model.kernel import Signature

BLOCKED = Layout(8)
SAME = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1), "group": 1}
Options = Mapping[int, Sequence[Signature]]


def total_cost(graph: Graph, chosen: Mapping[int, Signature]) -> int:
    """Bytes that conversions move: each value once for each layout that it is wanted in."""
    home = dict.fromkeys(graph.inputs, PLAIN)
    wanted: dict[str, set[Layout]] = {}
    for i, node in enumerate(graph.nodes):
        home.update(zip(node.outputs, chosen[i].outputs, strict=True))
        for name, layout in zip(node.inputs, chosen[i].inputs, strict=True):
            wanted.setdefault(name, set()).add(layout)
    for name in graph.outputs:
        wanted.setdefault(name, set()).add(PLAIN)
    return sum(
        2 * max(graph.specs[name].nbytes, 1024)
        for name, layouts in wanted.items()
        for layout in layouts
        if not is_free(graph.specs[name], home[name], layout)
    )


def best_cost(graph: Graph, options: Options) -> int:
    picks = itertools.product(*(options[i] for i in range(len(graph.nodes))))
    return min(total_cost(graph, dict(enumerate(pick))) for pick in picks)


def plain(node: Node) -> Signature:
    return Signature((PLAIN,) * len(node.inputs), (PLAIN,) * len(node.outputs))


def random_problem(rng: random.Random, nodes: int) -> tuple[Graph, Options]:
    """A network of nodes with one or two inputs, some tied to one layout, some free, some mixed."""
    specs = {"x": TensorSpec((1, rng.choice((3, 16)), 8, 8))}
    names, made, options = ["x"], [], {}
    for i in range(nodes):
        inputs = tuple(rng.choice(names[-4:]) for _ in range(rng.choice((1, 1, 2))))
        node = Node("Any", f"n{i}", inputs, (f"v{i}",))
        names.append(f"v{i}")
        specs[f"v{i}"] = TensorSpec(
            (1, rng.choice((5, 16, 64)), *rng.choice(((1, 1), (4, 4), (16, 16))))
        )
        every = [
            plain(node),
            Signature((BLOCKED,) * len(inputs), (BLOCKED,)),
            Signature((PLAIN,) * len(inputs), (BLOCKED,)),
            Signature((BLOCKED, *[PLAIN] * (len(inputs) - 1)), (BLOCKED,)),
        ]
        kind = rng.random()
        if kind < 0.35:
            options[i] = [every[1]]  # a convolution: one layout only
        elif kind < 0.5:
            options[i] = [every[0]]
        else:
            options[i] = rng.sample(every, rng.randrange(2, 5))
        made.append(node)
    outputs = tuple({names[-1], *rng.sample(names[1:], rng.choice((0, 1)))})
    return Graph("random", tuple(made), ("x",), outputs, specs), options


def test_greedy_and_sweeps_are_nearly_always_best() -> None:
    """The share of random networks for which no choice moves fewer bytes."""
    count, best, moved, needed = 80, 0, 0, 0
    for seed in range(count):
        graph, options = random_problem(random.Random(seed), 7)
        found, least = (
            total_cost(graph, choose_signatures(graph, options)),
            best_cost(graph, options),
        )
        assert found >= least
        best, moved, needed = best + (found == least), moved + found, needed + least
    assert best >= 0.95 * count, f"best in {best} of {count}"
    assert moved <= 1.01 * needed


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.integers(1, 30))
def test_never_worse_than_all_plain(seed: int, nodes: int) -> None:
    graph, options = random_problem(random.Random(seed), nodes)
    options = {i: [*s, *([] if plain(n) in s else [plain(n)])]
               for (i, s), n in zip(options.items(), graph.nodes, strict=True)}  # fmt: skip
    found = choose_signatures(graph, options)
    assert all(found[i] in options[i] for i in options)
    assert total_cost(graph, found) <= total_cost(graph, dict(enumerate(map(plain, graph.nodes))))


def test_equal_costs_leave_the_preferred_signature() -> None:
    node = Node("Any", "n", ("x",), ("y",))
    spec = TensorSpec((1, 16, 1, 1))
    graph = Graph("one", (node,), ("x",), ("y",), {"x": spec, "y": spec})
    blocked = Signature((BLOCKED,), (BLOCKED,))
    assert choose_signatures(graph, {0: [blocked, plain(node)]}) == {0: blocked}


def test_a_global_pool_takes_images_as_they_are() -> None:
    """Those of a network's input as rows, those that a convolution leaves as blocks."""
    pool = make_node("GlobalMaxPool", ("y",), ("z",), "pool")
    conv = make_node("Conv", ("x", "w"), ("y",), "conv", **SAME)
    cpu = DeviceInfo("made up", "nobody", "none", "", "", "cpu", vector_width=8)
    w, x = np.ones((16, 16, 3, 3), np.float32), TensorSpec((1, 16, 9, 9))
    alone = Graph("alone", (pool,), ("y",), ("z",), {"y": x, "z": TensorSpec((1, 16, 1, 1))})
    behind = Graph(
        "behind", (conv, pool), ("x",), ("z",), {**alone.specs, "x": x}, {"w": Constant(w)}
    )
    for graph, template in ((alone, "reduce/"), (behind, "pool/global/blocked")):
        last = lower_graph(graph, cpu).calls[-1]
        assert last.kernel.template.startswith(template)


def test_a_pool_takes_images_as_they_are() -> None:
    """Those of a network's input row by row, those between convolutions as blocks."""
    window = {"kernel_shape": (3, 3), "strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
    pool = make_node("MaxPool", ("y",), ("z",), "pool", **window)
    before = make_node("Conv", ("x", "w"), ("y",), "before", **SAME)
    after = make_node("Conv", ("z", "w"), ("r",), "after", **SAME)
    cpu = DeviceInfo("made up", "nobody", "none", "", "", "cpu", vector_width=8)
    w, x = np.ones((16, 16, 3, 3), np.float32), TensorSpec((1, 16, 9, 24))
    alone = Graph("alone", (pool,), ("y",), ("z",), {"y": x, "z": x})
    specs = {name: x for name in "xyzr"}
    between = Graph("between", (before, pool, after), ("x",), ("r",), specs, {"w": Constant(w)})
    for graph, template in ((alone, "pool/rows"), (between, "pool/columns")):
        templates = [call.kernel.template for call in lower_graph(graph, cpu).calls]
        assert any(name.startswith(template) for name in templates)
        assert len(templates) == 1 or graph is between


def test_free_conversions() -> None:
    spec = TensorSpec((2, 16, 1, 1))
    assert is_free(spec, PLAIN, BLOCKED) and is_free(spec, BLOCKED, PLAIN)
    assert is_free(spec, BLOCKED, BLOCKED)
    assert not is_free(spec, BLOCKED, Layout(16))
    assert not is_free(TensorSpec((2, 16, 1, 2)), PLAIN, BLOCKED)
    assert not is_free(TensorSpec((2, 12, 1, 1)), PLAIN, BLOCKED)
    assert not is_free(TensorSpec((16,)), PLAIN, BLOCKED)
