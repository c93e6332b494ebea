"""Values inside others on real devices: chains of concatenations, splits and slices give right results."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.session.session import Session
from tests.graph.graph_builder import Builder, specialised
from tests.planning.support import make_plan
from tests.runtime.support import assert_agrees, picture

HEIGHT, WIDTH = 4, 8


class Chain(Builder):
    """Random chains in which most values are parts of others; channels of each value are known."""

    def __init__(self, seed: int, batch: int) -> None:
        super().__init__()
        self.random_choice = random.Random(seed)
        self.batch = batch
        self.channels: dict[str, int] = {}
        for i in range(2):
            # Multiples of a vector and not, so that some placements are taken and some are refused.
            count = self.random_choice.choice((8, 16, 24, 5))
            self.channels[self.input(batch, count, HEIGHT, WIDTH, name=f"x{i}")] = count

    def pick(self) -> str:
        """A value, recent ones more often."""
        return self.random_choice.choice(list(self.channels)[-6:])

    def ints(self, *values: int) -> str:
        return self.constant(list(values), "int64")

    def random(self, *shape: int) -> str:
        """Weights under which long chains neither grow nor cancel."""
        return self.constant(self.rng.uniform(-1, 1, shape) / math.sqrt(math.prod(shape[1:])))

    def grow(self) -> None:
        kind = self.random_choice.choice(
            ("point", "point", "conv", "concat", "concat", "split", "slice", "view")
        )
        getattr(self, f"add_{kind}")()

    def add_point(self) -> None:
        x = self.pick()
        op = self.random_choice.choice(("Relu", "Sigmoid", "Tanh", "Neg"))
        self.channels[self.node(op, x)] = self.channels[x]

    def add_conv(self) -> None:
        x, filters = self.pick(), self.random_choice.choice((8, 16, 3))
        window = self.random_choice.choice((1, 3))
        pads = (window // 2,) * 4
        y = self.conv(x, filters, self.channels[x], window, pads=pads)
        self.channels[self.node("Tanh", y)] = filters

    def add_concat(self) -> None:
        parts = [self.pick() for _ in range(self.random_choice.choice((2, 2, 3)))]
        if sum(self.channels[p] for p in parts) <= 96:
            whole = self.node("Concat", *parts, axis=1)
            self.channels[whole] = sum(self.channels[p] for p in parts)

    def add_split(self) -> None:
        x = self.pick()
        if self.channels[x] < 2:
            return
        first = max(1, self.channels[x] // 16 * 8)
        sizes = [first, self.channels[x] - first]
        names = [f"v{len(self.nodes)}_{i}" for i in range(2)]
        label = f"Split{len(self.nodes)}"
        self.nodes.append(make_node("Split", [x, self.ints(*sizes)], names, label, axis=1))
        self.channels.update(zip(names, sizes, strict=True))

    def add_slice(self) -> None:
        x = self.pick()
        begin = self.random_choice.randrange(0, self.channels[x], 8)
        end = self.random_choice.randint(begin + 1, self.channels[x])
        if self.random_choice.random() < 0.7:
            end = min(begin + 8, self.channels[x])
        y = self.node("Slice", x, self.ints(begin), self.ints(end), self.ints(1))
        self.channels[y] = end - begin

    def add_view(self) -> None:
        """There and back again: the value in between is flat."""
        x = self.pick()
        flat = self.node("Reshape", x, self.ints(self.batch, -1))
        shape = self.ints(self.batch, self.channels[x], HEIGHT, WIDTH)
        self.channels[self.node("Reshape", self.node("Abs", flat), shape)] = self.channels[x]

    def whole(self, steps: int = 16) -> Graph:
        for _ in range(steps):
            self.grow()
        made = [name for name in self.channels if name not in self.specs]
        read = {name for node in self.nodes for name in node.inputs}
        # Everything that nobody reads, and some values that others are made of: parts and containers too.
        loose = [name for name in made if name not in read]
        inner = [name for name in made if name in read]
        picked = self.random_choice.sample(inner, min(3, len(inner)))
        return specialised(self.graph(*loose, *picked))


def run_both(graph: Graph, device: DeviceInfo, seed: int = 0) -> Session:
    """Runs with values packed together, twice, again with guards around each, and both ways on arrays that stay on the
    device; returns the first."""
    packed, guarded = Session(graph, device), Session(graph, device, guard=256)
    for i in range(2):
        feeds = {
            name: picture(*graph.specs[name].shape, seed=seed + 10 * i + k)
            for k, name in enumerate(graph.inputs)
        }
        expected = run_reference(graph, feeds)
        assert_agrees(packed.run(feeds), expected)
    assert_agrees(guarded.run(feeds), expected)
    for session in (packed, guarded):
        given = {name: session.to_device(array) for name, array in feeds.items()}
        for _ in range(3):
            found = session.run(given, outputs="device")
        assert_agrees({name: array.get() for name, array in found.items()}, expected)
        assert all(np.array_equal(given[name].get(), array) for name, array in feeds.items())
    return packed


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))]
)
def test_random_chains(device: DeviceInfo, seed: int, batch: int) -> None:
    run_both(Chain(seed, batch).whole(), device, seed)


@pytest.mark.parametrize("batch", [1, 2])
def test_every_part_and_its_container_are_outputs(device: DeviceInfo, batch: int) -> None:
    b = Builder()
    x = b.input(batch, 16, HEIGHT, WIDTH)
    y, z = b.node("Relu", x, out="y"), b.node("Neg", x, out="z")
    inner = b.node("Concat", y, z, out="inner", axis=1)
    outer = b.node("Concat", inner, b.node("Tanh", z, out="t"), out="outer", axis=1)
    b.nodes.append(make_node("Split", [outer], ["a", "b"], "Split", axis=1, num_outputs=2))
    cut = b.node("Slice", "b", *(b.constant([v], "int64") for v in (8, 16, 1)), out="cut")
    run_both(specialised(b.graph("y", "z", "t", inner, outer, "a", "b", cut)), device)


@pytest.mark.parametrize("batch", [1, 2])
def test_parts_of_the_input_itself(device: DeviceInfo, batch: int) -> None:
    """Outputs that lie in an input's memory hold what was fed in this run, not in the last."""
    b = Builder()
    x = b.input(batch, 32, HEIGHT, WIDTH)
    b.nodes.append(make_node("Split", [x], ["a", "b"], "Split", axis=1, num_outputs=2))
    joined = b.node("Concat", "b", x, "a", out="joined", axis=1)
    run_both(specialised(b.graph("a", "b", joined)), device)


