"""`torch.compile(module, backend="clconv")`: PyTorch's graphs run by clconv, and what it cannot run by PyTorch.

PyTorch finds the backend by the entry point "clconv" of the group "torch_dynamo_backends".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clconv.bridges.torch_export import needed_torch
from clconv.bridges.torch_region import Region, RegionSettings
from clconv.errors import ConfigError

_OPTIONS = ("device", "precision")


def backend(
    module: Any,
    example_inputs: Sequence[Any],
    *,
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """What torch.compile calls for each graph that it has captured; it gives back a callable.

    options: "device" and "precision", as load() takes them. AOTAutograd makes the graph one of plain operators without
    side effects. The way forward runs on clconv, but for operators that it or the exporter lacks, which stay in PyTorch
    and are named once; the way back stays in PyTorch. Weights are constants of the networks until they change.

    Raises ConfigError for other options, or without onnxscript.
    """
    torch = needed_torch()
    unknown = sorted(set(options or {}) - set(_OPTIONS))
    if unknown or mode is not None:
        raise ConfigError(
            f"the backend clconv takes the options {', '.join(_OPTIONS)}, not "
            f"{', '.join([*unknown, *(['mode'] if mode is not None else [])])}"
        )
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd

    settings = RegionSettings(**dict(options or {}))
    held = _held(torch, module, example_inputs)

    def compiler(changes: int) -> Any:
        def compiled(graph: Any, examples: Sequence[Any]) -> Any:
            region = Region(graph, settings, held, changes)
            return make_boxed_func(torch.compiler.disable(region))

        return compiled

    made = aot_autograd(
        fw_compiler=compiler(-1),  # in training weights change at every step
        inference_compiler=compiler(1),
        bw_compiler=lambda graph, examples: make_boxed_func(graph.forward),
    )
    return made(module, example_inputs)


def _held(torch: Any, module: Any, example_inputs: Sequence[Any]) -> Mapping[int, Any]:
    """Weights and buffers of the module that is compiled, by where their memory begins."""
    tensors = [*module.parameters(), *module.buffers()]
    places = [node for node in module.graph.nodes if node.op == "placeholder"]
    for node, example in zip(places, example_inputs, strict=False):
        described = node.meta.get("tensor_dict") or {}
        if isinstance(example, torch.nn.Parameter) or "_dynamo_static_input_type" in described:
            tensors.append(example)
    tensors = [t.detach() for t in tensors if isinstance(t, torch.Tensor)]
    return {t.untyped_storage().data_ptr(): t for t in tensors}
