"""A graph of PyTorch's operators (torch.fx) for arguments of known sizes, as a Graph of clconv."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clconv.bridges.torch_export import imported
from clconv.errors import ModelError, UnsupportedError
from clconv.graph.ir import DType, Graph

_KINDS = {dtype.value for dtype in DType}


@dataclasses.dataclass(frozen=True)
class Output:
    """One output of a PyTorch graph: an argument handed on (its place), a value that is computed, an empty tensor, or
    None.

    like: what PyTorch expects the value to be, for its shape and strides.
    """

    place: int | None = None
    computed: bool = False
    like: Any = None


@dataclasses.dataclass(frozen=True)
class Settled:
    """A PyTorch graph whose arguments are tensors only.

    module: what is exported. fed: which of the arguments it takes. outputs: in their order; single: whether the graph
    returns one value instead of a tuple.
    """

    module: Any
    fed: tuple[int, ...]
    outputs: tuple[Output, ...]
    single: bool


def settled(graph: Any, args: Sequence[Any], constants: Mapping[int, Any]) -> Settled:
    """The graph with these arguments as its own constants, and numbers among the arguments in its nodes.

    Raises UnsupportedError for arguments or outputs of a type that clconv does not have.
    """
    import torch

    made = torch.fx.Graph()
    values: dict[Any, Any] = {}
    held: dict[str, Any] = {}
    places: dict[Any, int] = {}
    fed: list[int] = []
    outputs: tuple[Output, ...] = ()
    single = False
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            place = places[node] = len(places)
            values[node] = args[place]
            if place in constants:
                held[name := f"held_{place}"] = args[place].detach()
                values[node] = made.get_attr(name)
            elif isinstance(args[place], torch.Tensor):
                _check_kind(torch, args[place], node.name)
                values[node] = made.placeholder(f"arg_{place}")
                fed.append(place)
        elif node.op == "output":
            returned = node.args[0]
            single = not isinstance(returned, tuple | list)
            returned = [returned] if single else list(returned)
            outputs = tuple(_output(torch, node, places) for node in returned)
            chosen = zip(returned, outputs, strict=True)
            made.output(tuple(values[n] for n, output in chosen if output.computed))
        else:
            if node.op == "get_attr":
                held[node.target] = _attribute(graph, node.target)
            values[node] = made.node_copy(node, lambda n: values[n])
            values[node].meta = {}  # it belongs to the trace that made the graph
    return Settled(torch.fx.GraphModule(held, made), tuple(fed), outputs, single)


def _output(torch: Any, node: Any, places: Mapping[Any, int]) -> Output:
    if node is None:
        return Output()
    if node in places:
        return Output(place=places[node])
    like = node.meta.get("val") if isinstance(node, torch.fx.Node) else node
    if not isinstance(like, torch.Tensor):
        raise UnsupportedError(f"the graph returns '{node}', which is no tensor")
    _check_kind(torch, like, str(node))
    # What PyTorch keeps empty, such as the statistics of a batch norm in evaluation, the exporter fills.
    is_empty = any(isinstance(size, int) and size == 0 for size in like.shape)
    return Output(computed=not is_empty, like=like)


def _check_kind(torch: Any, tensor: Any, name: str) -> None:
    kind = str(tensor.dtype).removeprefix("torch.")
    if kind not in _KINDS or tensor.layout is not torch.strided or tensor.is_quantized:
        raise UnsupportedError(f"'{name}' is a tensor of {kind} ({tensor.layout})")


def _attribute(graph: Any, target: str) -> Any:
    found = graph
    for part in target.split("."):
        found = getattr(found, part)
    return found


def exported(module: Settled, args: Sequence[Any]) -> Graph:
    """Its Graph for arguments like these, whose fed inputs and outputs have the order of the module's.

    Raises ModelError or UnsupportedError where PyTorch cannot export it, or clconv lacks an operator.
    """
    # While a compiled graph runs, PyTorch's thread has switches set with which nothing can be exported.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        graph = thread.submit(_exported, module, args).result()
    computed = sum(output.computed for output in module.outputs)
    if len(graph.fed) != len(module.fed) or len(graph.returned) != computed:
        raise UnsupportedError("PyTorch's exporter has left out arguments or outputs of the graph")
    return graph


def _exported(module: Settled, args: Sequence[Any]) -> Graph:
    import torch

    with torch.no_grad():
        examples = tuple(torch.zeros(args[i].shape, dtype=args[i].dtype) for i in module.fed)
        try:
            program = torch.export.export(module.module, examples, strict=False)
        except Exception as reason:
            raise ModelError(f"torch.export does not take the graph: {reason}") from reason
        return imported(torch, program, ())


def as_outputs(module: Settled, args: Sequence[Any], arrays: Iterable[Any]) -> Any:
    """What PyTorch expects its graph to return, of the arrays that were computed."""
    import torch

    left, found = iter(arrays), []
    for output in module.outputs:
        if output.place is not None:
            found.append(args[output.place])
        elif output.computed:
            found.append(_as_tensor(torch, next(left), output.like))
        elif output.like is not None:
            shape = [int(size) for size in output.like.shape]
            found.append(torch.empty(shape, dtype=output.like.dtype, device=output.like.device))
        else:
            found.append(None)
    return found[0] if module.single else tuple(found)


def _as_tensor(torch: Any, array: Any, like: Any) -> Any:
    tensor = torch.from_numpy(array).to(like.device)
    strides = like.stride()
    if all(isinstance(s, int) for s in strides) and tensor.stride() != strides:
        laid_out = torch.empty_strided(
            tensor.shape, strides, dtype=tensor.dtype, device=like.device
        )
        return laid_out.copy_(tensor)
    return tensor
