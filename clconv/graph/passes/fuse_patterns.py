"""What exporters spell out in small operators becomes the one operator it means.

Activations are recognised as products: an expression such as 0.5 * x * (1 + erf(x / sqrt(2))) is
flattened into its factors and one number, so the order in which it was written does not matter.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.editor import Editor, inherit
from clconv.graph.passes.facts import gather_facts
from clconv.graph.passes.remove_dead import remove_dead
from clconv.graph.rules.known import permutation

MOST_FACTORS = 4  # no pattern has more; keeps long products cheap
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
Facts = Mapping[str, TensorSpec]


def fuse_patterns(graph: Graph) -> Graph:
    """The graph with Swish, HardSigmoid, HardSwish and Gelu recognised, MatMul + bias as Gemm, and
    Transpose, Reshape and Relu/Clip pairs merged."""
    editor = Editor(graph)
    facts = gather_facts(graph)
    for position in range(len(graph.nodes)):
        node = editor.nodes[position]
        if node is None:
            continue
        if node.op in ("Mul", "Div"):
            _activation(editor, position, node, facts)
        elif node.op == "Add":
            _gemm(editor, position, node, facts)
        elif node.op == "Transpose":
            _transposes(editor, position, node, facts)
        elif node.op == "Reshape":
            _reshapes(editor, position, node)
        elif node.op in ("Relu", "Clip"):
            _clamps(editor, position, node)
    # What the new operators replaced must not look like readers to the next pass.
    return remove_dead(editor.result()) if editor.changed else graph


def _close(value: float | None, wanted: float) -> bool:
    return value is not None and math.isclose(value, wanted, rel_tol=1e-5)


# products


def _factors(editor: Editor, node: Node) -> tuple[list[str], float]:
    """The values and the number whose product the node's own operator computes."""
    names: list[str] = []
    number = 1.0
    pending: list[Node] = [node]
    while pending:
        current = pending.pop()
        for index, name in enumerate(current.op_inputs):
            inverse = current.op == "Div" and index == 1
            value = editor.scalar(name)
            if value is not None:
                number = number / value if inverse else number * value
                continue
            inner = editor.made_by(name, "Mul", "Div") if editor.is_private(name) else None
            if inner is not None and _is_product(editor, inner) and len(names) < MOST_FACTORS:
                pending.append(inner)
            else:
                names.append(name)
    return names, number


def _is_product(editor: Editor, node: Node) -> bool:
    """Whether a Mul or Div is a product: a Div by what is no number is not."""
    return node.op == "Mul" or editor.scalar(node.inputs[1]) not in (None, 0.0)


def _activation(editor: Editor, position: int, node: Node, facts: Facts) -> None:
    if not _is_product(editor, node):
        return
    names, number = _factors(editor, node)
    found = None
    if len(names) == 1:
        found = _hard_sigmoid(editor, names[0], number)
    elif len(names) == 2:
        found = _gated(editor, names[0], names[1], number)
        found = found or _gated(editor, names[1], names[0], number)
    if found is None:
        return
    op, source, attrs = found
    before, after = facts.get(source), facts.get(node.outputs[0])
    if before is not None and after is not None and before.rank != after.rank:
        return  # the number had more axes than the value
    fused = make_node(op, [source], [node.outputs[0]], node.name, **attrs)
    editor.put(position, inherit(fused, node))


Match = tuple[str, str, dict[str, Any]] | None


def _hard_sigmoid(editor: Editor, name: str, number: float) -> Match:
    source = _clipped(editor, name)
    if source is None or not _close(number, 1 / 6):
        return None
    return "HardSigmoid", source, {"alpha": 1 / 6, "beta": 0.5}


def _gated(editor: Editor, x: str, gate: str, number: float) -> Match:
    """x * gate(x) * number as (operator, x, attributes)."""
    if not editor.is_private(gate):
        return None
    if _close(number, 1.0):
        made = editor.made_by(gate, "Sigmoid", "HardSigmoid")
        if made is None or made.inputs[0] != x:
            return None
        if made.op == "Sigmoid":
            return "Swish", x, {}
        if _close(made.attrs.alpha, 1 / 6) and _close(made.attrs.beta, 0.5):
            return "HardSwish", x, {}
    elif _close(number, 1 / 6):
        return ("HardSwish", x, {}) if _clipped(editor, gate) == x else None
    elif _close(number, 0.5):
        inner = _plus(editor, gate, 1.0)
        made = editor.made_by(inner, "Erf", "Tanh") if inner else None
        if made is None:
            return None
        if made.op == "Erf" and _times(editor, made.inputs[0], 1 / math.sqrt(2)) == x:
            return "Gelu", x, {"approximate": "none"}
        if made.op == "Tanh" and _is_tanh_argument(editor, made.inputs[0], x):
            return "Gelu", x, {"approximate": "tanh"}
    return None


def _clipped(editor: Editor, name: str) -> str | None:
    """x if the value is Clip(x + 3, 0, 6)."""
    clip = editor.made_by(name, "Clip")
    if clip is None or len(clip.inputs) < 3:
        return None
    if editor.scalar(clip.inputs[1]) != 0 or not _close(editor.scalar(clip.inputs[2]), 6.0):
        return None
    return _plus(editor, clip.inputs[0], 3.0)


