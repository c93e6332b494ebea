"""Compiles what GPUs would run in a step of training, with the vendors' compilers and without the GPUs.

    python -m benchmarks.training.offline [TARGET ...]

Every launch of a step (forward, loss, backward, update by SGD with momentum) of the networks of bench_training, planned for a
made-up device of each target, and every other variant that applies to its operators. Registers, local memory, spills and
occupancy go into benchmarks/results/offline_training.md. Ends with an error if a kernel does not compile or spills.

Targets and tools are those of offline_compile.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.offline_compile import (
    RESULTS,
    Rows,
    compile_each,
    compiled,
    launches,
    summary,
    wanted_targets,
)
from benchmarks.offline_targets import Target
from benchmarks.training.nets import TASKS, Task
from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import KernelCall
from clconv.optim import SGD
from clconv.training.losses import LOSSES
from clconv.training.memory import planned, specs_of_batch
from clconv.training.model import learner
from clconv.training.step import Objective, StepWriter, compared_spec

HEAD = """# Kernels of training compiled for GPUs

Made by `python -m benchmarks.training.offline`: whole steps of {networks} at the batches of `benchmarks/training/nets.py`, and
every other variant that applies to their operators. Each row is the worst of so many kernels; registers are a work-item's (on
Intel always 128), local memory is a work-group's in bytes, occupancy is the part of the device's threads that fit at once.

"""


def step_launches(task: Task, device: DeviceInfo) -> Iterator[KernelCall]:
    """As a step would run on the device, and the other variants of its operators."""
    learning, loss = learner(task.graph()), LOSSES[task.loss]()
    output = learning.graph.outputs[0]
    spec = compared_spec(learning.graph, loss, output)
    writer = StepWriter(learning, Objective(loss, output, spec, loss.usual_targets(spec)), "train")
    step, _ = writer.step(SGD(lr=0.01, momentum=0.9), None)
    plan = planned(step, specs_of_batch(step, task.batch), device)
    yield from plan.calls
    yield from launches(plan.graph, device)


def main() -> int:
    rows: Rows = []

    def compile_for(target: Target) -> Rows:
        return compiled(
            target, {name: step_launches(task, target.device) for name, task in TASKS.items()}
        )

    def keep(found: Rows) -> None:
        rows.extend(found)
        text = HEAD.format(networks=", ".join(TASKS)) + summary(rows)
        (RESULTS / "offline_training.md").write_text(text)

    return 1 if compile_each(wanted_targets(sys.argv[1:]), compile_for, keep) else 0


if __name__ == "__main__":
    sys.exit(main())
