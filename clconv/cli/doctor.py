"""`clconv doctor`: is every kernel right on this machine's devices? And a report to paste into a bug report."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from clconv.cli.console import stderr, stdout
from clconv.cli.files import check_writable
from clconv.errors import ConfigError
from clconv.store.files import write

if TYPE_CHECKING:
    from clconv.device.info import DeviceInfo
    from clconv.diagnosis.doctor import Result
    from clconv.diagnosis.report import Checkup, Speed
    from clconv.runtime.worker import Worker


def doctor(
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            "-d",
            help="Part of a name, gpu, cpu, an index, or platform:device. Default: CLCONV_DEVICE, else every device.",
            show_default=False,
        ),
    ] = None,
    ops: Annotated[
        str | None,
        typer.Option(
            "--ops",
            help="Only these operators, separated by commas: Conv,Gemm. launches: whole networks in one launch.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A few cheap cases for each kernel.", show_default=False),
    ] = False,
    report: Annotated[
        Path, typer.Option(help="Where the report goes: a text with tables in Markdown.")
    ] = Path("clconv-doctor.md"),
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print failures only.", show_default=False)
    ] = False,
) -> None:
    """Compare every kernel on each device with the reference; exit code 1 if one is wrong.

    Wrong kernels are quarantined: as long as the driver stays the same, others run instead. Where many kernels are
    joined into one launch, whole networks are tested as well. Also measures the devices' speed and writes a report.
    """
    from clconv.diagnosis.report import report_text
    from clconv.planning.joining import JOINED

    operators = operators_of(ops, JOINED[0])
    check_writable(report, "--report")
    checkups = [_examine(info, operators, quick, quiet) for info in _chosen(device)]
    text = report_text(checkups, quick, operators)
    write(report, text.encode("utf-8", "backslashreplace"))
    stderr().print(f"report: {report}", soft_wrap=True)
    if any(row.why for checkup in checkups for row in checkup.rows()):
        raise typer.Exit(1)


def _chosen(device: str | None) -> Sequence[DeviceInfo]:
    from clconv import config
    from clconv.runtime.device import choose_device, devices

    if device is not None or config.DEVICE.get():
        return [choose_device(device)]
    usual = [info for info in devices() if "interprets" not in info.quirks]
    return usual or [choose_device()]


def operators_of(text: str | None, *more: str) -> tuple[str, ...]:
    """The operators, or `more` besides, that --ops names; ConfigError if one has no kernels."""
    from clconv.diagnosis.doctor import device_cases

    if text is None:
        return ()
    known = {op.lower(): op for op in (*device_cases(), *more)}
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    if not wanted:
        raise ConfigError(f"--ops {text!r}: names of operators with commas between, Conv,Gemm")
    unknown = [part for part in wanted if part.lower() not in known]
    if unknown:
        raise ConfigError(
            f"--ops: no kernels of {', '.join(unknown)}; there are {', '.join(sorted(known.values()))}"
        )
    return tuple(dict.fromkeys(known[part.lower()] for part in wanted))


def _examine(info: DeviceInfo, operators: tuple[str, ...], quick: bool, quiet: bool) -> Checkup:
    from clconv import config
    from clconv.device.findings import Findings
    from clconv.diagnosis.doctor import Examiner, device_cases, find_culprits, new_quarantine
    from clconv.diagnosis.joined import examine_joined
    from clconv.diagnosis.matrix_cases import examine_matrix
    from clconv.diagnosis.report import Checkup
    from clconv.planning.joining import JOINED
    from clconv.probes.shuffle_probe import with_verified_shuffles
    from clconv.runtime.quarantine import read_quarantine, write_quarantine
    from clconv.runtime.worker import Failed, Worker, WorkerError

    console = stdout()
    console.print(f"{info.index}: {info}, driver {info.driver}", soft_wrap=True)
    before = read_quarantine(info)
    always = [op for op, _ in before]
    cases = device_cases(operators, info if quick else None, always)
    errors = stderr()
    results: list[Result] = []
    with (
        Worker(quiet=not config.DEBUG.get()) as worker,
        Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress,
    ):
        with contextlib.suppress(WorkerError, Failed):  # without, local memory serves
            info = worker.call(with_verified_shuffles, None, info, limit=120.0)
        examiner = Examiner(info, worker)
        task = progress.add_task("", total=len(cases) + 2)
        for op, some in cases.items():
            progress.update(task, description=op)
            results.extend(examiner.operator(some))
            progress.advance(task)
        culprits = find_culprits(examiner, cases, results)
        progress.update(task, description="matrix instructions")
        right = Findings(frozenset(new_quarantine(before, culprits, results)))
        matrix = examine_matrix(info, worker, right, operators, quick, always)
        if matrix is not None:
            culprits.update(matrix.culprits)
            results.extend(matrix.results)
        progress.advance(task)
        if not operators or JOINED[0] in operators:
            progress.update(task, description="launches")
            right = Findings(frozenset(new_quarantine(before, culprits, results)))
            together = list(examine_joined(info, worker, right))
            culprits.update(find_culprits(examiner, {}, together))
            results.extend(together)
        progress.advance(task)
        progress.update(task, description="speed")
        speed, reason = _measured(worker, info)
    now = new_quarantine(before, culprits, results)
    if now != before:
        write_quarantine(info, now)
    tried = "" if matrix is None else str(matrix)
    checkup = Checkup(info, tuple(results), now, speed, reason, tried)
    if not quiet or culprits:
        console.print(_table(checkup, only_bad=quiet))
    for line in checkup.remarks(before):
        console.print(line, soft_wrap=True)
    return checkup


def _measured(worker: Worker, info: DeviceInfo) -> tuple[Speed | None, str]:
    """The device's speed, or why it could not be measured."""
    from clconv.diagnosis.report import measure
    from clconv.runtime.worker import Failed, WorkerError

    try:
        return worker.call(measure, info, limit=300.0), ""
    except (WorkerError, Failed) as failure:
        return None, str(failure)


def _table(checkup: Checkup, only_bad: bool) -> Table:
    table = Table("operator", "variant")
    table.add_column("cases", justify="right")
    table.add_column("largest error", justify="right")
    table.add_column("result", overflow="fold")
    for row in checkup.rows():
        bad: Any = row.why
        if bad or not only_bad:
            cells = (row.op, row.label, str(row.cases), f"{row.error:.1e}", row.verdict)
            table.add_row(*cells, style="bold red" if bad else None)
    return table
