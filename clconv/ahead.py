"""Compiles several models ahead and side by side: PoCL compiles one program after another in a process, so each model gets a
process of its own. Those keep what they made, and load() finds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

from clconv.api import Shapes, load, read_model
from clconv.debug import LOGGER
from clconv.device.cores import usable_cores
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ConfigError, InputError
from clconv.runtime.device import Wanted, choose_device
from clconv.runtime.opencl import SPARE, is_pocl
from clconv.runtime.search_path import search_path
from clconv.session import coming
from clconv.session.inputs import conform_shapes, sets_of_shapes
from clconv.session.kept_plans import cached_plans

Path: TypeAlias = "str | os.PathLike[str]"
Models: TypeAlias = "Iterable[Path] | Mapping[Path, Shapes | Sequence[Shapes] | None]"

_DONE = "done"
_START = """
import json, sys
sys.path[:] = json.loads(sys.stdin.readline())
from clconv.ahead import work
work()
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
    """Models that other processes compile at this moment, in this order, as many at a time as there are cores; load() of the
    same file in this process waits for its own. `with` ends those that are not waited for. None is started for what is kept
    already, on one core, and for other drivers than PoCL, which compile faster or keep nothing."""

    def __init__(self, models: Models, device: DeviceInfo, precision: str | None = None) -> None:
        self.models = {path_of(p): shapes for p, shapes in _with_shapes(models).items()}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._own = threading.local()
        self._lock, self._over = threading.Lock(), False
        self._ends: dict[str, Future[bool]] = {}
        self._announced: list[Callable[[], None]] = []
        wanted = not_kept(self.models, device, precision)
        self._pool = ThreadPoolExecutor(usable_cores(), "clconv precompile")
        for path in wanted:
            shapes = [
                {n: [*map(int, s)] for n, s in one.items()}
                for one in sets_of_shapes(self.models[path])
            ]
            job = {
                "model": path,
                "shapes": shapes,
                "device": device.index,
                "precision": precision,
                "spare": max(0, usable_cores() // len(wanted) - 1),
            }
            self._ends[path] = self._pool.submit(self._done, job)
            self._announced.append(coming.announce(path, self._ends[path].result))

    def __enter__(self) -> Precompiling:
        return self

    def __exit__(self, *reason: object) -> None:
        for withdraw in self._announced:
            withdraw()
        with self._lock:
            self._over = True
            if not all(end.done() for end in self._ends.values()):  # idle ones end with their input
                for process in self._processes:
                    process.kill()
        if self._ends:
            self._pool.shutdown()
        for process in self._processes:
            process.communicate()

    def wait(self, path: Path) -> bool:
        """Returns when a model is compiled, or is not going to be: False for what this process has to do itself."""
        end = self._ends.get(path_of(path))
        return end is not None and end.result()

    def _done(self, job: Mapping[str, object]) -> bool:
        try:
            process = self._process()
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline().decode().strip()
            if not answer:
                answer = f"the process ended with {process.wait()}"
        except OSError as reason:
            answer = str(reason)
        if answer != _DONE:
            LOGGER.info("%s was not compiled ahead: %s", job["model"], answer)
        return answer == _DONE

    def _process(self) -> subprocess.Popen[bytes]:
        """That of this thread, a new one if it has ended. Raises OSError."""
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if process is None or process.poll() is not None:
            with self._lock:
                if self._over:
                    raise OSError("nobody waits for it")
                process = self._own.process = subprocess.Popen(
                    [sys.executable, "-I", "-c", _START],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                self._processes.append(process)
            assert process.stdin is not None
            process.stdin.write(json.dumps(search_path()).encode() + b"\n")
        return process


def work() -> None:
    """What a process does: a job a line, and a line that says how it ended."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            compile_one(**json.loads(line))
            print(_DONE, file=answers, flush=True)
        except Exception as reason:  # the same comes where it can be told
            print(repr(reason).replace("\n", " "), file=answers, flush=True)


def compile_one(
    model: str,
    shapes: Shapes | Sequence[Shapes] | None,
    device: int,
    precision: str | None,
    spare: int | None = None,
) -> None:
    """Loads a model, whose plans for these shapes are kept. device: its index. spare: cores that no other model takes, None
    where it is the only one."""
    SPARE.set(spare)
    sets = sets_of_shapes(shapes)
    with load(model, device, precision=precision) as session:
        for one in sets:
            session.output_specs(one)
        if not sets and not all(spec.is_static for spec in session.inputs.values()):
            still_open = [f"{n} {s}" for n, s in session.inputs.items() if not s.is_static]
            raise InputError(f"{model}: say for which shapes: {', '.join(still_open)}")


def not_kept(
    models: Mapping[str, Shapes | Sequence[Shapes] | None],
    device: DeviceInfo,
    precision: str | None,
) -> list[str]:
    """The models that are to be compiled ahead, with more than one core and PoCL: those that are not kept yet."""
    if usable_cores() < 2 or not sys.executable or not is_pocl(device.platform):
        return []
    return [p for p in models if not _is_kept(p, models[p], device, precision)]


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
        wanted = [conform_shapes(inputs, one) for one in sets_of_shapes(shapes)]
    except InputError:  # told where it is compiled
        return False
    return all(specs in plans.network.specs for specs in wanted)


def _with_shapes(models: Models) -> Mapping[Path, Shapes | Sequence[Shapes] | None]:
    if isinstance(models, str | os.PathLike):
        return {models: None}
    if not isinstance(models, Iterable):
        raise ConfigError(
            f"what is compiled ahead are paths of models, not {type(models).__name__}"
        )
    return models if isinstance(models, Mapping) else dict.fromkeys(models)


def path_of(model: Path) -> str:
    if not isinstance(model, str | os.PathLike):
        raise ConfigError(f"what is compiled ahead is a file's path, not {type(model).__name__}")
    return os.path.abspath(os.fspath(model))