@pytest.mark.slow
def test_dense_block_as_exporters_write_it(device: DeviceInfo) -> None:
    """Each layer concatenates all the ones before it anew: a value is a part of the first one only."""
    b = Builder()
    layers = [b.node("Relu", b.input(1, 16, HEIGHT, WIDTH))]
    for _ in range(3):
        whole = b.node("Concat", *layers, axis=1) if len(layers) > 1 else layers[0]
        channels = 16 + 8 * (len(layers) - 1)
        layers.append(b.node("Tanh", b.conv(whole, 8, channels, 3, pads=(1, 1, 1, 1))))
    run_both(specialised(b.graph(b.node("Concat", *layers, axis=1, out="result"))), device)


@pytest.mark.parametrize("axis", [0, 2])
def test_other_axes(device: DeviceInfo, axis: int) -> None:
    """Images one behind the other are runs, rows of several channels are not."""
    b = Builder()
    x = b.input(2, 8, HEIGHT, WIDTH)
    whole = b.node("Concat", b.node("Relu", x), b.node("Neg", x), axis=axis)
    b.nodes.append(make_node("Split", [whole], ["a", "b"], "Split", axis=axis, num_outputs=2))
    outputs = [b.node("Tanh", n) for n in ("a", "b")]
    run_both(specialised(b.graph(*outputs, "a")), device)


def test_the_random_chains_do_place_parts(device: DeviceInfo) -> None:
    graphs = [Chain(seed, 1).whole() for seed in range(10)]
    plans = [make_plan(g, {n: g.specs[n] for n in g.inputs}, device) for g in graphs]
    placed = sum(len(plan.lowered.placed_inside) for plan in plans)
    assert placed >= 20
