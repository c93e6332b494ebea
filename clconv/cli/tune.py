"""`clconv tune`: which kernels, with which parameters, run a network fastest on this device?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from clconv.cli.console import (
    Device,
    Precision,
    Shapes,
    Size,
    interrupted,
    is_given,
    stderr,
    stdout,
)
from clconv.cli.files import check_readable, check_writable
from clconv.cli.numbers import parse_size, positive
from clconv.cli.shapes import settle_shapes
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
    model: Annotated[str | None, typer.Argument(help="An ONNX file.", show_default=False)] = None,
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
    _import_results(imported or [], merge or [])
    if what is not None:
        _tune(what, limit, afresh)
    if export is not None:
        _export(export)


def _refuse_unused_options(context: typer.Context, searching: bool, has_model: bool) -> None:
    """Raises ConfigError for options that would change nothing."""
    for name in ("device", "precision", "limit", "afresh"):
        if is_given(context, name) and not searching:
            raise ConfigError(f"--{name} is for tuning: name an ONNX file or --ops, too")
    for name, option in (("size", "--size"), ("shapes", "--shape")):
        if is_given(context, name) and not has_model:
            raise ConfigError(f"{option} is for a model's inputs: name an ONNX file, too")


def _import_results(imported: Sequence[Path], merge: Sequence[Path]) -> None:
    from clconv.runtime.measurement_files import (
        entries_or_warning,
        merged,
        own_file,
        read_entries,
        write_entries,
    )
    from clconv.store.files import Unusable

    found = []
    for path, faster in [*((p, False) for p in imported), *((p, True) for p in merge)]:
        try:
            found.append((path, faster, *read_entries(path)))
        except Unusable as reason:
            raise ConfigError(f"{path} {reason}") from None
    for path, faster, entries, stale in found:
        write_entries(own_file(), merged(entries_or_warning(own_file()), entries, faster))
        left_out = f", {len(stale)} left out, the first because {stale[0]}" if stale else ""
        stdout().print(f"{path}: {len(entries)} results{left_out}", soft_wrap=True)


def _export(path: Path) -> None:
    from clconv.runtime.measurement_files import entries_or_warning, own_file, write_entries

    entries = entries_or_warning(own_file())
    write_entries(path, entries)
    stdout().print(f"{path}: {len(entries)} results", soft_wrap=True)


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


def _tune(what: _TuningTarget, limit: float, afresh: bool) -> None:
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
            case_tasks(planner.device, what.options, without_measurements, operators),
            planner,
            limit,
            afresh,
        )
        return
    plan = planner.plan(graph, specs)
    if plan.batch_split is not None:
        stdout().print(f"{plan.batch_split}, as they are run")
    tasks = tasks_of(plan.graph, planner.device, what.options, without_measurements, operators)
    if operators and not tasks:
        raise ConfigError(f"--ops: the network has no layers of {', '.join(operators)} to tune")
    outcomes = _search(tasks, planner, limit, afresh)
    if plan.cut:
        stderr().print("the layers behind a shape that depends on data were not tuned")
    if not all(outcome.again for outcome in outcomes):
        _compare(graph, specs, planner, outcomes)


def _search(tasks: Sequence[Task], planner: Planner, limit: float, afresh: bool) -> list[Outcome]:
    from clconv import config
    from clconv.runtime.worker import Worker
    from clconv.tuning.runs import run_tasks
    from clconv.tuning.search import Search, Step

    errors, device = stderr(), planner.device
    stdout().print(f"{len(tasks)} kinds of layers on {device}, driver {device.driver}")
    outcomes: list[Outcome] = []
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with (
        Worker(quiet=not config.DEBUG.get()) as worker,
        Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar,
    ):
        row = bar.add_task("", total=len(tasks))

        def on_step(step: Step) -> None:
            now = tasks[min(len(outcomes), len(tasks) - 1)].shape.operator
            bar.update(row, description=f"{now}: {step.what}, best {step.gain:.2f} times")

        search = Search(device, worker, limit, on_step, planner.options)
        try:
            for outcome in run_tasks(tasks, device, search, afresh):
                outcomes.append(outcome)
                bar.advance(row)
        except KeyboardInterrupt:
            done = f" after {len(outcomes)} of {len(tasks)}"
            raise interrupted(f"{done}: results are kept, the same command goes on") from None
    stdout().print(_table(outcomes))
    for line in search.rejected:
        errors.print(f"rejected: {line}", soft_wrap=True)
    return outcomes


def _table(outcomes: Sequence[Outcome]) -> Table:
    from clconv.tuning.search import candidate_text

    table = Table("layer", "usual", "best")
    for title in ("layers", "usual ms", "best ms", "gain"):
        table.add_column(title, justify="right")
    for outcome in outcomes:
        task, entry = outcome.task, outcome.entry
        usual = candidate_text(task.usual)
        if entry is None:
            cells = (str(task.shape), usual, "failed", str(task.count), "", "", "")
        else:
            best = (
                "as usual"
                if entry.is_default
                else candidate_text((entry.variant, entry.parameters))
            )
            cells = (
                str(task.shape), usual, best, str(task.count), f"{entry.default_seconds * 1e3:.3f}",
                f"{entry.seconds * 1e3:.3f}", f"{outcome.gain:.2f}" + " (kept)" * outcome.again,
            )  # fmt: skip
        table.add_row(*cells)
    return table


def _compare(
    graph: Graph, specs: Mapping[str, TensorSpec], planner: Planner, outcomes: list[Outcome]
) -> None:
    """Says what the whole network gains, and takes back what does not speed it up."""
    from clconv.tuning.runs import SLOWER, as_usual, compare_whole, keep

    entries = [o.entry for o in outcomes if o.entry is not None and not o.entry.is_default]
    if not entries:
        stdout().print("nothing is faster than what runs as usual")
        return
    usual, seconds = compare_whole(graph, specs, planner, entries)
    stdout().print(
        f"the network: {usual * 1e3:.3f} ms as usual, {seconds * 1e3:.3f} ms tuned, {usual / seconds:.3f} times as fast"
    )
    if seconds > SLOWER * usual:
        keep([as_usual(entry) for entry in entries])
        stdout().print("that is slower: these results are not used")
