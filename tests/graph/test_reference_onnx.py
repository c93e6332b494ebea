"""References and shape rules against the ONNX project's own node cases, made in memory."""

from __future__ import annotations

import collections
import functools
from typing import Any

import numpy as np
import pytest

from clconv.graph.evaluate import evaluate_node, infer_node, settle_node
from clconv.graph.ir import Constant, DType, Node, TensorSpec
from clconv.graph.ops import OPS, get_op

onnx = pytest.importorskip("onnx")

# Cases whose meaning the importer settles, or that a reference cannot be held to.
SKIPPED = {
    "test_training_dropout": "which elements are dropped is each engine's own",
}
WINDOWED = ("Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "MaxPool", "AveragePool",
            "LpPool", "MaxUnpool", "DeformConv")  # fmt: skip


@functools.cache
def cases() -> dict[str, list[Any]]:
    """Single-node cases in the newest form of their operator, by operator."""
    from tests.conformance.node_cases import node_cases

    found = collections.defaultdict(list)
    for case in node_cases():
        graph = case.model.graph
        if len(graph.node) != 1 or graph.node[0].domain not in ("", "ai.onnx"):
            continue
        op = graph.node[0].op_type
        version = next(o.version for o in case.model.opset_import if o.domain in ("", "ai.onnx"))
        newest = onnx.defs.get_schema(op).since_version
        if onnx.defs.get_schema(op, version).since_version == newest:
            found[op].append(case)
    return found


def converted(proto: Any, x: np.ndarray, w: np.ndarray | None) -> Node:
    """The canonical node of an ONNX node in its newest form."""
    attrs = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
    attrs = {k: v.decode() if isinstance(v, bytes) else v for k, v in attrs.items()}
    if proto.op_type in WINDOWED:
        spatial = x.ndim - 2
        kernel = attrs.pop("kernel_shape", None)
        if "kernel_shape" in get_op(proto.op_type).attributes:
            attrs["kernel_shape"] = kernel
        for name, values in (("strides", 1), ("dilations", 1)):
            if name in get_op(proto.op_type).attributes:
                attrs.setdefault(name, (values,) * spatial)
        attrs.setdefault("pads", (0,) * (2 * spatial))
    for key in ("to", "dtype", "output_dtype"):
        if attrs.get(key):
            attrs[key] = onnx.helper.tensor_dtype_to_np_dtype(attrs[key]).name
    if proto.op_type == "ConstantOfShape" and "value" in attrs:
        array = onnx.numpy_helper.to_array(attrs["value"])
        attrs = {"value": array.reshape(-1)[0].item(), "dtype": array.dtype.name}
    attrs = {k: [s.decode() if isinstance(s, bytes) else s for s in v] if isinstance(v, list) else v
             for k, v in attrs.items()}  # fmt: skip
    op = get_op(proto.op_type)
    return Node(proto.op_type, proto.name or "case", tuple(proto.input), tuple(proto.output),
                op.complete("case", attrs))  # fmt: skip


def has_dtype(array: Any) -> bool:
    try:
        DType.of(array)
    except (ValueError, TypeError):
        return False
    return isinstance(array, np.ndarray | np.generic)


def check(case: Any) -> str | None:
    """Runs one case; what is wrong, None if nothing is, "skip" if clconv lacks a dtype of it."""
    proto = case.model.graph.node[0]
    for feeds, expected in case.data_sets:
        arrays = [np.asarray(a) if has_dtype(a) else a for a in feeds]
        if not all(has_dtype(a) for a in (*arrays, *expected)):
            return "skip"
        fed = iter(arrays)
        by_name = {i.name: next(fed) for i in case.model.graph.input}
        inputs = [by_name[n] if n else None for n in proto.input]
        if any(a.name in ("to", "dtype") and a.i not in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)
               for a in proto.attribute):  # fmt: skip
            return "skip"
        node = converted(proto, inputs[0], inputs[1] if len(inputs) > 1 else None)
        constants = {n: Constant(a.copy()) for n, a in by_name.items()}
        node = settle_node(node, {}, constants)
        specs = infer_node(node, {}, constants)
        results = evaluate_node(node, inputs)
        wanted = iter(expected)
        for name, spec, result in zip(proto.output, specs, results, strict=False):
            if not name:
                continue
            target = np.asarray(next(wanted))
            if TensorSpec.of(result) != TensorSpec.of(target) or spec != TensorSpec.of(target):
                return (
                    f"{name}: {TensorSpec.of(result)}, inferred {spec}, not {TensorSpec.of(target)}"
                )
            if target.dtype.kind != "f":
                worst = np.abs(result.astype(np.float64) - target.astype(np.float64)).max(initial=0)
                if worst:
                    return f"{name}: {result} is not {target}"
            else:
                # ONNX's own relative tolerance: some of its expected values have four digits.
                loose = 2e-3 if target.dtype == np.float16 else 1e-6
                if not np.allclose(result, target, 1e-3, loose, equal_nan=True):
                    return f"{name}: differs by {np.abs(result - target).max()}"
    return None


@pytest.mark.parametrize("op", sorted(OPS))
def test_reference_agrees_with_onnx(op: str) -> None:
    failures, ran = [], 0
    for case in cases().get(op, []):
        if any(case.name.startswith(prefix) for prefix in SKIPPED):
            continue
        try:
            problem = check(case)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem == "skip":
            continue
        ran += 1
        if problem:
            failures.append(f"{case.name}: {problem}")
    assert not failures, "\n".join(failures)
    if not ran:
        pytest.skip("ONNX has no single-node case of it in a dtype clconv has")
