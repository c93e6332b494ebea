"""Which parts of a graph of PyTorch's operators clconv can run: by trying each kind of node alone."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from clconv.bridges.torch_graph import exported, settled
from clconv.errors import ClconvError

# A part without one of these does not pay for the way to another runtime and back.
_HEAVY = frozenset(
    {
        "convolution", "conv1d", "conv2d", "conv3d", "conv_transpose2d", "mm", "addmm", "bmm", "baddbmm", "matmul",
        "linear", "scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu", "lstm", "gru",
    }
)  # fmt: skip

_LEARNING = frozenset(
    {
        "aten._native_batch_norm_legit_functional", "aten._native_batch_norm_legit", "aten.native_batch_norm",
        "aten._batch_norm_with_update_functional", "aten._batch_norm_with_update", "aten.native_dropout",
    }
)  # fmt: skip

_TRIED: dict[Any, bool] = {}  # what clconv runs, by kind of node

Part = Callable[..., Any]


def split(graph: Any, part: Callable[[Any], Part]) -> tuple[Callable[..., Any], list[str]]:
    """The graph as a callable in which part(subgraph) stands for each part that clconv runs, and the names of the
    operators outside of them that clconv does not run."""
    import torch
    from torch.fx.passes.infra.partitioner import CapabilityBasedPartitioner
    from torch.fx.passes.operator_support import OperatorSupportBase

    runs = runnable(torch, graph)

    class Support(OperatorSupportBase):
        def is_node_supported(self, submodules: Any, node: Any) -> bool:
            return node in runs

    cutter = CapabilityBasedPartitioner(graph, Support(), allows_single_node_partition=True)
    worthwhile = [p for p in cutter.propose_partitions() if any(map(_is_heavy, p.nodes))]
    whole = cutter.fuse_partitions(worthwhile)
    for node in whole.graph.nodes:
        if node.op == "call_module":
            setattr(whole, node.target, _as_module(torch, part, getattr(whole, node.target)))
    left = {
        name_of(node)
        for node in graph.graph.nodes
        if node.op == "call_function" and node not in runs and node.target is not operator.getitem
    }
    return whole, sorted(left)


def _as_module(torch: Any, part: Callable[[Any], Part], graph: Any) -> Any:
    """A submodule that calls a part."""
    called = part(graph)

    class Called(torch.nn.Module):
        def forward(self, *args: Any) -> Any:
            return called(*args)

    return Called()


def runnable(torch: Any, graph: Any) -> set[Any]:
    """The nodes that clconv runs alone, and what takes their outputs apart."""
    found: set[Any] = set()
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            found.add(node)
        if node.op != "call_function":
            continue
        if node.target is operator.getitem:
            if node.args[0] in found:
                found.add(node)
            continue
        if not isinstance(node.target, torch._ops.OpOverload) or has_effects(node):
            continue
        kind = _kind(torch, node)
        if kind not in _TRIED:
            _TRIED[kind] = _runs_alone(torch, graph, node)
        if _TRIED[kind]:
            found.add(node)
    return found


def has_effects(node: Any) -> bool:
    """Whether it changes its arguments, draws random numbers, which PyTorch's generator has to draw, or learns
    statistics, which the exporter leaves out."""
    import torch

    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return False
    drawn = torch.Tag.nondeterministic_seeded in target.tags
    return target._schema.is_mutable or drawn or name_of(node) in _LEARNING


def _kind(torch: Any, node: Any) -> Any:
    """What nodes have in common that the exporter treats alike: operator, settings, types, ranks."""

    def described(source: Any) -> Any:
        value = source.meta.get("val")
        return (value.dtype, value.dim()) if isinstance(value, torch.Tensor) else str(value)

    settings = torch.fx.node.map_arg((node.args, dict(node.kwargs)), described)
    return node.target, repr(settings)


def _runs_alone(torch: Any, graph: Any, node: Any) -> bool:
    alone, args = _alone(torch, graph, node)
    try:
        exported(settled(alone, args, {}), args)
    except ClconvError:
        return False
    return True


def _alone(torch: Any, graph: Any, node: Any) -> tuple[Any, list[Any]]:
    """A graph of this node and the takers of its outputs, and arguments for it."""
    made, args = torch.fx.Graph(), []
    values: dict[Any, Any] = {}
    for source in node.all_input_nodes:
        example = source.meta.get("val")
        if isinstance(example, torch.Tensor):
            values[source] = made.placeholder(source.name)
            shape = [int(d) for d in example.shape]
            args.append(torch.zeros(shape, dtype=example.dtype))
        else:
            values[source] = _number(example)
    values[node] = made.node_copy(node, lambda n: values[n])
    takers = [u for u in node.users if u.target is operator.getitem]
    outputs = [made.node_copy(taker, lambda n: values[n]) for taker in takers] or [values[node]]
    made.output(tuple(outputs))
    return torch.fx.GraphModule(graph, made), args


def _number(value: Any) -> Any:
    """A size that PyTorch keeps open, as the number that it has now."""
    kinds = {"SymInt": int, "SymFloat": float, "SymBool": bool}
    return kinds.get(type(value).__name__, lambda same: same)(value)


def _is_heavy(node: Any) -> bool:
    return name_of(node).removeprefix("aten.").split(".")[0] in _HEAVY


def name_of(node: Any) -> str:
    """aten.convolution"""
    packet = getattr(node.target, "overloadpacket", None)
    return str(packet) if packet is not None else getattr(node.target, "__name__", str(node.target))
