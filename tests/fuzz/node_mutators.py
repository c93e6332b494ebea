"""Changes to the nodes of a model: attributes, inputs, outputs, operators, and nodes more or less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from clconv.graph.ops import OPS
from tests.fuzz.places import Rng, any_node, change_list, names_in
from tests.fuzz.seeds import Seed, random_seed
from tests.fuzz.values import change_tensor, hostile_float, hostile_int, pick

STRINGS = (
    "", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "reflect", "edge", "wrap", "constant", "linear", "cubic",
    "nearest", "align_corners", "half_pixel", "tf_crop_and_resize", "add", "mul", "DCR", "tanh", "reverse",
    "bidirectional", "zeros", "border", "ij,jk->ik", "...i,i->...", "i->", "no such thing", "x" * 300,
)  # fmt: skip


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
