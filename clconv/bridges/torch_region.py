"""A graph of PyTorch's operators that runs on clconv, whole or in parts."""

from __future__ import annotations

import atexit
import dataclasses
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clconv.api import load
from clconv.bridges.torch_graph import as_outputs, exported, settled
from clconv.bridges.torch_held import HeldWeights
from clconv.bridges.torch_parts import has_effects, name_of, split
from clconv.errors import ClconvError, ModelError, UnsupportedError, warn_once

# How far results may be from PyTorch's, in parts of the largest, by precision.
_TOLERANCES = {"float16": 3e-2, "tf32": 1e-2}


@dataclasses.dataclass(frozen=True)
class RegionSettings:
    """What load() is told."""

    device: Any = None
    precision: str | None = None


_REGIONS: weakref.WeakSet[Region] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """PyTorch keeps what it has compiled until Python has taken itself apart, which is too late to free a device."""
    for region in list(_REGIONS):
        region.close()


class Region:
    """Calls with the same sizes run the same Session, which the first of them makes and compares with PyTorch.

    graph: a torch.fx.GraphModule, as AOTAutograd makes it. held: weights and buffers by where their memory begins: they
    are constants of the Session until they have changed more often than `changes` times; then they are fed. may_split:
    whether parts of the graph are tried where the whole cannot be run; else it stays in PyTorch.
    """

    def __init__(
        self,
        graph: Any,
        settings: RegionSettings,
        held: Mapping[int, Any],
        changes: int,
        may_split: bool = True,
    ) -> None:
        self._graph, self._settings, self._may_split = graph, settings, may_split
        self._weights = HeldWeights(held, changes)
        self._made: dict[Any, Runner] = {}
        self._instead: Callable[..., Any] | None = None
        self._lock = threading.Lock()
        _REGIONS.add(self)

    def close(self) -> None:
        """Forgets what was made; the next call makes it anew."""
        self._made.clear()

    def __call__(self, *args: Any) -> Any:
        if self._instead is None:
            with self._lock:
                constants, changed = self._weights.among(args)
                if changed:
                    self._made.clear()
                key = tuple("held" if i in constants else _key(a) for i, a in enumerate(args))
                runner = self._made.get(key)
                if runner is None and self._instead is None:
                    try:
                        return self._first(key, args, constants)
                    except ClconvError as reason:
                        self._instead = self._without(reason)
            if runner is not None:
                return runner(args)
        assert self._instead is not None
        return self._instead(*args)

    def _first(self, key: Any, args: Sequence[Any], constants: Mapping[int, Any]) -> Any:
        """The results of the first call with such arguments. Raises ClconvError where clconv does not run the graph, or
        the exporter has made something else of it."""
        effects = sorted({name_of(n) for n in self._graph.graph.nodes if has_effects(n)})
        if effects:
            raise UnsupportedError(", ".join(effects))
        runner = Runner(self._graph, args, constants, self._settings)
        found, expected = runner(args), self._graph(*args)
        if not agree(found, expected, _TOLERANCES.get(runner.precision, 1e-3)):
            raise ModelError("PyTorch's exporter changed what the graph computes")
        self._made[key] = runner
        return expected

    def _without(self, reason: ClconvError) -> Callable[..., Any]:
        """What runs the graph where clconv does not run all of it, which is said once."""
        instead, left = self._graph, [str(reason)]
        if self._may_split:
            instead, names = split(self._graph, self._part)
            left = names or left
        warn_once(f"torch.compile: some operators stay in PyTorch: {', '.join(left)}")
        return instead

    def _part(self, graph: Any) -> Region:
        held = self._weights
        return Region(graph, self._settings, held.held, held.changes, may_split=False)


class Runner:
    """A graph for arguments of known sizes on a Session. Raises ModelError where there is none."""

    def __init__(
        self,
        graph: Any,
        args: Sequence[Any],
        constants: Mapping[int, Any],
        settings: RegionSettings,
    ) -> None:
        self._module = settled(graph, args, constants)
        model = exported(self._module, args)
        self._session = load(model, settings.device, precision=settings.precision)
        self.precision = self._session.precision
        self._fed = dict(zip(model.fed, self._module.fed, strict=True))

    def __call__(self, args: Sequence[Any]) -> Any:
        feeds = {name: args[i].detach().cpu().numpy() for name, i in self._fed.items()}
        return as_outputs(self._module, args, self._session.run(feeds).values())


def agree(found: Any, expected: Any, tolerance: float) -> bool:
    """Whether results are the same: floats up to so much of the largest, of others all but one in a hundred, where
    rounding decides."""
    import torch

    if not isinstance(expected, torch.Tensor):
        pairs = zip(found, expected, strict=True) if isinstance(expected, tuple | list) else ()
        return all(agree(one, other, tolerance) for one, other in pairs)
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return False
    if not expected.numel():
        return True
    if not expected.is_floating_point():
        return bool((found == expected).double().mean() >= 0.99)
    size = float(torch.nan_to_num(expected.detach().double(), 0, 0, 0).abs().max())
    return torch.allclose(
        found.double(), expected.detach().double(), 0, tolerance * size + 1e-6, equal_nan=True
    )


def _key(arg: Any) -> Any:
    shape = getattr(arg, "shape", None)
    return arg if shape is None else (tuple(shape), arg.dtype)
