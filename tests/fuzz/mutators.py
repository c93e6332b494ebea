"""Changes to a model on the level of protobuf: nodes, names, declarations, opsets, bytes. One function a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from clconv.graph.ops import OPS
from tests.fuzz.seeds import Seed, random_seed
from tests.fuzz.values import change_tensor, hostile_float, hostile_int, pick

Rng = np.random.Generator
Mutator = Callable[[Seed, Rng], None]
Nodes = Any  # a repeated field of NodeProto

STRINGS = (
    "", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "reflect", "edge", "wrap", "constant", "linear", "cubic",
    "nearest", "align_corners", "half_pixel", "tf_crop_and_resize", "add", "mul", "DCR", "tanh", "reverse",
    "bidirectional", "zeros", "border", "ij,jk->ik", "...i,i->...", "i->", "no such thing", "x" * 300,
)  # fmt: skip
DTYPES = (1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 0, 8, 16, 17, 99)


def graphs(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    """The graph and all subgraphs."""

    def inside(nodes: Nodes) -> Iterator[onnx.GraphProto]:
        for node in nodes:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    yield attribute.g
                    yield from inside(attribute.g.node)

    return [model.graph, *inside(model.graph.node)]


def node_lists(model: onnx.ModelProto) -> list[Nodes]:
    """Where nodes are: graphs and functions."""
    return [*(g.node for g in graphs(model)), *(f.node for f in model.functions)]


def any_node(seed: Seed, rng: Rng) -> tuple[Nodes, int] | None:
    lists = [nodes for nodes in node_lists(seed.model) if len(nodes)]
    if not lists:
        return None
    nodes = pick(rng, lists)
    return nodes, int(rng.integers(len(nodes)))


def names_in(model: onnx.ModelProto) -> list[str]:
    found: dict[str, None] = {}
    for graph in graphs(model):
        found.update((v.name, None) for v in (*graph.input, *graph.initializer))
    for nodes in node_lists(model):
        for node in nodes:
            found.update((n, None) for n in (*node.input, *node.output))
    return list(found)


def attribute_value(seed: Seed, rng: Rng) -> None:
    """One number, text or tensor of an attribute."""
    found = any_node(seed, rng)
    if found is None or not (attributes := found[0][found[1]].attribute):
        return
    attribute = pick(rng, attributes)
    kind = attribute.type
    if kind == onnx.AttributeProto.INT:
        attribute.i = hostile_int(rng)
    elif kind == onnx.AttributeProto.FLOAT:
        attribute.f = hostile_float(rng)
    elif kind == onnx.AttributeProto.STRING:
        attribute.s = pick(rng, [*(s.encode() for s in STRINGS), b"\xff\xfe"])
    elif kind == onnx.AttributeProto.TENSOR:
        change_tensor(attribute.t, rng)
    elif kind in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        values = attribute.ints if kind == onnx.AttributeProto.INTS else attribute.floats
        fresh = hostile_int(rng) if kind == onnx.AttributeProto.INTS else hostile_float(rng)
        change_list(values, fresh, rng)


def change_list(values: Any, fresh: Any, rng: Rng) -> None:
    """One entry replaced, added or taken away."""
    way = rng.integers(4)
    if way == 0 or not len(values):
        values.append(fresh)
    elif way == 1:
        del values[-1]
    else:
        values[int(rng.integers(len(values)))] = fresh


def attribute_set(seed: Seed, rng: Rng) -> None:
    """An attribute dropped, doubled, renamed, of another type, or added: one the operator has, or one it has not."""
    found = any_node(seed, rng)
    if found is None:
        return
    node = found[0][found[1]]
    way = rng.integers(5)
    if way == 4 or not node.attribute:
        known = list(OPS[node.op_type].attributes) if node.op_type in OPS else []
        name = pick(rng, [*known, "axis", "nonsense"])
        value = pick(rng, [hostile_int(rng), hostile_float(rng), pick(rng, STRINGS), [1, 2]])
        node.attribute.append(helper.make_attribute(name, value))
    elif way == 0:
        del node.attribute[int(rng.integers(len(node.attribute)))]
    elif way == 1:
        node.attribute.append(pick(rng, node.attribute))
    elif way == 2:
        pick(rng, node.attribute).name = pick(rng, ["axis", "", "kernel_shape", "perm", "body"])
    else:
        attribute = pick(rng, node.attribute)
        attribute.type = int(rng.integers(0, 15))


def inputs_of_node(seed: Seed, rng: Rng) -> None:
    """An input dropped, doubled, swapped, absent, or another value: cycles come of that as well."""
    found = any_node(seed, rng)
    if found is None:
        return
    node = found[0][found[1]]
    way, names = rng.integers(6), list(node.input)
    if way == 0 or not names:
        names.append(pick(rng, ["", "nowhere", *names_in(seed.model)]))
    elif way == 1:
        del names[int(rng.integers(len(names)))]
    elif way == 2:
        names[int(rng.integers(len(names)))] = ""
    elif way == 3:
        names = [names[i] for i in rng.permutation(len(names))]
    else:
        names[int(rng.integers(len(names)))] = pick(rng, names_in(seed.model))
    del node.input[:]
    node.input.extend(names)


def outputs_of_node(seed: Seed, rng: Rng) -> None:
    found = any_node(seed, rng)
    if found is None:
        return
    node = found[0][found[1]]
    change_list(node.output, pick(rng, ["", "other", *names_in(seed.model)]), rng)


def operator(seed: Seed, rng: Rng) -> None:
    """Another operator for the same inputs, or another domain."""
    found = any_node(seed, rng)
    if found is None:
        return
    node = found[0][found[1]]
    if rng.random() < 0.85:
        same = [n for n, o in OPS.items() if o.inputs[0] <= len(node.input)]
        node.op_type = pick(rng, [*same, "NoSuchOperator"] if rng.random() < 0.95 else [""])
        if rng.random() < 0.7:
            del node.attribute[:]
    else:
        node.domain = pick(rng, ["com.microsoft", "ai.onnx", "ai.onnx.ml", "nowhere", "local"])


def node_list(seed: Seed, rng: Rng) -> None:
    """A node taken out, doubled, or the order reversed."""
    found = any_node(seed, rng)
    if found is None:
        return
    nodes, index = found
    way = rng.integers(3)
    if way == 0:
        del nodes[index]
    elif way == 1:
        nodes.append(nodes[index])
        for i in range(len(nodes[-1].output)):
            nodes[-1].output[i] += "_again"
    else:
        turned = [*reversed(nodes)]
        copies = [onnx.NodeProto.FromString(n.SerializeToString()) for n in turned]
        del nodes[:]
        nodes.extend(copies)


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


_BETWEEN: Sequence[tuple[str, dict[str, Any]]] = (
    ("Cast", {"to": 10}), ("Cast", {"to": 11}), ("Cast", {"to": 7}), ("Cast", {"to": 9}), ("Cast", {"to": 6}),
    ("Cast", {"to": 2}), ("Transpose", {}), ("Flatten", {"axis": 1}), ("Flatten", {"axis": 0}), ("Identity", {}),
    ("Shape", {}), ("SequenceConstruct", {}), ("NonZero", {}), ("Relu", {}), ("Softmax", {"axis": -1}),
    ("ReduceSum", {"keepdims": 0}), ("GlobalMaxPool", {}), ("Exp", {}), ("Squeeze", {}), ("Unique", {}),
    ("OptionalHasElement", {}), ("Size", {}), ("Not", {}), ("Transpose", {"perm": [1, 0]}),
)  # fmt: skip


def between(seed: Seed, rng: Rng) -> None:
    """A node in front of an input: another rank, type or kind of value."""
    found = any_node(seed, rng)
    if found is None or not found[0][found[1]].input:
        return
    nodes, index = found
    place = int(rng.integers(len(nodes[index].input)))
    name = f"between_{len(nodes)}_{place}"
    op, attributes = pick(rng, _BETWEEN)
    made = helper.make_node(op, [nodes[index].input[place]], [name], **attributes)
    nodes[index].input[place] = name
    nodes.insert(index, made)


def grafted(seed: Seed, rng: Rng) -> None:
    """The first node of another seed behind any value of this one."""
    other = random_seed(rng)
    if not other.model.graph.node:
        return
    node = onnx.NodeProto()
    node.CopyFrom(other.model.graph.node[0])
    values = [n for n in names_in(seed.model) if n]
    tensors = {t.name: t for t in other.model.graph.initializer}
    prefix = f"graft{len(seed.model.graph.node)}_"
    for i, name in enumerate(node.input):
        if name in tensors:
            tensor = seed.model.graph.initializer.add()
            tensor.CopyFrom(tensors[name])
            tensor.name = node.input[i] = prefix + name
        elif name and values:
            node.input[i] = pick(rng, values)
    for i, name in enumerate(node.output):
        node.output[i] = prefix + name if name else ""
    seed.model.graph.node.append(node)
    if node.output and node.output[0]:
        seed.model.graph.output.append(onnx.ValueInfoProto(name=node.output[0]))


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


def nested(seed: Seed, rng: Rng) -> None:
    """A node inside Ifs inside Ifs, up to where protobuf stops."""
    nodes = seed.model.graph.node
    if not nodes or not all(nodes[-1].output):
        return
    plain, inner = onnx.NodeProto(), onnx.NodeProto()
    plain.CopyFrom(nodes[-1])
    inner.CopyFrom(plain)
    outputs = [onnx.ValueInfoProto(name=n) for n in plain.output]
    for _ in range(int(pick(rng, [1, 2, 3, 8, 24]))):
        branches = {
            "then_branch": helper.make_graph([inner], "then", [], outputs),
            "else_branch": helper.make_graph([plain], "else", [], outputs),
        }
        inner = helper.make_node("If", ["nested"], list(plain.output), **branches)
    seed.model.graph.initializer.append(
        helper.make_tensor("nested", TensorProto.BOOL, [], [bool(rng.integers(2))])
    )
    nodes[-1].CopyFrom(inner)


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
