"""What is drawn of a graph: boxes with lines of text, and arrows with the shapes of what flows along them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from clconv.draw.kinds import ENDS, joins, kind_of
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.specialise.specialise import specialise

_CHARACTER, _LINE, _PADDING = 6.7, 15, 10
_LONGEST = 34


@dataclasses.dataclass(frozen=True)
class Box:
    """A layer with what joined it, or an input or output. title: the full names, shown under the pointer."""

    lines: tuple[str, ...]
    kind: str
    title: str

    @property
    def width(self) -> float:
        return max(map(len, self.lines)) * _CHARACTER + 2 * _PADDING

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _PADDING


@dataclasses.dataclass(frozen=True)
class Arrow:
    """From a box to a box, by their numbers. label: the shape of the value, "" where it is not known."""

    source: int
    target: int
    value: str
    label: str


@dataclasses.dataclass(frozen=True)
class Drawing:
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def drawing(graph: Graph, specs: Mapping[str, TensorSpec] | None = None) -> Drawing:
    """The boxes and arrows of a graph; specs: of its inputs, where it leaves them open. Weights are part of their
    layers."""
    graph, known = _with_specs(graph, specs)
    consumers = graph.consumers()
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    maker: dict[str, int] = {}
    for name in graph.inputs:
        maker[name] = len(boxes)
        boxes.append(Box((_short(name),), ENDS, f"input {name}"))
    for node in graph.nodes:
        sources = [n for n in dict.fromkeys(node.inputs) if n in maker]
        is_joined = (
            joins(node.op)
            and len(sources) == 1
            and len(consumers.get(sources[0], ())) == 1
            and sources[0] not in graph.outputs
            and boxes[maker[sources[0]]].kind != ENDS
        )
        if is_joined:
            number = maker[sources[0]]
            old = boxes[number]
            last = (f"{old.lines[-1]}, {node.op}",) if old.lines[-1][:1] == "+" else ()
            lines = (
                (*old.lines[:-1], *last)
                if last and len(last[0]) <= _LONGEST
                else (*old.lines, f"+ {node.op}")
            )
            boxes[number] = Box(lines, old.kind, f"{old.title}\n{node.name} ({node.op})")
        else:
            number = len(boxes)
            boxes.append(_box(graph, node, known))
            arrows += [Arrow(maker[n], number, n, _shape(known.get(n))) for n in sources]
        maker.update({n: number for n in node.outputs if n})
    for name in graph.outputs:
        if name in maker:
            arrows.append(Arrow(maker[name], len(boxes), name, _shape(known.get(name))))
            boxes.append(Box((_short(name),), ENDS, f"output {name}"))
    return Drawing(tuple(boxes), tuple(arrows))


def _with_specs(
    graph: Graph, specs: Mapping[str, TensorSpec] | None
) -> tuple[Graph, Mapping[str, TensorSpec]]:
    """The graph to draw and the specs known of it. Where sizes depend on values the graph stays whole."""
    given = {**graph.input_specs(), **(specs or {})}
    if not all(spec.is_static for spec in given.values()):
        return graph, graph.specs
    found = specialise(graph, given)
    if found.cut is not None:
        return graph, {**graph.specs, **found.graph.specs}
    return found.graph, found.graph.specs


def _box(graph: Graph, node: Node, known: Mapping[str, TensorSpec]) -> Box:
    lines = [f"{node.op}{_described(graph, node, known)}", _short(node.name)]
    if node.epilogue:
        lines.append("+ " + ", ".join(step.op for step in node.epilogue))
    title = f"{node.name} ({node.op})"
    return Box(tuple(lines), kind_of(node.op), title)


def _described(graph: Graph, node: Node, known: Mapping[str, TensorSpec]) -> str:
    """Window, channels and stride: Conv 3x3, 64->128, stride 2."""
    parts: list[str] = []
    window = tuple(node.attrs.get("kernel_shape") or ())
    weights = node.inputs[1] if len(node.inputs) > 1 else ""
    spec = graph.constants[weights].spec if weights in graph.constants else known.get(weights)
    group = node.attrs.get("group", 1)
    if spec is not None and node.op in ("Conv", "ConvTranspose"):
        window = spec.shape[2:]
        before, after = spec.shape[:2]
        if node.op == "Conv":
            parts.append(f"{before}" if group == before else f"{after * group}->{before}")
        else:
            parts.append(f"{before}->{after * group}")
        if group > 1:
            parts.append("depthwise" if group == before else f"{group} groups")
    elif spec is not None and node.op in ("Gemm", "MatMul") and spec.rank == 2:
        before, after = spec.shape[::-1] if node.attrs.get("transB") else spec.shape
        parts.append(f"{before}->{after}")
    strides = tuple(node.attrs.get("strides") or ())
    if any(s != 1 for s in strides):
        parts.append(f"stride {_times(strides) if len(set(strides)) > 1 else strides[0]}")
    size = f" {_times(window)}" if window else ""
    return size + (f"{',' if window else ''} {', '.join(parts)}" if parts else "")


def _short(name: str) -> str:
    """The name, its middle cut out where it is long."""
    if len(name) <= _LONGEST:
        return name or "-"
    half = (_LONGEST - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _shape(spec: TensorSpec | None) -> str:
    return "" if spec is None else _times(spec.shape) or "scalar"


def _times(sizes: tuple[object, ...]) -> str:
    return "×".join(map(str, sizes))
