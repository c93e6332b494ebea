"""Compiles several models ahead and side by side: PoCL compiles one program after another in a process, so each model gets a
process of its own. Those keep what they made, and load() finds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

from clconv.api import Shapes, load, read_model
from clconv.debug import LOGGER
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ConfigError, InputError
from clconv.runtime.device import Wanted, choose_device
from clconv.runtime.opencl.found import is_pocl
from clconv.session.inputs import conform_shapes
from clconv.session.kept_plans import cached_plans

Path: TypeAlias = "str | os.PathLike[str]"
Models: TypeAlias = "Iterable[Path] | Mapping[Path, Shapes | Sequence[Shapes] | None]"

_START = """
import json, sys
job = json.load(sys.stdin)
sys.path[:] = job.pop("path")
from clconv.ahead import compile_one
compile_one(**job)
"""


def precompile(
    models: Models, *, device: Wanted | None = None, precision: str | None = None
) -> None:
    """Plans and compiles models, as many at a time as there are cores, and keeps what was made: load() of the same file then
    starts at once. For containers that are built, and for programs that load several models at their first start.

    models: paths of ONNX files, or a mapping from each to the shapes of its inputs by name, or several of these; None for
    a model that leaves no size open. device, precision: as for load().

    Raises ConfigError for what is no path, InputError for shapes that the inputs do not take or where they are needed, and
    what load() raises, for the first model that cannot be compiled.
    """
    chosen = choose_device(device)
    with Precompiling(models, chosen, precision) as processes:
        for path in processes.models:
            if not processes.wait(path):  # told by whoever does it here
                compile_one(path, processes.models[path], chosen.index, precision)


class Precompiling:
    """Models that other processes compile at this moment; `with` ends those that are not waited for. None is started for what
    is kept already, on one core, and for other drivers than PoCL, which compile faster or keep nothing."""

    def __init__(self, models: Models, device: DeviceInfo, precision: str | None = None) -> None:
        self.models = {_path(p): shapes for p, shapes in _with_shapes(models).items()}
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock, self._over = threading.Lock(), False
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        self._ends: dict[str, Future[bool]] = {}
        if cores < 2 or not sys.executable or not is_pocl(device.platform):
            return
        wanted = [p for p in self.models if not _is_kept(p, self.models[p], device, precision)]
        self._pool = ThreadPoolExecutor(cores, "clconv precompile")
        for path in wanted:
            shapes = [
                {n: [*map(int, s)] for n, s in one.items()} for one in _sets(self.models[path])
            ]
            job = {"model": path, "shapes": shapes, "device": device.index, "precision": precision}
            self._ends[path] = self._pool.submit(self._done, job)

    def __enter__(self) -> Precompiling:
        return self

    def __exit__(self, *reason: object) -> None:
        with self._lock:
            self._over = True
            for process in self._processes:
                process.kill()
        if self._ends:
            self._pool.shutdown()

    def wait(self, path: Path) -> bool:
        """Returns when a model is compiled, or is not going to be: False for what this process has to do itself."""
        end = self._ends.get(_path(path))
        return end is not None and end.result()

    def _done(self, job: Mapping[str, object]) -> bool:
        try:
            process = self._started()
        except OSError as reason:
            LOGGER.info("%s is not compiled ahead: %s", job["model"], reason)
            return False
        if process is None:
            return False
        _, errors = process.communicate(json.dumps({**job, "path": sys.path}).encode())
        with self._lock:
            self._processes.discard(process)
        if process.returncode:
            last = errors.decode(errors="replace").strip().rpartition("\n")[2]
            LOGGER.info("%s was not compiled ahead: %s", job["model"], last)
        return not process.returncode

    def _started(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._over:
                return None
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            self._processes.add(process)
            return process


def compile_one(
    model: str, shapes: Shapes | Sequence[Shapes] | None, device: int, precision: str | None
) -> None:
    """Loads a model, whose plans for these shapes are kept. device: its index."""
    sets = _sets(shapes)
    with load(model, device, precision=precision) as session:
        for one in sets:
            session.output_specs(one)
        if not sets and not all(spec.is_static for spec in session.inputs.values()):
            still_open = [f"{n} {s}" for n, s in session.inputs.items() if not s.is_static]
            raise InputError(f"{model}: say for which shapes: {', '.join(still_open)}")


def _is_kept(
    path: str, shapes: Shapes | Sequence[Shapes] | None, device: DeviceInfo, precision: str | None
) -> bool:
    """Whether the plans for all these shapes are there."""
    options = PlanOptions.from_config(precision)
    plans = cached_plans(path, device, options, None, lambda: read_model(path), ())
    if plans is None or plans.network is None:
        return False
    inputs = plans.network.face.input_specs()
    try:
        wanted = [conform_shapes(inputs, one) for one in _sets(shapes)]
    except InputError:  # told where it is compiled
        return False
    return all(specs in plans.network.specs for specs in wanted)


def _sets(shapes: Shapes | Sequence[Shapes] | None) -> list[Shapes]:
    return [shapes] if isinstance(shapes, Mapping) else list(shapes or [])


def _with_shapes(models: Models) -> Mapping[Path, Shapes | Sequence[Shapes] | None]:
    if isinstance(models, str | os.PathLike):
        return {models: None}
    return models if isinstance(models, Mapping) else dict.fromkeys(models)


def _path(model: Path) -> str:
    if not isinstance(model, str | os.PathLike):
        raise ConfigError(f"what is compiled ahead is a file's path, not {type(model).__name__}")
    return os.path.abspath(os.fspath(model))
