"""`clconv tune`: which kernels, with which parameters, run a network fastest on this device?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clconv.cli.console import (
    Device,
    Precision,
    Shapes,
    Size,
    interrupted,
    is_given,
    remark,
)
from clconv.cli.files import check_readable, check_writable
from clconv.cli.numbers import parse_size, positive
from clconv.cli.printing import Json, Results, results
from clconv.cli.progress import steps
from clconv.cli.shapes import settle_shapes
from clconv.cli.tuning.files import export_results, import_results
from clconv.cli.tuning.table import table_of
from clconv.errors import ConfigError

if TYPE_CHECKING:
    from clconv.device.info import DeviceInfo
    from clconv.device.options import PlanOptions
    from clconv.graph.ir import Graph, TensorSpec
    from clconv.planning.planner import Planner
    from clconv.tuning.runs import Outcome
    from clconv.tuning.tasks import Task

_Files = list[Path] | None
_MOST_BYTES = 2**28


def tune(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="An ONNX file, or a compiled network.", show_default=False)
    ] = None,
    ops: Annotated[
        str | None,
        typer.Option(
            "--ops",
            help="Only these operators, separated by commas: Conv,Gemm. Without a model: larger cases of them.",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    precision: Precision = None,
    size: Size = None,
    shapes: Shapes = None,
    limit: Annotated[
        float, typer.Option(help="Seconds after which compiling a candidate is given up.")
    ] = 60.0,
    afresh: Annotated[
        bool,
        typer.Option(
            "--afresh", help="Ignore earlier results and search again.", show_default=False
        ),
    ] = False,
    imported: Annotated[
        _Files,
        typer.Option("--import", help="Import the results of a file.", show_default=False),
    ] = None,
    merge: Annotated[
        _Files,
        typer.Option(
            "--merge",
            help="Import the results of a file where they are faster.",
            show_default=False,
        ),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write all results to a file.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the fastest correct kernels for a network's layers on a device; they are used from then on.

    Every candidate is first compared with the reference. Results are stored at once: an interrupted tuning continues
    where it was.
    """
    files = [*(imported or []), *(merge or [])]
    searching = model is not None or ops is not None
    if not searching and not files and export is None:
        raise ConfigError(
            "nothing to tune: name an ONNX file, --ops, --import, --merge or --export"
        )
    _refuse_unused_options(context, searching, model is not None)
    positive(limit, "--limit")
    sizes = (parse_size(size), shapes or [])
    for path in files:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file")
        check_readable(path, "results of tuning", _MOST_BYTES)
    if export is not None:
        check_writable(export, "--export")
    what = _TuningTarget.of(model, ops, device, precision, sizes) if searching else None
    with results(as_json) as out:
        import_results(out, imported or [], merge or [])
        if what is not None:
            _tune(out, what, limit, afresh)
        if export is not None:
            export_results(out, export)


def _refuse_unused_options(context: typer.Context, searching: bool, has_model: bool) -> None:
    """Raises ConfigError for options that would change nothing."""
    for name in ("device", "precision", "limit", "afresh"):
        if is_given(context, name) and not searching:
            raise ConfigError(f"--{name} is for tuning: name an ONNX file or --ops, too")
    for name, option in (("size", "--size"), ("shapes", "--shape")):
        if is_given(context, name) and not has_model:
            raise ConfigError(f"{option} is for a model's inputs: name an ONNX file, too")


@dataclasses.dataclass(frozen=True)
class _TuningTarget:
    """What is tuned. graph: after the passes, None for cases of the operators. specs: of its inputs."""

    graph: Graph | None
    specs: dict[str, TensorSpec]
    operators: tuple[str, ...]
    device: DeviceInfo
    options: PlanOptions

    @classmethod
    def of(
        cls,
        model: str | None,
        ops: str | None,
        device: str | None,
        precision: str | None,
        sizes: tuple[Any, Sequence[str]],
    ) -> _TuningTarget:
        """Raises ClconvError for what does not exist or does not fit. sizes: --size and --shape."""
        from clconv.api import read_model
        from clconv.cli.doctor import operators_of
        from clconv.device.options import PlanOptions
        from clconv.graph.ir import TensorSpec
        from clconv.graph.passes import run_passes
        from clconv.runtime.device import choose_device

        chosen, operators = choose_device(device), operators_of(ops)
        # Which variants are best is what is looked for: none is forced.
        asked = dataclasses.replace(PlanOptions.from_config(precision), forced={})
        if model is None:
            return cls(None, {}, operators, chosen, asked)
        graph = run_passes(read_model(model))
        settled = settle_shapes(graph.input_specs(), *sizes)
        specs = {n: TensorSpec(s, graph.input_specs()[n].dtype) for n, s in settled.items()}
        return cls(graph, specs, operators, chosen, asked)


