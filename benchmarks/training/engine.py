"""clconv's side of bench_training, in a process of its own.

    python -m benchmarks.training.engine NAME              # speaks as benchmarks/engines.py does
    python -m benchmarks.training.engine NAME --profile 5  # one line of JSON: where the time of a step goes

The second launches kernel by kernel, with the device's own clock, and takes medians over so many steps.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import Runner, serve
from benchmarks.training.nets import TASKS, Task

SGD = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 5e-4}


def write(task: Task, folder: Path) -> None:
    """The network and the batch, for a peer that knows nothing of clconv."""
    from clconv.graph.derivatives import without_epilogues
    from clconv.training.model import learner

    graph = without_epilogues(task.graph())
    x, target = task.data()
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    kept = {*graph.inputs, *graph.constants, *graph.outputs}
    nodes = [
        {
            "op": node.op,
            "inputs": node.inputs,
            "outputs": node.outputs,
            "attrs": dict(node.attrs),
            "last": [n for n in dict.fromkeys(node.inputs) if last[n] == i and n not in kept],
        }
        for i, node in enumerate(graph.nodes)
    ]
    net = {
        "nodes": nodes,
        "output": graph.outputs[0],
        "parameters": learner(graph).parameters,
        "loss": task.loss,
        "target": "benchmark target",
        "sgd": SGD,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.json").write_text(json.dumps(net, default=str), encoding="utf-8")
    values = {name: constant.array for name, constant in graph.constants.items()}
    np.savez(folder / "values.npz", **values, **{graph.inputs[0]: x, net["target"]: target})


def load(task: Task) -> tuple[Runner, str]:
    import clconv
    from clconv import optim

    trainer = clconv.Trainer(task.graph(), loss=task.loss, optimizer=optim.SGD(**SGD))
    x, target = task.data()
    return lambda: {"loss": np.array(trainer.step(x, target))}, f"clconv {clconv.__version__}"


def shares(task: Task, repeats: int) -> dict[str, Any]:
    """Milliseconds of each kind of launch, by operator and kernel; launches; bytes of the plan."""
    os.environ["CLCONV_ONE_LAUNCH"] = "0"
    import clconv
    from clconv import optim
    from clconv.runtime.profile import launch_timings

    trainer = clconv.Trainer(task.graph(), loss=task.loss, optimizer=optim.SGD(**SGD))
    x, target = task.data()
    trainer.step(x, target)
    bound = trainer.prepare(x, target)
    operators = {node.name: node.op for node in bound.plan.graph.nodes}
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for timing in launch_timings(bound, repeats):
        call = timing.call
        key = operators.get(call.node, call.node), call.kernel.template
        found[key].append(timing.seconds * 1e3)
    rows = [
        {"operator": op, "template": template, "launches": len(ms), "ms": sum(ms)}
        for (op, template), ms in found.items()
    ]
    return {"bytes": bound.plan.memory.total, "rows": rows}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(TASKS))
    parser.add_argument("--profile", type=int)
    given = parser.parse_args()
    if given.profile:
        print(json.dumps(shares(TASKS[given.name], given.profile)))
    else:
        serve(lambda: load(TASKS[given.name]))
