"""A model in float64, run by the onnx package's own NumPy reference: a third opinion where float32 sums lose digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from tests.fuzz.places import graphs, node_lists


class MeanVarianceNormalization(OpRun):
    """The onnx package writes it with constants in float32."""

    def _run(self, x: np.ndarray, axes: Sequence[int] | None = None) -> tuple[np.ndarray]:
        along = tuple(axes or (0, 2, 3))
        away = x - x.mean(along, keepdims=True)
        return (away / (np.sqrt((away**2).mean(along, keepdims=True)) + 1e-9),)


class GroupNormalization(OpRun):
    """The onnx package's loses digits of data with a large mean in float64, too."""

    def _run(
        self,
        x: np.ndarray,
        scale: np.ndarray,
        bias: np.ndarray,
        epsilon: float = 1e-5,
        num_groups: int = 1,
        stash_type: int | None = None,
    ) -> tuple[np.ndarray]:
        groups = x.reshape(x.shape[0], num_groups, -1)
        away = groups - groups.mean(-1, keepdims=True)
        normal = (away / np.sqrt((away**2).mean(-1, keepdims=True) + epsilon)).reshape(x.shape)
        wide = [np.repeat(a, x.shape[1] // len(a)) for a in (scale, bias)]  # once one for a group
        along = (1, -1, *[1] * (x.ndim - 2))
        return (normal * wide[0].reshape(along) + wide[1].reshape(along),)


_OWN = [MeanVarianceNormalization, GroupNormalization]


def run_in_doubles(
    model: onnx.ModelProto, feeds: Mapping[str, Any], names: Sequence[str]
) -> list[Any] | None:
    """The outputs of these names with every float32 of the model and of what is fed as float64; None where the
    reference has no answer."""
    try:
        evaluator = ReferenceEvaluator(_doubled(model), new_ops=_OWN)
        wide = {n: a.astype(np.float64) if a.dtype == np.float32 else a for n, a in feeds.items()}
        with np.errstate(all="ignore"):
            return list(evaluator.run(list(names), wide))
    except Exception:  # a mutant need not be anything that it can run
        return None


def _doubled(model: onnx.ModelProto) -> onnx.ModelProto:
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for graph in graphs(wide):
        for tensor in graph.initializer:
            _double(tensor)
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in (n for nodes in node_lists(wide) for n in nodes):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _double(attribute.t)
            elif attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
        if node.op_type == "GroupNormalization":  # the type that its sums have
            kept = [a for a in node.attribute if a.name != "stash_type"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("stash_type", TensorProto.DOUBLE)])
    return wide


def _double(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
