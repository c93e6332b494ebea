"""Changes to a model on the level of protobuf: nodes, names, declarations, opsets, bytes. One function a kind."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

from tests.fuzz.node_mutators import (
    attribute_set,
    attribute_value,
    between,
    grafted,
    inputs_of_node,
    nested,
    node_list,
    operator,
    outputs_of_node,
)
from tests.fuzz.places import Rng, change_list, graphs, names_in
from tests.fuzz.seeds import Seed
from tests.fuzz.values import change_tensor, hostile_int, pick

Mutator = Callable[[Seed, Rng], None]
DTYPES = (1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 0, 8, 16, 17, 99)


def declaration(seed: Seed, rng: Rng) -> None:
    """What an input or output is said to be."""
    graph = pick(rng, graphs(seed.model))
    values = [*graph.input, *graph.output, *graph.value_info]
    if not values:
        return
    value = pick(rng, values)
    tensor, way = value.type.tensor_type, rng.integers(7)
    if way == 0:
        tensor.elem_type = int(pick(rng, DTYPES))
    elif way == 1:
        value.ClearField("type")
    elif way == 2:
        tensor.ClearField("shape")
    elif way == 3:
        value.name = pick(rng, ["", "other", *names_in(seed.model)])
    elif way == 4:
        tensor.shape.dim.add().dim_value = int(pick(rng, [1, 2, 3, 0]))
    elif tensor.shape.dim:
        dim = pick(rng, tensor.shape.dim)
        if way == 5:
            dim.dim_param = pick(rng, ["n", "h", "?", ""])
        else:
            dim.dim_value = hostile_int(rng)


def open_sizes(seed: Seed, rng: Rng) -> None:
    """All sizes of an input symbolic, which changes nothing about the answer."""
    if seed.model.graph.input:
        value = pick(rng, seed.model.graph.input)
        for i, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"{value.name}_{i}"


def initializer(seed: Seed, rng: Rng) -> None:
    tensors = [t for g in graphs(seed.model) for t in g.initializer]
    if tensors:
        change_tensor(pick(rng, tensors), rng)


def constant_as_input(seed: Seed, rng: Rng) -> None:
    """An initializer becomes an input that is fed, so that its value is known at run time only."""
    graph = seed.model.graph
    if not len(graph.initializer):
        return
    index = int(rng.integers(len(graph.initializer)))
    tensor = graph.initializer[index]
    if tensor.data_location != TensorProto.EXTERNAL:
        try:
            seed.feeds[tensor.name] = onnx.numpy_helper.to_array(tensor)
        except Exception:  # a mutant's tensor need not be sound
            return
        known = {v.name for v in graph.input}
        if tensor.name not in known:
            made = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            graph.input.append(made)
        del graph.initializer[index]


def versions(seed: Seed, rng: Rng) -> None:
    model = seed.model
    way = rng.integers(5)
    if way == 0 and model.opset_import:
        pick(rng, model.opset_import).version = int(
            pick(rng, [*range(1, 27), 0, -1, 1 << 40, -(1 << 63)])
        )
    elif way == 1:
        model.opset_import.add(domain=pick(rng, ["", "com.microsoft", "nowhere"]), version=1)
    elif way == 2:
        del model.opset_import[:]
    elif way == 3:
        model.ir_version = int(pick(rng, [0, 1, 2, 3, 4, 8, 99, -1]))
    elif model.opset_import:
        model.opset_import[0].version = int(rng.integers(7, 24))


def external(seed: Seed, rng: Rng) -> None:
    """External data said wrongly, or its file cut."""
    tensors = [t for t in seed.model.graph.initializer if t.external_data]
    if not tensors:
        return
    if rng.random() < 0.3:
        seed.files["weights.bin"] = seed.files["weights.bin"][: int(rng.integers(99))]
        return
    entry = pick(rng, pick(rng, tensors).external_data)
    if rng.random() < 0.2:
        entry.key = pick(rng, ["", "location", "nonsense"])
    entry.value = pick(
        rng,
        ["", "-1", "1e3", str(1 << 70), "0", "../weights.bin", "/etc/passwd", "a" * 5000, "weights.bin/x", "\0",
         ".", "weights.bin", "9" * 5000],
    )  # fmt: skip


def function(seed: Seed, rng: Rng) -> None:
    """What a local function says of itself."""
    if not seed.model.functions:
        return
    body = pick(rng, seed.model.functions)
    way = rng.integers(5)
    if way == 0:
        change_list(body.input, pick(rng, ["", "a", "p", "other"]), rng)
    elif way == 1:
        change_list(body.output, pick(rng, ["", "b", "r", "other"]), rng)
    elif way == 2:
        change_list(body.attribute, pick(rng, ["alpha", "axis"]), rng)
    elif way == 3:
        body.name = pick(rng, ["Act", "Twice", "Relu", ""])
    else:
        del body.opset_import[:]


# The likelier a kind is to reach deep, the oftener it stands here.
MUTATORS: tuple[Mutator, ...] = (
    attribute_value, attribute_value, attribute_value, attribute_set, inputs_of_node, inputs_of_node,
    outputs_of_node, operator, operator, node_list, declaration, declaration, open_sizes, initializer, initializer,
    initializer, constant_as_input, between, between, grafted, grafted, versions, nested, external, function,
)  # fmt: skip
