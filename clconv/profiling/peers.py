"""Other engines to hold clconv against: onnxruntime, where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.errors import ConfigError
from clconv.session.compiled import is_compiled

PEERS = ("onnxruntime",)

Feeds = Mapping[str, np.ndarray]
Run = Callable[[Feeds], dict[str, np.ndarray]]


def check_peers(names: Sequence[str]) -> None:
    """Raises ConfigError for an engine that is not known, or not installed."""
    for name in names:
        if name not in PEERS:
            raise ConfigError(f"no engine {name!r} to compare with, only {', '.join(PEERS)}")
        if not _is_there(name):
            raise ConfigError(f"{name} is not installed: pip install {name}")


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # a package without a spec: put in its place by hand
        return True


def open_peer(name: str, model: str | bytes | os.PathLike[str], on_cpu: bool) -> tuple[Run, str]:
    """A model in another engine, on the processor or on what it thinks best: how to run it, and what to call it.

    Raises ConfigError where what is imported is clconv's stand-in, or the engine does not take the model.
    """
    check_peers([name])
    package: Any = importlib.import_module(name)
    if package.__name__.startswith("clconv"):
        raise ConfigError(f"{name} is clconv's stand-in here: there is nothing to compare with")
    providers = ["CPUExecutionProvider"] if on_cpu else list(package.get_available_providers())
    given = model if isinstance(model, bytes) else os.fspath(model)
    if is_compiled(given):
        raise ConfigError(
            f"{name} reads ONNX files: compare with the one that {given} was compiled from"
        )
    try:
        session = package.InferenceSession(given, providers=providers)
    except Exception as reason:  # of types of its own
        raise ConfigError(f"{name} cannot load the model: {reason}") from None
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Feeds) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    return run, f"{name} {package.__version__} ({session.get_providers()[0]})"
