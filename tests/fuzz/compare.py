"""Holds an answer against onnxruntime's, where that one has an answer, too, and both are finite; where onnxruntime's
own rounding may be what differs, against a reference in float64."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from tests.fuzz.doubles import run_in_doubles
from tests.fuzz.places import graphs, node_lists

# Of the largest value: sums of other orders. A half is right to 5e-4, and interpolating between some adds a few of that.
_TOLERANCE = 2e-3
_TOLERANCE_OF_HALVES = 5e-3
_LARGE = 1e12

# Operators whose answers may differ, and why.
DIFFERENT: dict[str, str] = {
    "RandomNormal": "other random numbers",
    "RandomNormalLike": "other random numbers",
    "RandomUniform": "other random numbers",
    "RandomUniformLike": "other random numbers",
    "Multinomial": "other random numbers",
    "Bernoulli": "other random numbers",
    "LpPool": "powers of a large p are 0 in onnxruntime",
    "GlobalLpPool": "powers of a large p are 0 in onnxruntime",
    "Celu": "exp(x / alpha) - 1 is exact for large alpha, onnxruntime's is 0",
    "AffineGrid": "one pixel with align_corners is the centre as in ONNX's reference, in onnxruntime the corner",
}

# Attributes that mean yes and no: what another number means, ONNX does not say. onnxruntime takes it for no in some
# operators, clconv for yes.
FLAGS = frozenset(
    {
        "keepdims", "largest", "sorted", "is_causal", "noop_with_empty_axes", "transA", "transB", "ceil_mode",
        "count_include_pad", "exclusive", "reverse", "align_corners", "exclude_outside", "antialias", "select_last_index",
        "new_axis", "allowzero", "center_point_box", "upper", "linear_before_reset", "input_forget", "inverse", "onesided",
        "training_mode", "fmod", "detect_negative", "detect_positive", "storage_order", "unidirectional", "periodic", "saturate",
    }
)  # fmt: skip
# A sum that lies on the border of two steps may be rounded to either: then a whole step is between the answers.
_STEPPED = frozenset({"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"})
# onnxruntime takes the mean away in float32: of data with a large one nothing but rounding is left, and an epsilon
# whose square root is none makes 0 of everything.
_ROUNDED = frozenset(
    {
        "LayerNormalization", "InstanceNormalization", "GroupNormalization", "MeanVarianceNormalization",
    }
)  # fmt: skip
# What they are of integers ONNX does not say, and took back in opset 28: how the logarithm is rounded is anyone's choice.
_LOGARITHMS = frozenset({"ReduceLogSum", "ReduceLogSumExp"})
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


def difference(source: bytes | Path, feeds: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """How far the results are from onnxruntime's, in words; "" where they agree, or nothing can be compared."""
    try:
        import onnxruntime
    except ImportError:
        return ""
    data = source if isinstance(source, bytes) else source.read_bytes()
    model = onnx.load_from_string(data)
    if _is_extreme(model, feeds):
        return ""
    all_nodes = [n for nodes in node_lists(model) for n in nodes]
    operators = {n.op_type for n in all_nodes}
    odd = any(a.name in FLAGS and a.i not in (0, 1) for n in all_nodes for a in n.attribute)
    integers = {name for name, a in feeds.items() if a.dtype.kind in "iu"}
    integers |= {t.name for g in graphs(model) for t in g.initializer if t.data_type not in _FLOATS}
    odd |= any(n.op_type in _LOGARITHMS and integers & {*n.input[:1]} for n in all_nodes)
    # Training mode, which is known or fed: other random numbers.
    odd |= any(n.op_type == "Dropout" and any(n.input[2:3]) for n in all_nodes)
    # Indices that fit the default size only, as in ONNX's own example, count through that here (docs/operators.md).
    odd |= any(n.op_type == "MaxUnpool" and any(n.input[2:3]) for n in all_nodes)
    if odd or operators & DIFFERENT.keys():
        return ""
    tolerance = _TOLERANCE_OF_HALVES if _has_halves(model) else _TOLERANCE
    if operators & _STEPPED:
        tolerance = 0.1
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            source if isinstance(source, bytes) else str(source), options, ["CPUExecutionProvider"]
        )
        wanted = session.run(list(results), dict(feeds))
    except Exception:  # it takes fewer models than clconv does
        return ""
    said = _first(results, wanted, tolerance)
    alike = all(isinstance(w, np.ndarray) for w in wanted)
    if said and operators & _ROUNDED and alike:
        right = run_in_doubles(model, feeds, list(results))
        if right is not None:  # of onnxruntime's types: what differs in type stays said
            narrow = [np.asarray(r).astype(w.dtype) for r, w in zip(right, wanted, strict=True)]
            said = _first(results, narrow, tolerance, "in float64 it is")
    return said


def _has_halves(model: onnx.ModelProto) -> bool:
    values = [t.data_type for g in graphs(model) for t in g.initializer]
    values += [v.type.tensor_type.elem_type for g in graphs(model) for v in g.input]
    for node in (n for nodes in node_lists(model) for n in nodes):
        values += [a.i for a in node.attribute if a.name in ("to", "dtype")]
    return TensorProto.FLOAT16 in values


def _first(
    results: Mapping[str, Any],
    wanted: Sequence[Any],
    tolerance: float,
    whose: str = "onnxruntime has",
) -> str:
    """The first difference, in words."""
    said = (
        _one(name, found, right, tolerance, whose)
        for (name, found), right in zip(results.items(), wanted, strict=True)
    )
    return next(filter(None, said), "")


def _is_extreme(model: onnx.ModelProto, feeds: Mapping[str, Any]) -> bool:
    """Whether NaN, infinities or numbers whose squares are none go in: where they show is a matter of the order."""
    arrays = list(feeds.values())
    nodes = [n for listed in node_lists(model) for n in listed]
    if not all(np.isfinite([a.f, *a.floats]).all() for n in nodes for a in n.attribute):
        return True
    for graph in graphs(model):
        for tensor in graph.initializer:
            with contextlib.suppress(Exception):  # a mutant's tensor need not be sound
                arrays.append(onnx.numpy_helper.to_array(tensor))
    with np.errstate(all="ignore"):
        return any(a.dtype.kind == "f" and not (np.abs(a) < _LARGE).all() for a in arrays)


def _one(name: str, found: np.ndarray, wanted: Any, tolerance: float, whose: str) -> str:
    if not isinstance(wanted, np.ndarray):
        return ""
    if found.shape != wanted.shape:
        return f"'{name}': shape {found.shape}, {whose} {wanted.shape}"
    if found.dtype != wanted.dtype:
        return f"'{name}': {found.dtype}, {whose} {wanted.dtype}"
    if found.dtype.kind not in "fiub" or not found.size:
        return ""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return ""
    if found.dtype.kind in "iu":
        # The least integer is what processors make of a float that has no integer: anything may stand for it.
        sound = (wanted != np.iinfo(wanted.dtype).min) & (found != np.iinfo(found.dtype).min)
        a, b = np.where(sound, a, 0), np.where(sound, b, 0)
    with np.errstate(all="ignore"):
        error = float(np.abs(a - b).max())
        scale = float(np.abs(b).max())
    bound = tolerance * max(scale, 1e-6)
    if found.dtype.kind in "iu":
        bound = max(bound, 1.0 if found.dtype.itemsize == 1 else 0.0)  # rounded to the other side
    if error <= bound:
        return ""
    place = np.unravel_index(int(np.abs(a - b).argmax()), a.shape)
    return f"'{name}': {a[place]} at {tuple(map(int, place))}, {whose} {b[place]} (largest {scale:.4g})"
