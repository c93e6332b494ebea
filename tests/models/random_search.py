"""Looks for random graphs on which clconv and onnxruntime differ, and shrinks each that is found."""

from __future__ import annotations

import collections
import traceback
from collections.abc import Iterable

import numpy as np
import onnx
import onnxruntime

import clconv
from tests.models.random_graphs import RandomGraph, difference, random_graph

TOLERANCE = 2e-4


def peer(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """onnxruntime; without its graph passes where they make a model that it refuses itself."""
    onnxruntime.set_default_logger_severity(4)
    source, options = model.SerializeToString(), onnxruntime.SessionOptions()
    try:
        return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])


def worst(graph: RandomGraph, model: onnx.ModelProto | None = None) -> tuple[float, str]:
    """The largest difference between the engines over both sets of inputs, and in which output."""
    model = graph.model if model is None else model
    reference = peer(model)
    session = clconv.load(model.SerializeToString())
    names = [o.name for o in model.graph.output]
    used = {i.name for i in model.graph.input}
    found: tuple[float, str] = (0.0, "")
    for feeds in graph.feeds:
        given = {n: a for n, a in feeds.items() if n in used}
        expected = reference.run(names, given)
        got = session.run(given)
        for name, value in zip(names, expected, strict=True):
            found = max(found, (difference(got[name], np.asarray(value)), name))
    return found


def search(seeds: Iterable[int]) -> None:
    """Prints every seed that differs or fails, then how many graphs and which operators were run."""
    operators: collections.Counter[str] = collections.Counter()
    graphs, largest = 0, 0.0
    for seed in seeds:
        graph = random_graph(seed)
        try:
            error, output = worst(graph)
        except Exception as reason:
            print(f"seed {seed}: {type(reason).__name__}: {str(reason)[:600]}", flush=True)
            if not isinstance(reason, clconv.errors.ClconvError):
                print(traceback.format_exc(limit=-4), flush=True)
            continue
        graphs += 1
        operators.update(n.op_type for n in graph.model.graph.node)
        largest = max(largest, error)
        if error > TOLERANCE:
            print(f"seed {seed}: {error:.3g} in {output}", flush=True)
            shrink(graph, output)
    print(f"{graphs} graphs, largest difference {largest:.2g}")
    print(", ".join(f"{op} {count}" for op, count in operators.most_common()))


def shrink(graph: RandomGraph, output: str) -> None:
    """Prints the nodes that the output needs, fewest first: the smallest part that still differs."""
    for count in range(1, 40):
        part = behind(graph.model, output, count)
        if part is None:
            return
        model, feeds = part, extended(graph, part)
        try:
            error, _ = worst(RandomGraph(model, feeds))
        except Exception as reason:
            print(f"  the last {count}: {type(reason).__name__}")
            continue
        if error > TOLERANCE:
            print(f"  {error:.3g} with these alone:")
            print(onnx.printer.to_text(model.graph))
            return
    print("  only the whole graph differs")


def behind(model: onnx.ModelProto, output: str, count: int) -> onnx.ModelProto | None:
    """The last `count` nodes that an output depends on as a model whose inputs are what they read."""
    needed, kept = {output}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output) and len(kept) < count:
            kept.append(node)
            needed.update(node.input)
    if len(kept) < count:
        return None
    kept.reverse()
    made = {o for n in kept for o in n.output}
    constants = [c for c in model.graph.initializer if any(c.name in n.input for n in kept)]
    known = {c.name for c in constants}
    read = dict.fromkeys(i for n in kept for i in n.input if i and i not in made | known)
    infos = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in read]
    result = onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
    part = onnx.helper.make_graph(kept, "part", infos, [result], constants)
    return onnx.helper.make_model(part, opset_imports=model.opset_import, ir_version=10)


def extended(
    graph: RandomGraph, part: onnx.ModelProto
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs of the part, taken from the whole; the part's inputs get their rank."""
    names = [i.name for i in part.graph.input]
    whole = onnx.ModelProto()
    whole.CopyFrom(graph.model)
    del whole.graph.output[:]
    inputs = {i.name for i in whole.graph.input}
    inner = [n for n in names if n not in inputs]
    whole.graph.output.extend(
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None)
        for n in inner or [graph.model.graph.output[0].name]
    )
    reference = peer(whole)
    feeds = []
    for given in graph.feeds:
        values = dict(zip(inner, reference.run(inner, given), strict=True)) if inner else {}
        feeds.append({n: np.asarray(values.get(n, given.get(n))) for n in names})
    for info in part.graph.input:
        rank = feeds[0][info.name].ndim
        sizes = [
            a if a == b else None
            for a, b in zip(feeds[0][info.name].shape, feeds[1][info.name].shape, strict=True)
        ]
        assert len(sizes) == rank
        info.CopyFrom(onnx.helper.make_tensor_value_info(info.name, onnx.TensorProto.FLOAT, sizes))
    return feeds[0], feeds[1]
