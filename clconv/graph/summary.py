"""A graph as rows for people: what each layer makes, and what it costs."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterable, Sequence

from clconv.errors import GraphError
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import Graph, Node
from clconv.graph.specialise.specialise import specialise
from clconv.records import record

# Inputs that training would change. A batch norm's mean and variance are measured, not learned.
_LEARNED_INPUTS = {"BatchNormalization": (1, 2)}
_NO_PARAMETERS = frozenset(
    {"Resize", "Pad", "Clip", "Dropout", "Range", "ConstantOfShape", "Where", "Pow"}
)
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@record(frozen=True)
class LayerSummary:
    """One node with the epilogue fused into it.

    output: shape of the (first) result, batch included. window, stride: one value a spatial axis, ()
    where there is none. padding: begin of every axis, then end of every axis. padding_mode: constant,
    reflect, edge or wrap. parameters: learned values that appear here first (shared ones count once).
    multiply_adds: of convolutions and matrix products, for the whole batch.
    """

    name: str
    op: str
    output: tuple[int, ...]
    filters: int | None
    window: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    padding_mode: str
    groups: int
    epilogue: tuple[str, ...]
    parameters: int
    multiply_adds: int

    @property
    def volume(self) -> tuple[int, ...]:
        """The output without its batch."""
        return self.output[1:]


class Summary(tuple[LayerSummary, ...]):
    """The rows of a graph, which print as a table. note: what a reader has to know about them."""

    note = ""

    def __str__(self) -> str:
        cells = [("layer", "operator", "output shape", "parameters", "multiply-adds")]
        cells += [
            (
                row.name,
                "+".join((row.op, *row.epilogue)),
                "x".join(map(str, row.output)) or "scalar",
                f"{row.parameters:,}" if row.parameters else "",
                f"{row.multiply_adds:,}" if row.multiply_adds else "",
            )
            for row in self
        ]
        parameters, multiply_adds = totals(self)
        cells.append(("total", "", "", f"{parameters:,}", f"{multiply_adds:,}"))
        return "\n".join([*_aligned(cells), *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells in columns, those of text to the left, a rule behind the first and before the last."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        parts = [
            cell.ljust(width) if i < 3 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def summary(graph: Graph) -> Summary:
    """A LayerSummary for every node of a graph whose shapes are known, or follow but for the batch, which is 1 then.

    `print(summary(graph))` prints a table. Raises GraphError if shapes are not known: specialise the graph first.
    """
    counted: set[int] = set()
    known, note = _settled(graph)
    found = Summary(_row(known, node, counted) for node in known.nodes)
    found.note = note
    return found


def _settled(graph: Graph) -> tuple[Graph, str]:
    """The graph for a batch of 1, where only that is open, and what to say of it."""
    inputs = {n: graph.specs[n] for n in graph.inputs if n in graph.specs}
    open_sizes = {s.shape[:1] for s in inputs.values() if not s.is_static}
    rest = all(isinstance(d, int) for s in inputs.values() for d in s.shape[1:])
    unknown = any(
        n and n not in graph.specs and n not in graph.constants
        for node in graph.nodes
        for n in node.outputs
    )
    if not unknown or not rest or len(inputs) < len(graph.inputs):
        return graph, ""
    one = {
        n: s if s.is_static else dataclasses.replace(s, shape=(1, *s.shape[1:]))
        for n, s in inputs.items()
    }
    found = specialise(graph, one)
    cut = "" if found.cut is None else "; more layers follow whose sizes depend on values"
    note = "for a batch of 1, which is open" if open_sizes else ""
    return found.graph, (note + cut).removeprefix("; ")


def totals(rows: Iterable[LayerSummary]) -> tuple[int, int]:
    """Parameters and multiply-adds of all rows."""
    listed = list(rows)
    return sum(r.parameters for r in listed), sum(r.multiply_adds for r in listed)


def _row(graph: Graph, node: Node, counted: set[int]) -> LayerSummary:
    result = next(o for o in node.outputs if o)
    for name in (result, *filter(None, node.inputs)):
        if name not in graph.constants and name not in graph.specs:
            raise GraphError(
                f"node '{node.name}' ({node.op}): the shape of '{name}' is not known yet; "
                "specialise the graph for its input sizes first"
            )
    attrs = node.attrs
    weights = graph.spec(node.inputs[1]).shape if node.op in _PRODUCTS else ()
    window = tuple(attrs.get("kernel_shape") or ())
    filters = None
    if node.op in ("Conv", "ConvTranspose"):
        window = weights[2:]
        filters = weights[0] if node.op == "Conv" else weights[1] * attrs.group
    elif node.op == "Gemm":
        filters = weights[0 if attrs.transB else 1]
    return LayerSummary(
        name=node.name,
        op=node.op,
        output=graph.spec(result).shape,
        filters=filters,
        window=window,
        stride=tuple(attrs.get("strides") or ()),
        padding=tuple(attrs.get("pads") or ()),
        padding_mode=attrs.get("pad_mode", "constant"),
        groups=attrs.get("group", 1),
        epilogue=tuple(step.op for step in node.epilogue),
        parameters=sum(_parameters(graph, name, counted) for name in _learned(node)),
        multiply_adds=_multiply_adds(graph, node),
    )


def _learned(node: Node) -> list[str]:
    """Inputs of the node and its epilogue that may be learned."""
    own = node.op_inputs
    if node.op in _LEARNED_INPUTS:
        names = [own[i] for i in _LEARNED_INPUTS[node.op] if i < len(own)]
    else:
        names = [] if node.op in _NO_PARAMETERS else list(own)
    for step in node.epilogue:
        if step.op not in _NO_PARAMETERS:
            names += [node.inputs[i] for i in step.operands if i >= 0]
    return names


def _parameters(graph: Graph, name: str, counted: set[int]) -> int:
    """Values of a constant float tensor that no earlier row counted; a lone number is no parameter."""
    constant = graph.constants.get(name)
    if constant is None or not constant.spec.dtype.is_float or constant.spec.rank == 0:
        return 0
    if constant.key in counted:
        return 0
    counted.add(constant.key)
    return constant.spec.size


def _multiply_adds(graph: Graph, node: Node) -> int:
    if node.op not in _PRODUCTS:
        return 0
    plain = dataclasses.replace(
        node, epilogue=(), inputs=node.op_inputs, op_arity=None
    )  # the steps of an epilogue are no multiply-adds
    return node_cost(plain, graph).flops // 2
