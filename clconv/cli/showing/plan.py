"""What a device would run, as a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clconv.cli.printing import Column, Results, Table
from clconv.cli.showing.layers import described, show_bodies, times
from clconv.graph.ir import Graph, TensorSpec

if TYPE_CHECKING:
    from clconv.planning.plan import Plan


def _counted(number: int, what: str) -> str:
    plural = "es" if what.endswith("ch") else "s"
    return f"{number} {what}{plural if number != 1 else ''}"


def show_plan(
    out: Results,
    graph: Graph,
    specs: dict[str, TensorSpec],
    device: str | None,
    precision: str | None,
) -> None:
    from clconv.device.options import PlanOptions
    from clconv.graph.passes import run_passes
    from clconv.graph.passes.half import float32_nodes
    from clconv.planning.joining import may_join
    from clconv.probes.probed import planner_for
    from clconv.runtime.device import choose_device

    planner = planner_for(graph, choose_device(device), PlanOptions.from_config(precision))
    made = planner.plan(run_passes(graph), specs)
    inputs = {n: {"dtype": s.dtype.value, "shape": s.shape} for n, s in specs.items()}
    out.line(
        f"{graph.name} on {made.device}: {described(inputs)}",
        model=graph.name, device=str(made.device), inputs=inputs,
    )  # fmt: skip
    if made.batch_split is not None:
        out.line(str(made.batch_split), batch_split=str(made.batch_split))
    out.table("layers", plan_table(made))
    live = made.live_bytes
    ratio = f" ({made.memory.total / live:.2f} times)" if live else ""
    out.line(
        f"{_counted(len(made.calls), 'kernel')} in {_counted(len(made.launches), 'launch')}; values need "
        f"{made.memory.total:,} bytes in {len(made.memory.arenas)} buffers, largest live set {live:,}{ratio}",
        kernels=len(made.calls), launches=len(made.launches), bytes=made.memory.total,
        buffers=len(made.memory.arenas), live_bytes=live,
    )  # fmt: skip
    if may_join(made.device, planner.options) and not planner.joins:
        out.line("launches are not joined: quarantined by clconv doctor", joins=False)
    widened = list(float32_nodes(made.graph))
    if widened:
        out.line(
            f"computed in float32 between casts from and to float16: {', '.join(widened)}",
            in_float32=widened,
        )
    if made.cut:
        names = [n.name for n in made.cut.host_nodes]
        later = len(made.cut.rest.nodes)
        out.line(
            f"then on the host: {', '.join(names) or '-'}; {later} layers are planned after it",
            host=names, later_layers=later,
        )  # fmt: skip
        show_bodies(out, (*made.cut.host_nodes, *made.cut.rest.nodes))


def _usual_type(specs: list[str]) -> str:
    """Without the type that most values have: 1x32x112x112:c16."""
    return " ".join(re.sub(r"^float32\[(.*)\]", r"\1", spec) for spec in specs)


def plan_table(made: Plan) -> Table:
    """A row for each node of the planned graph and each conversion between layouts."""
    table = Table(
        Column("layer", kind="name"),
        Column("operator"),
        Column("variant"),
        Column("chosen_by"),
        Column("reads", kind="long", shown=lambda shapes: " ".join(map(times, shapes))),
        Column("writes", kind="long", shown=" ".join, short=_usual_type),
        Column("kernels", kind="number"),
        Column("work_items", "work-items", "number", lambda sizes: " + ".join(map(times, sizes))),
    )
    by_node: dict[str, list[Any]] = {}
    for call in made.calls:
        by_node.setdefault(call.node, []).append(call)
    nodes = {node.name: node for node in made.graph.nodes}
    for name in dict.fromkeys([*(c.node for c in made.calls), *nodes]):
        calls = by_node.get(name, [])
        items = [call.global_size for call in calls]
        if name not in nodes:
            table.add(name, "(conversion)", "", "", [], [], len(calls), items)
            continue
        node, choice = nodes[name], made.lowered.choices[name]
        fused = "+".join((node.op, *(step.op for step in node.epilogue)))
        reads = [made.graph.spec(n) for n in node.inputs if n and n not in made.graph.constants]
        writes = [made.lowered.specs[n] for n in node.outputs if n]
        table.add(
            name, fused, choice.name, choice.source, [s.shape for s in reads],
            [str(s) for s in writes], len(calls), items,
        )  # fmt: skip
    return table
