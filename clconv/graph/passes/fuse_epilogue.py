"""Element-wise operators behind a node become steps of that node's epilogue.

A step costs a few instructions while the result is in registers; as a node of its own it costs a
kernel and a trip through memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from clconv.graph.ir import RUNNING, DType, EpilogueStep, Graph, Node, TensorSpec
from clconv.graph.ops import hooks_of
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.passes.editor import Editor, inherit
from clconv.graph.passes.facts import gather_facts

MOST_STEPS = 6


EPILOGUE_STEPS = frozenset(row.name for row in ROWS.values() if row.is_step)


def fuse_epilogue(graph: Graph) -> Graph:
    """The graph with chains of element-wise nodes fused into the nodes that feed them.

    A node is fused into the maker of one of its inputs if nothing else reads that input, it is no
    graph output, and every other input is a constant scalar, a constant with one value a channel
    (axis 1), or a value of exactly the same shape. Of two possible makers the later one is taken,
    so that it need not wait for the other. float32 and float16 only, as kernels apply them; at most
    MOST_STEPS steps.
    """
    editor = Editor(graph)
    facts = gather_facts(graph)
    for position in range(len(graph.nodes)):
        node = editor.nodes[position]
        if (
            node is None
            or node.op not in EPILOGUE_STEPS
            or len(node.op_inputs) > ROWS[node.op].arity
        ):
            continue
        makers = [(m, n) for n in dict.fromkeys(node.op_inputs) if n and (m := editor.maker(n))]
        for (origin, host), name in sorted(makers, key=lambda pair: -pair[0][0]):
            if not _can_host(editor, host, name, node):
                continue
            step = _step(editor, node, name, facts)
            if step is not None:
                editor.merge(origin, position, inherit(host, node, [step]))
                break
    return editor.result()


def _can_host(editor: Editor, host: Node, name: str, node: Node) -> bool:
    return (
        hooks_of(host).epilogue
        and host.outputs[0] == name
        # Statistics besides the result are none of the steps' business.
        and (host.op == "BatchNormalization" or not any(host.outputs[1:]))
        and editor.is_private(name)
        and name not in node.inputs[len(node.op_inputs) :]
        and len(host.epilogue) + 1 + len(node.epilogue) <= MOST_STEPS
    )


def _step(
    editor: Editor, node: Node, running: str, facts: Mapping[str, TensorSpec]
) -> EpilogueStep | None:
    """The node as a step on `running`, operands indexing its own inputs; None if it cannot be."""
    known = facts.get(running)
    if known is None or known.dtype not in (DType.FLOAT32, DType.FLOAT16):
        return None
    names = list(node.op_inputs)
    while names and not names[-1]:
        names.pop()
    operands = []
    for index, name in enumerate(names):
        if name == running:
            operands.append(RUNNING)
        elif not name or _fits(editor, name, known, facts):
            operands.append(index)
        else:
            return None
    return EpilogueStep(node.op, node.attrs, tuple(operands))


def _fits(editor: Editor, name: str, running: TensorSpec, facts: Mapping[str, TensorSpec]) -> bool:
    other = facts.get(name)
    if other is None or other.dtype is not running.dtype or other.rank > running.rank:
        return False
    if running.is_static and other.shape == running.shape:
        return True
    if name not in editor.constants:
        return False
    if other.size == 1:
        return True
    shape = (1,) * (running.rank - other.rank) + other.shape
    return running.rank >= 2 and other.size == shape[1] == running.shape[1]
