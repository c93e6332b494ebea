"""A step of training as a device would run it, and what computing again saves, as tables."""

from __future__ import annotations

from clconv.cli.printing import Column, Results, Table
from clconv.cli.showing.plan import plan_table
from clconv.graph.ir import Graph


def show_step(out: Results, graph: Graph, batch: int, loss: str, device: str | None) -> None:
    from clconv.runtime.device import choose_device
    from clconv.training.outlook import planned_steps

    chosen = choose_device(device)
    steps = list(planned_steps(graph, batch, chosen, loss))
    whole = steps[0]
    out.line(
        f"a step of training {graph.name} on {batch} examples, {chosen}",
        model=graph.name, batch=batch, loss=loss, device=str(chosen),
    )  # fmt: skip
    out.table("layers", plan_table(whole.plan))
    out.line(
        f"weights and moments take {whole.state:,} bytes, values {whole.nbytes:,}; with recompute=BYTES, relative to "
        "computing nothing twice:",
        state_bytes=whole.state,
    )
    table = Table(
        Column("segments", kind="number"),
        Column("bytes", kind="number", shown=lambda count: f"{count:,}"),
        Column("memory", kind="number", shown=lambda share: f"{share:.2f}"),
        Column("work", kind="number", shown=lambda share: f"{share:.2f}"),
    )
    for step in steps:
        table.add(step.segments, step.nbytes, step.nbytes / whole.nbytes, step.flops / whole.flops)
    out.table("recompute", table)
