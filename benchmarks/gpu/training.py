"""Training on a GPU, for benchmarks/gpu: the gradients' cases, and a whole step of ResNet-18 against PyTorch's."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.cases import run_cases
from benchmarks.gpu.lanes import Bench
from benchmarks.gpu.report import of_step
from benchmarks.training.nets import TASKS, Task

NAME = "resnet18"
_STEPS = 4  # whose losses are kept
_SMALL = {"batch": 2, "image": (3, 32, 32)}


def task_for(small: bool) -> Task:
    return dataclasses.replace(TASKS[NAME], **_SMALL) if small else TASKS[NAME]


def run_training(bench: Bench) -> None:
    """Half of the part's time at most for cases, so that the step is measured."""
    end = bench.part_end
    bench.part_end = min(end, time.monotonic() + (end - time.monotonic()) / 2)
    small = bench.options.small
    run_cases(bench, "training", [] if small else [(compiled_step, small, bench.device)])
    bench.part_end = end
    row = step_row(bench)
    bench.record["training"]["step"] = row
    bench.save()
    print(f"step of {NAME} x {row['batch']}: {of_step(row)}", flush=True)


def step_row(bench: Bench) -> dict[str, Any]:
    small = bench.options.small
    row: dict[str, Any] = {"name": NAME, "batch": task_for(small).batch, "precision": "float32"}
    found, reason = bench.ours.call(
        own_steps,
        small,
        bench.device,
        bench.least,
        limit=max(bench.limit, bench.part_end - time.monotonic()),
    )
    if reason:
        return row | {"failed": reason}
    row |= found
    row["wrong"] = not all(map(math.isfinite, row["losses"]))
    if bench.peer:
        theirs, reason = bench.theirs.call(
            peer_steps, small, bench.peer, bench.least, limit=bench.limit
        )
        if theirs is None:
            return row | {"peer_failed": reason}
        row |= {"peer_ms": theirs["ms"], "peer_losses": theirs["losses"]}
        row["ratio"] = theirs["ms"] / row["ms"]
        count = 1 if small else 2
        losses, peers = row["losses"][:count], theirs["losses"][:count]
        row["wrong"] |= not agree(losses, peers, task_for(small).close)
    return row


def agree(ours: list[float], theirs: list[float], close: float) -> bool:
    """Whether both learn the same: the first loss is of the same weights, the second of the first update. Later ones, and both
    where batch norms see a few values only, drift apart by rounding."""
    pairs = zip(ours, theirs, strict=True)
    return all(abs(a - b) <= close * 10**i * abs(b) for i, (a, b) in enumerate(pairs))


def trainer_of(task: Task, device: Any) -> Any:
    import clconv
    from benchmarks.training.engine import SGD
    from clconv import optim

    optimizer = optim.SGD(**SGD)
    return clconv.Trainer(task.graph(), loss=task.loss, optimizer=optimizer, device=device)


def compiled_step(small: bool, device: Any) -> None:
    """Compiles a step's kernels, so that the driver's cache has them."""
    task = task_for(small)
    trainer_of(task, device).prepare(*task.data())


def own_steps(small: bool, device: Any, least: float) -> dict[str, Any]:
    """Losses of the first steps; milliseconds of one by the host's clock and of its launches by the device's."""
    from clconv.runtime.profile import launch_timings

    task = task_for(small)
    trainer = trainer_of(task, device)
    x, target = task.data()
    begun = time.perf_counter()
    losses = [float(trainer.step(x, target))]
    first = time.perf_counter() - begun
    losses += [float(trainer.step(x, target)) for _ in range(_STEPS - 1)]
    found = {
        "losses": losses,
        "first_s": first,
        "ms": _median_ms(lambda: trainer.step(x, target), least),
    }
    bound = trainer.prepare(x, target)
    timings = launch_timings(bound, 3)
    by_time = sorted(timings, key=lambda timing: -timing.seconds)
    return found | {
        "kernels_ms": sum(timing.seconds for timing in timings) * 1e3,
        "launches": len(timings),
        "top": [
            {"node": t.call.node, "kernel": t.call.kernel.entry, "ms": t.seconds * 1e3}
            for t in by_time[:12]
        ],
    }


def peer_steps(small: bool, device: str, least: float) -> dict[str, Any]:
    """PyTorch's, in eager mode, the better of both layouts of images."""
    from benchmarks.training.engine import write
    from benchmarks.training.peer import MEMORY, load

    with tempfile.TemporaryDirectory() as folder:
        write(task_for(small), Path(folder))
        found = []
        for layout in MEMORY:
            run, _ = load(Path(folder), layout, device)
            losses = [float(run()["loss"]) for _ in range(_STEPS)]
            found.append({"losses": losses, "ms": _median_ms(run, least)})
    return min(found, key=lambda one: one["ms"])


def _median_ms(run: Any, least: float) -> float:
    """Of single steps, which end with a loss on the host, over a while."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begun < 10 * least:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2] * 1e3
