"""What a layer is, and the network that layers are applied to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.errors import ConfigError, ShapeError
from clconv.frontend.layers.weights import PATHS, Given, Weights
from clconv.frontend.layers.written import written
from clconv.graph.evaluate import infer_node
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.summary import summary
from clconv.graph.verify import verify

Volume = tuple[
    int, ...
]  # sizes of a value without the batch: (channels, height, width), (features,)


class Layer:
    """One step of a network. A layer has no weights until it is applied; applied twice, it is two layers.

    `name` names the node and its weights; without one they are named after the class and counted.
    """

    name: str | None = None
    _given: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __new__(cls, *args: Any, **named: Any) -> Any:
        made = super().__new__(cls)
        made._given = (args, named)
        return made

    def __repr__(self) -> str:
        return written(type(self), *self._given)

    def apply(self, network: Network, x: str) -> str:
        """Adds the layer's nodes behind the value x and returns the value it makes.

        Raises ShapeError, naming the layer, if x does not fit.
        """
        raise NotImplementedError

    def build(
        self,
        input_shape: Sequence[int],
        batch: int | str | None = 1,
        seed: int = 0,
        name: str = "network",
        weights: Weights | None = None,
    ) -> Graph:
        """A graph of this layer alone: see Network for the arguments. Its output is named "output"."""
        network = Network(input_shape, batch, seed, name, weights=weights)
        return network.graph(output=self.apply(network, network.input))


class Network:
    """A graph under construction: layers are called on values, values are names.

        network = Network((3, 32, 32))
        features = network(Conv2d(16, 3, padding=1), network.input)
        both = network(Concat(), features, network(Relu(), features))
        graph = network.graph(scores=network(Dense(10), both))

    input_shape: (channels, height, width), (channels, length) or (features,).
    batch: images at once; None or a name leaves it open until an input arrives.
    seed: of the weights; the same layers and seed give the same weights.
    weights: in the place of drawn ones: arrays or PyTorch's tensors by name, or the path of a .safetensors file. All of
    them, and no others. Names are "conv2d_1.weight", or those of PyTorch's state_dict: see state_dict.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        batch: int | str | None = 1,
        seed: int = 0,
        name: str = "network",
        input_name: str = "input",
        *,
        weights: Weights | None = None,
    ) -> None:
        shape = tuple(input_shape)
        if not shape or not all(isinstance(d, int | np.integer) and d >= 1 for d in shape):
            raise ShapeError(
                f"input shape {shape}: give (channels, height, width), each at least 1"
            )
        shape = tuple(int(d) for d in shape)
        batch = int(batch) if isinstance(batch, np.integer) else batch
        if isinstance(batch, int) and batch < 1:
            raise ShapeError(f"batch {batch} must be at least 1, or None to leave it open")
        self.name = name
        self.input = input_name
        self.random = np.random.default_rng(seed)
        self._batch = "N" if batch is None else batch
        self._nodes: list[Node] = []
        self._constants: dict[str, Constant] = {}
        # With an open batch shapes are worked out for one image, and only the input's is kept.
        images = batch if isinstance(batch, int) else 1
        self._specs = {input_name: TensorSpec((images, *shape))}
        self._counts: dict[str, int] = {}
        self._given = None if weights is None else Given(weights)
        self._missing: list[str] = []
        # Where the layer that is applied stands among the layers of layers; None where nothing says it.
        self._path: tuple[str, ...] | None = ()
        self._paths: dict[str, str] = {}

    def __call__(self, layer: Layer, *values: str) -> str:
        """Applies a layer to a value, or a joining layer (Add, Concat, Multiply) to several."""
        for value in values:
            self.volume(value)
        path, self._path = self._path, (layer.name,) if layer.name else None
        try:
            if len(values) == 1:
                return layer.apply(self, values[0])
            join = getattr(layer, "join", None)
            if join is None:
                raise ConfigError(
                    f"{type(layer).__name__} takes one value, {len(values)} were given"
                )
            return str(join(self, values))
        finally:
            self._path = path

    def part(self, layer: Layer, place: int, x: str) -> str:
        """Applies a layer that stands at a place of another: its weights are named after both."""
        path = self._path
        self._path = None if path is None else (*path, layer.name or str(place))
        try:
            return layer.apply(self, x)
        finally:
            self._path = path

    def __repr__(self) -> str:
        return f"<Network '{self.name}': {self._specs[self.input]}, {len(self._nodes)} nodes>"

    def __str__(self) -> str:
        return str(summary(self.graph())) if self._nodes else repr(self)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """What training would change, by name: weights, biases, scales. Read-only arrays."""
        return self.graph().parameters if self._nodes else {}

    def volume(self, value: str) -> Volume:
        """Sizes of a value without the batch."""
        if value not in self._specs:
            raise ConfigError(f"network '{self.name}' has no value '{value}'")
        return self._specs[value].shape[1:]

    def label(self, layer: Layer) -> str:
        """A name for a layer's node: its own, or its class's and a number. ConfigError for what is no name."""
        if not isinstance(layer.name, str | None):
            raise ConfigError(f"{layer!r}: a name is a string, not {layer.name!r}")
        base = layer.name or type(layer).__name__.lower()
        if layer.name and layer.name not in self._specs and layer.name not in self._constants:
            return layer.name
        while True:
            self._counts[base] = self._counts.get(base, 0) + 1
            label = f"{base}_{self._counts[base]}"
            if label not in self._specs:
                return label

    def weights(self, name: str, shape: Sequence[int], fan_in: float) -> str:
        """He et al. (2015): normal with variance 2 / fan_in, float32."""
        values = self.random.standard_normal(tuple(shape)) * math.sqrt(2 / fan_in)
        return self.learned(name, values)

    def bias(self, name: str, size: int, fan_in: float) -> str:
        """Uniform in +-1 / sqrt(fan_in): small, but not zero, so that a lost bias shows."""
        limit = 1 / math.sqrt(fan_in)
        return self.learned(name, self.random.uniform(-limit, limit, size))

    def learned(self, name: str, drawn: np.ndarray) -> str:
        """Adds a weight, "layer.kind", as float32 and returns its name: the one that was given, or as drawn."""
        if self._path is not None:
            path = ".".join((*self._path, name.rpartition(".")[2]))
            if path not in self._paths.values():
                self._paths[name] = path
        if self._given is not None:
            path = self._paths.get(name, name)
            found = self._given.take((name, path), drawn.shape)
            if found is None:
                self._missing.append(path)
            else:
                drawn = found
        return self.constant(name, drawn.astype(np.float32))

    def weight_and_bias(
        self, label: str, shape: Sequence[int], units: int | None, fan_in: float
    ) -> list[str]:
        """A layer's weights of a shape, and the bias of so many units if there are any."""
        weights = self.weights(f"{label}.weight", shape, fan_in)
        return [weights] if units is None else [weights, self.bias(f"{label}.bias", units, fan_in)]

    def constant(self, name: str, array: Any) -> str:
        """Adds a constant and returns its name."""
        self._constants[name] = Constant(array)
        return name

    def add(self, op: str, label: str, inputs: Sequence[str], **attrs: Any) -> str:
        """Adds a node with one output and returns the output's name, which is the label."""
        node = make_node(op, inputs, [label], label, **attrs)
        self._specs[label] = infer_node(node, self._specs, self._constants)[0]
        self._nodes.append(node)
        return label

    def graph(self, *unnamed: str, **outputs: str) -> Graph:
        """The finished graph. outputs: value by the name it gets; unnamed values keep theirs. Without either the outputs
        are the values that no layer reads.

        Specs are complete if the batch is known, else only the input's is there. metadata: "output_specs" has the
        outputs' in either case. Raises InputError where weights were given and do not fit the layers.
        """
        if not unnamed and not outputs:
            unnamed = self._unread()
        if self._given is not None:
            self._given.check_all(self._missing, self.name)
        names = {value: value for value in unnamed}
        for name, value in outputs.items():
            self.volume(value)
            taken = name in self._specs or name in self._constants or name in names.values()
            if taken and name != value:
                raise ConfigError(f"network '{self.name}': the name '{name}' is taken")
            if name != value and (value == self.input or value in names):
                value = self.add("Identity", self.label(_Copy()), [value])
            names[value] = name
        nodes = [
            dataclasses.replace(
                node,
                inputs=tuple(names.get(n, n) for n in node.inputs),
                outputs=tuple(names.get(n, n) for n in node.outputs),
            )
            for node in self._nodes
        ]
        specs = {names.get(n, n): s for n, s in self._specs.items()}
        if not isinstance(self._batch, int):
            specs = {self.input: TensorSpec((self._batch, *self.volume(self.input)))}
        results = tuple(dict.fromkeys(names.values()))
        declared = {
            name: dataclasses.replace(self._specs[value], shape=(self._batch, *self.volume(value)))
            for value, name in names.items()
        }
        inputs, metadata = (self.input,), {"output_specs": declared, PATHS: dict(self._paths)}
        return verify(
            Graph(self.name, tuple(nodes), inputs, results, specs, self._constants, metadata)
        )

    def _unread(self) -> tuple[str, ...]:
        read = {name for node in self._nodes for name in node.inputs}
        found = tuple(o for node in self._nodes for o in node.outputs if o not in read)
        if not found:
            raise ConfigError(f"network '{self.name}' needs at least one output")
        return found


class _Copy(Layer):
    """Names the Identity that gives a value a second name."""

    name = "copy"


def pair(value: Any, axes: int, what: str) -> tuple[int, ...]:
    """An int for every axis, or one value an axis (height first). ConfigError otherwise."""
    values = (value,) * axes if isinstance(value, int | np.integer) else value
    if (
        not isinstance(values, tuple | list)
        or len(values) != axes
        or not all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in values)
    ):
        wanted = "an int" if axes == 1 else f"an int or {axes} of them (height first)"
        raise ConfigError(f"{what} {value!r} must be {wanted}")
    return tuple(int(v) for v in values)


def count(value: Any, what: str) -> int:
    """The value if it is a whole number of at least 1. ConfigError otherwise."""
    (number,) = pair(value, 1, what)
    at_least([number], 1, what)
    return number


def at_least(values: Sequence[int], least: int, what: str) -> None:
    """ConfigError if any value is smaller."""
    if min(values) < least:
        raise ConfigError(f"{what} {tuple(values)} must be at least {least}")