def _plus(editor: Editor, name: str, number: float) -> str | None:
    """x if the value is x + number."""
    add = editor.made_by(name, "Add")
    if add is None:
        return None
    for index in (0, 1):
        if _close(editor.scalar(add.inputs[1 - index]), number):
            return add.inputs[index]
    return None


def _product(editor: Editor, name: str) -> tuple[list[str], float]:
    """Factors of a value; the value itself if no Mul or Div makes it."""
    made = editor.made_by(name, "Mul", "Div")
    if made is None or not _is_product(editor, made):
        return [name], 1.0
    return _factors(editor, made)


def _times(editor: Editor, name: str, number: float) -> str | None:
    """x if the value is x * number."""
    names, found = _product(editor, name)
    return names[0] if len(names) == 1 and _close(found, number) else None


def _is_tanh_argument(editor: Editor, name: str, x: str) -> bool:
    """Whether the value is sqrt(2 / pi) * (x + 0.044715 x^3), or the same with x taken out."""
    names, number = _product(editor, name)
    if not _close(number, math.sqrt(2 / math.pi)):
        return False
    if len(names) == 1:
        add = editor.made_by(names[0], "Add")
        if add is None or x not in add.inputs:
            return False
        other = add.inputs[1 - add.inputs.index(x)]
        return _is_power(editor, other, x, 3)
    if len(names) == 2 and x in names:
        inner = _plus(editor, names[1 - names.index(x)], 1.0)
        return inner is not None and _is_power(editor, inner, x, 2)
    return False


def _is_power(editor: Editor, name: str, x: str, exponent: int) -> bool:
    """Whether the value is 0.044715 * x ** exponent."""
    names, number = _product(editor, name)
    if not _close(number, 0.044715):
        return False
    total = 0.0
    for factor in names:
        power = editor.made_by(factor, "Pow")
        if factor == x:
            total += 1
        elif power is not None and power.inputs[0] == x:
            total += editor.scalar(power.inputs[1]) or math.nan
        else:
            return False
    return total == exponent


# pairs


def _gemm(editor: Editor, position: int, node: Node, facts: Facts) -> None:
    for index in (0, 1):
        name, bias = node.inputs[index], editor.array(node.inputs[1 - index])
        product = editor.made_by(name, "MatMul")
        if product is None or bias is None or not editor.is_private(name):
            continue
        data, weights = facts.get(product.inputs[0]), editor.array(product.inputs[1])
        if data is None or data.rank != 2 or weights is None or weights.ndim != 2:
            continue
        if bias.ndim > 2 or (bias.size != 1 and bias.shape[-1] != bias.size):
            continue
        if bias.size not in (1, weights.shape[1]):
            continue
        inputs = [*product.inputs[:2], node.inputs[1 - index]]
        gemm = make_node("Gemm", inputs, [node.outputs[0]], node.name)
        maker = editor.maker(name)
        assert maker is not None
        editor.merge(maker[0], position, inherit(gemm, node))
        return


def _transposes(editor: Editor, position: int, node: Node, facts: Facts) -> None:
    first = editor.made_by(node.inputs[0], "Transpose")
    if first is None:
        return
    before = permutation(first, facts.get(first.inputs[0]))
    after = permutation(node, facts.get(node.inputs[0]))
    if before is None or after is None or len(before) != len(after):
        return
    combined = tuple(before[a] for a in after)
    editor.put(
        position,
        make_node("Transpose", [first.inputs[0]], node.outputs, node.name, perm=combined),
    )
    if combined == tuple(range(len(combined))):
        editor.bypass(position)


def _reshapes(editor: Editor, position: int, node: Node) -> None:
    """The second shape decides alone, unless a 0 in it copies a size from the first."""
    first = editor.made_by(node.inputs[0], *RESHAPES)
    wanted = editor.ints(node.inputs[1])
    if first is None or wanted is None or 0 in wanted:
        return
    inputs = [first.inputs[0], node.inputs[1]]
    editor.put(position, make_node("Reshape", inputs, node.outputs, node.name, **node.attrs))


def _clamps(editor: Editor, position: int, node: Node) -> None:
    """Relu and a Clip from 0 or more say the lower bound twice."""
    if node.op == "Clip":
        low = editor.scalar(node.inputs[1]) if len(node.op_inputs) > 1 else None
        relu = editor.made_by(node.inputs[0], "Relu")
        if relu is not None and low is not None and low >= 0:
            inputs = (relu.inputs[0], *node.inputs[1:])
            editor.put(position, dataclasses.replace(node, inputs=inputs))
        return
    before = editor.made_by(node.inputs[0], "Relu", "Clip")
    if before is None or node.epilogue:
        return
    low = 0.0 if before.op == "Relu" else None
    if before.op == "Clip" and len(before.op_inputs) > 1:
        low = editor.scalar(before.inputs[1])
    if low is not None and low >= 0:
        editor.bypass(position)
