"""Which pixels a place of a layer can see, computed from windows, strides, dilations and padding.

Formulas: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill, 2019).
"""

from __future__ import annotations

import dataclasses

from clconv.api import Source, read_model
from clconv.errors import InputError
from clconv.graph.epilogue import without_epilogues
from clconv.graph.ir import Graph, Node
from clconv.visualize.objective import value_of

_WINDOWS = ("Conv", "MaxPool", "AveragePool", "LpPool")
_SAME_PLACE = frozenset(
    [
        "Relu",
        "LeakyRelu",
        "Clip",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Tanh",
        "Elu",
        "Selu",
        "Gelu",
        "PRelu",
        "Softplus",
        "Mish",
        "Swish",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Sum",
        "Max",
        "Min",
        "BatchNormalization",
        "LRN",
        "Concat",
        "Identity",
        "Dropout",
        "Cast",
        "Neg",
        "Exp",
        "Sqrt",
        "Pow",
        "Abs",
    ]
)


@dataclasses.dataclass(frozen=True)
class ReceptiveAxis:
    """Place i sees the pixels from step * i + first to step * i + last, as far as the picture goes."""

    step: int = 1
    first: int = 0
    last: int = 0


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """axes: height and width; None where a place sees the whole picture."""

    axes: tuple[ReceptiveAxis, ReceptiveAxis] | None

    def box(self, row: int, column: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right (the last two exclusive) of what a place sees of a picture of that size."""
        if self.axes is None:
            return 0, 0, height, width
        down, across = self.axes
        top, left = (max(0, a.step * i + a.first) for a, i in ((down, row), (across, column)))
        bottom = min(height, down.step * row + down.last + 1)
        right = min(width, across.step * column + across.last + 1)
        return top, left, bottom, right


def receptive_field(model: Source, layer: str) -> ReceptiveField:
    """What each place of a layer sees of the model's one input (batch, channels, height, width).

    An operator that this does not follow, or that mixes all places, such as a mean over them, sees the whole picture.
    Raises InputError for a layer that there is not.
    """
    graph = without_epilogues(read_model(model))
    wanted = value_of(graph, layer)
    if len(graph.fed) != 1:
        raise InputError(f"'{graph.name}' takes {', '.join(graph.fed)}; one input is wanted")
    fields: dict[str, tuple[ReceptiveAxis, ReceptiveAxis] | None] = {
        graph.fed[0]: (ReceptiveAxis(), ReceptiveAxis())
    }
    for node in graph.nodes:
        sources = [n for n in node.inputs if n in fields]
        found = _through(graph, node, [fields[n] for n in sources]) if sources else None
        if sources:
            fields.update(dict.fromkeys(node.outputs, found))
    return ReceptiveField(fields.get(wanted))


def _through(
    graph: Graph, node: Node, sources: list[tuple[ReceptiveAxis, ReceptiveAxis] | None]
) -> tuple[ReceptiveAxis, ReceptiveAxis] | None:
    known = [source for source in sources if source is not None]
    if len(known) != len(sources):
        return None
    if node.op in _SAME_PLACE and (node.op != "Concat" or node.attrs.axis in (1, -3)):
        height, width = (_union([source[i] for source in known]) for i in (0, 1))
        return None if height is None or width is None else (height, width)
    attrs = node.attrs
    if node.op not in _WINDOWS or attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    if attrs.get("pad_mode", "constant") != "constant":  # mirrored pixels lie elsewhere
        return None
    constant = graph.constants.get(node.inputs[1]) if node.op == "Conv" else None
    window = constant.spec.shape[2:] if constant is not None else attrs.get("kernel_shape")
    if window is None or len(window) != 2:
        return None
    strides, dilations, pads = (
        tuple(attrs.get(key) or (other,) * count)
        for key, other, count in (("strides", 1, 2), ("dilations", 1, 2), ("pads", 0, 4))
    )
    height, width = (
        ReceptiveAxis(
            axis.step * strides[i],
            axis.first - axis.step * pads[i],
            axis.last + axis.step * (dilations[i] * (window[i] - 1) - pads[i]),
        )
        for i, axis in enumerate(known[0])
    )
    return height, width


def _union(axes: list[ReceptiveAxis]) -> ReceptiveAxis | None:
    if len({axis.step for axis in axes}) != 1:
        return None
    first = min(axis.first for axis in axes)
    return ReceptiveAxis(axes[0].step, first, max(axis.last for axis in axes))
