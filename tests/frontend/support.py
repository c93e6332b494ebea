"""Small ONNX models, and what every imported one is held to: onnxruntime's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from clconv.frontend.onnx import export_onnx, import_onnx
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify

node = helper.make_node


def value(name: str, *shape: Any, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, list(shape))


def untyped(name: str) -> onnx.ValueInfoProto:
    """An output that declares nothing: onnxruntime and clconv work its type out."""
    return onnx.ValueInfoProto(name=name)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto] = (),
    outputs: Sequence[onnx.ValueInfoProto | str] = ("y",),
    constants: Mapping[str, np.ndarray] | None = None,
    opset: int = 21,
    **more: Any,
) -> onnx.ModelProto:
    """A model with the IR version that belongs to the opset."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        list(inputs),
        [untyped(o) if isinstance(o, str) else o for o in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *more.pop("domains", ())]
    version = more.pop("ir_version", helper.find_min_ir_version_for(opsets[:1]))
    if version < 4:  # where every initializer had to be an input
        taken = {v.name for v in graph.input}
        graph.input.extend(
            helper.make_tensor_value_info(t.name, t.data_type, t.dims)
            for t in graph.initializer
            if t.name not in taken
        )
    return helper.make_model(graph, opset_imports=opsets, ir_version=version, **more)


def random(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


X = random(2, 3, 4, 5)
I64 = np.int64


def one(
    op: str,
    opset: int,
    x: np.ndarray = X,
    constants: Mapping[str, np.ndarray] | None = None,
    outputs: Sequence[str] = ("y",),
    rank: int | None = None,
    **attrs: Any,
) -> tuple[onnx.ModelProto, np.ndarray]:
    """A model of one node on input x and constants in the order given, and what to feed it.

    rank: of the output, where onnx's shape inference does not find it.
    """
    declared = outputs if rank is None else [value("y", *[None] * rank)]
    inputs = ["x", *(constants or {})]
    # Symbolic sizes: an import must not lean on fixed ones.
    fed = value(
        "x", *(f"d{i}" for i in range(x.ndim)), dtype=helper.np_dtype_to_tensor_dtype(x.dtype)
    )
    nodes = [node(op, inputs, list(outputs), **attrs)]
    return model(nodes, [fed], declared, constants, opset), x


def run_graph(graph: Graph, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Outputs of the graph, specialised for these inputs, by the references."""
    done = specialise(graph, {n: TensorSpec.of(a) for n, a in feeds.items()})
    assert done.cut is None, "the shapes of this graph must not depend on data"
    verify(done.graph)
    results = run_reference(done.graph, feeds)
    return [results[n] for n in graph.outputs]


def run_onnxruntime(data: bytes, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def close(found: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-5) -> None:
    """Same shape, same dtype, and an error small against the largest value."""
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    finite = np.isfinite(wanted)
    if finite.any() and wanted.dtype.kind == "f":
        np.testing.assert_array_equal(found[~finite], wanted[~finite])
        scale = max(float(np.abs(wanted[finite]).max()), 1e-6)
        error = np.abs(found[finite].astype(np.float64) - wanted[finite])
        assert float(error.max()) <= tolerance * scale
    else:
        np.testing.assert_array_equal(found, wanted)


def agree(
    proto: onnx.ModelProto, feeds: Mapping[str, np.ndarray], tolerance: float = 1e-5
) -> Graph:
    """Imported, the model answers as onnxruntime does; exported again, it still does. The graph."""
    data = proto.SerializeToString()
    wanted = run_onnxruntime(data, feeds)
    graph = import_onnx(data)
    for found, expected in zip(run_graph(graph, feeds), wanted, strict=True):
        close(found, expected, tolerance)
    round_trip(graph, feeds, wanted, tolerance)
    return graph


def round_trip(
    graph: Graph,
    feeds: Mapping[str, np.ndarray],
    wanted: Sequence[np.ndarray],
    tolerance: float = 1e-5,
) -> Graph:
    """The exported graph passes onnx's checker and answers the same in onnxruntime and here."""
    data = export_onnx(graph)
    onnx.checker.check_model(data, full_check=True)
    again = import_onnx(data)
    for results in (run_onnxruntime(data, feeds), run_graph(again, feeds)):
        for found, expected in zip(results, wanted, strict=True):
            close(found, expected, tolerance)
    return again