def _tune(out: Results, what: _TuningTarget, limit: float, afresh: bool) -> None:
    from clconv.device.findings import Findings
    from clconv.planning.planner import Planner
    from clconv.probes.probed import planner_for
    from clconv.tuning.tasks import case_tasks, tasks_of

    graph, specs, operators = what.graph, what.specs, what.operators
    found = planner_for(graph, what.device, what.options)
    without_measurements = Findings(found.findings.quarantined)
    planner = Planner(found.device, found.options, without_measurements)
    if graph is None:
        _search(
            out,
            case_tasks(planner.device, what.options, without_measurements, operators),
            planner,
            limit,
            afresh,
        )
        return
    plan = planner.plan(graph, specs)
    if plan.batch_split is not None:
        out.line(f"{plan.batch_split}, as they are run", batch_split=str(plan.batch_split))
    tasks = tasks_of(plan.graph, planner.device, what.options, without_measurements, operators)
    if operators and not tasks:
        raise ConfigError(f"--ops: the network has no layers of {', '.join(operators)} to tune")
    outcomes = _search(out, tasks, planner, limit, afresh)
    if plan.cut:
        remark("the layers behind a shape that depends on data were not tuned")
    if not all(outcome.again for outcome in outcomes):
        _compare(out, graph, specs, planner, outcomes)


def _search(
    out: Results, tasks: Sequence[Task], planner: Planner, limit: float, afresh: bool
) -> list[Outcome]:
    from clconv import config
    from clconv.runtime.worker import Worker
    from clconv.tuning.runs import run_tasks
    from clconv.tuning.search import Search, Step

    device = planner.device
    out.line(
        f"{len(tasks)} kinds of layers on {device}, driver {device.driver}",
        device=str(device), driver=device.driver,
    )  # fmt: skip
    outcomes: list[Outcome] = []
    with (
        Worker(quiet=not config.DEBUG.get()) as worker,
        steps("trying kernels") as shown,
    ):

        def on_step(step: Step) -> None:
            task = tasks[min(len(outcomes), len(tasks) - 1)]
            what = f"{task.described}: {step.what}, best {step.gain:.2f} times"
            shown.count(what, len(outcomes), len(tasks))

        search = Search(device, worker, limit, on_step, planner.options)
        try:
            for outcome in run_tasks(tasks, device, search, afresh):
                outcomes.append(outcome)
        except KeyboardInterrupt:
            done = f" after {len(outcomes)} of {len(tasks)}"
            raise interrupted(f"{done}: results are kept, the same command goes on") from None
    out.table("layers", table_of(outcomes))
    for line in search.rejected:
        remark(f"rejected: {line}")
    out.value("rejected", search.rejected)
    return outcomes


def _compare(
    out: Results,
    graph: Graph,
    specs: Mapping[str, TensorSpec],
    planner: Planner,
    outcomes: list[Outcome],
) -> None:
    """Says what the whole network gains, and takes back what does not speed it up."""
    from clconv.tuning.runs import SLOWER, as_usual, compare_whole, keep

    entries = [o.entry for o in outcomes if o.entry is not None and not o.entry.is_default]
    if not entries:
        out.line("nothing is faster than what runs as usual")
        return
    usual, seconds = compare_whole(graph, specs, planner, entries)
    out.line(
        f"the network: {usual * 1e3:.3f} ms as usual, {seconds * 1e3:.3f} ms tuned, {usual / seconds:.3f} times as fast",
        network={"usual_seconds": usual, "tuned_seconds": seconds, "used": seconds <= SLOWER * usual},
    )  # fmt: skip
    if seconds > SLOWER * usual:
        keep([as_usual(entry) for entry in entries])
        out.line("that is slower: these results are not used")
