"""from_torch(): a PyTorch module as a Graph, by PyTorch's own ONNX exporter."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from clconv.errors import ClconvError, ConfigError, InputError, ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.graph.ir import Graph

_INSTALL = "pip install 'clconv[torch]', or torch and onnxscript"


def from_torch(
    module: Any, example_inputs: Any, dynamic_shapes: Mapping[str, Any] | Any = None
) -> Graph:
    """The graph of a PyTorch module, for load(), Trainer and save(). Weights keep the names of its state_dict.

    module: a torch.nn.Module, which is exported as in evaluation (its mode stays as it is), or an ExportedProgram of
        torch.export. example_inputs: a tensor, a tuple of them, or a dict by the names of forward's arguments; their
        values do not matter. dynamic_shapes: as torch.export takes it, for sizes that stay open, such as
        {"x": {0: "batch"}}; by default all sizes are those of the examples.

    Raises ConfigError without torch 2.6 or later and onnxscript, ModelError for a module that PyTorch cannot export,
    UnsupportedError for operators that clconv does not have.
    """
    torch = needed_torch()
    module = getattr(module, "_orig_mod", module)  # of what torch.compile gave back
    args, named = _arguments(example_inputs)
    options: dict[str, Any] = {"kwargs": named or None, "dynamic_shapes": dynamic_shapes}
    with _evaluating(module, torch):
        return imported(torch, module, args, **options)


def imported(torch: Any, module: Any, args: tuple[Any, ...], **options: Any) -> Graph:
    """The graph of what torch.onnx.export makes. Raises ModelError and UnsupportedError as from_torch does."""
    label = type(module).__name__
    try:
        with _quietly():
            program = torch.onnx.export(module, args, dynamo=True, verbose=False, **options)
            data = program.model_proto.SerializeToString()
    except ClconvError:
        raise
    except Exception as reason:
        raise ModelError(f"PyTorch cannot export {label}: {_first_lines(reason)}") from reason
    try:
        return import_onnx(data)
    except UnsupportedError as reason:
        raise UnsupportedError(f"{label}, exported by PyTorch: {reason}") from reason


def needed_torch() -> Any:
    """The module torch, where it and its exporter are there. Raises ConfigError."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise ConfigError(f"PyTorch is not installed: {_INSTALL}") from None
    try:
        importlib.import_module("onnxscript")
    except ImportError:
        raise ConfigError(
            f"PyTorch's ONNX exporter needs onnxscript, which is not installed: {_INSTALL}"
        ) from None
    if "dynamic_shapes" not in inspect.signature(torch.onnx.export).parameters:
        raise ConfigError(f"torch {torch.__version__} is too old: {_INSTALL}, torch 2.6 or later")
    return torch


def _arguments(examples: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(examples, Mapping):
        return (), dict(examples)
    if isinstance(examples, tuple | list):
        return tuple(examples), {}
    if hasattr(examples, "dtype") and hasattr(examples, "shape"):
        return (examples,), {}
    raise InputError(
        f"example_inputs are a tensor, a tuple of tensors or a dict by name, not {type(examples).__name__}"
    )


@contextlib.contextmanager
def _evaluating(module: Any, torch: Any) -> Iterator[None]:
    """Dropout and batch norms as in evaluation, and each part's own mode again afterwards."""
    parts = list(module.modules()) if isinstance(module, torch.nn.Module) else []
    before = [part.training for part in parts]
    try:
        for part in parts:
            part.training = False
        yield
    finally:
        for part, mode in zip(parts, before, strict=True):
            part.training = mode


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what the exporter says about itself: deprecations inside of it, packages that it could use, too."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for kind in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        logger.setLevel(level)


def _first_lines(reason: BaseException) -> str:
    """What a long report begins with: of the exception that began it, which says what PyTorch does not take."""
    root = reason
    while root.__cause__ is not None:
        root = root.__cause__
    lines = [line.strip() for line in str(root).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(root).__name__
