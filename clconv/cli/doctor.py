"""`clconv doctor`: is every kernel right on this machine's devices? And a report to paste into a bug report."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clconv.cli.console import remark
from clconv.cli.files import check_writable
from clconv.cli.printing import Column, Json, Results, Table, results
from clconv.cli.progress import Status, steps
from clconv.errors import ConfigError
from clconv.store.files import write

if TYPE_CHECKING:
    from clconv.cases import Case
    from clconv.device.info import DeviceInfo
    from clconv.diagnosis.doctor import Examiner, Result
    from clconv.diagnosis.report import Checkup, Speed
    from clconv.runtime.quarantine import Name
    from clconv.runtime.worker import Worker

# For operators; the rest of a minute is for what is begun by then, launches and the speed.
_QUICK_SECONDS = 40.0


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
        typer.Option(
            "--quick",
            help="A few cheap cases for each kernel, and no more than a minute.",
            show_default=False,
        ),
    ] = False,
    report: Annotated[
        Path, typer.Option(help="Where the report goes: a text with tables in Markdown.")
    ] = Path("clconv-doctor.md"),
    every: Annotated[
        bool,
        typer.Option("--all", help="Print every kernel, not failures only.", show_default=False),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No summary if all is right.", show_default=False)
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare every kernel on each device with the reference; exit code 1 if one is wrong.

    Wrong kernels are quarantined: as long as the driver stays the same, others run instead. Where many kernels are
    joined into one launch, whole networks are tested as well. Also measures the devices' speed and writes a report.
    """
    from clconv.diagnosis.report import report_text
    from clconv.planning.joining import JOINED
    from clconv.runtime.quarantine import read_quarantine

    if every and quiet:
        raise ConfigError("--all and --quiet: choose one")
    operators = operators_of(ops, JOINED[0])
    check_writable(report, "--report")
    found = _chosen(device)
    limit = _QUICK_SECONDS / len(found) if quick else None
    with results(as_json) as out:
        checkups, records = [], []
        for info in found:
            out.line(f"{info.index}: {info}, driver {info.driver}")
            before = read_quarantine(info)
            checkup = _examine(info, operators, limit, before)
            checkups.append(checkup)
            records.append(_record(checkup, before))
            _print(out, checkup, before, every, quiet)
        out.value("devices", records)
        text = report_text(checkups, quick, operators)
        write(report, text.encode("utf-8", "backslashreplace"))
        remark(f"report: {report}")
        out.value("report", str(report))
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


def _examine(
    info: DeviceInfo, operators: tuple[str, ...], limit: float | None, before: dict[Name, str]
) -> Checkup:
    """limit: seconds after which no further operator is begun; None examines all cases of all."""
    from clconv import config
    from clconv.device.findings import Findings
    from clconv.diagnosis.doctor import Examiner, find_culprits, new_quarantine
    from clconv.diagnosis.joined import examine_joined
    from clconv.diagnosis.matrix_cases import examine_matrix
    from clconv.diagnosis.report import Checkup
    from clconv.planning.joining import JOINED
    from clconv.probes.shuffle_probe import with_verified_shuffles
    from clconv.probes.wide_probe import verified_wide
    from clconv.runtime.quarantine import write_quarantine
    from clconv.runtime.worker import Failed, Worker, WorkerError

    always = [op for op, _ in before]
    found: list[Result] = []
    with Worker(quiet=not config.DEBUG.get()) as worker, steps("looking for kernels") as shown:
        with contextlib.suppress(WorkerError, Failed):  # without, local memory serves
            info = worker.call(with_verified_shuffles, None, info, limit=120.0)
        info = verified_wide(info)
        examiner = Examiner(info, worker) if limit is None else Examiner(info, worker, compile_seconds=limit)  # fmt: skip
        cases, left_out = _examine_operators(examiner, operators, limit, always, found, shown)
        culprits = find_culprits(examiner, cases, found)
        shown.say("matrix instructions")
        right = Findings(frozenset(new_quarantine(before, culprits, found)))
        matrix = examine_matrix(info, worker, right, operators, limit is not None, always)
        if matrix is not None:
            culprits.update(matrix.culprits)
            found.extend(matrix.results)
        wanted = JOINED[0] in operators or not operators
        if wanted and (not left_out or JOINED in before):
            shown.say("whole networks in one launch")
            right = Findings(frozenset(new_quarantine(before, culprits, found)))
            together = list(examine_joined(info, worker, right))
            culprits.update(find_culprits(examiner, {}, together))
            found.extend(together)
        elif wanted:
            left_out += JOINED[:1]
        shown.say("speed")
        speed, reason = _measured(worker, info)
    now = new_quarantine(before, culprits, found)
    if now != before:
        write_quarantine(info, now)
    tried = "" if matrix is None else str(matrix)
    return Checkup(info, tuple(found), now, speed, reason, tried, left_out)


def _examine_operators(
    examiner: Examiner,
    operators: tuple[str, ...],
    limit: float | None,
    always: Sequence[str],
    found: list[Result],
    shown: Status,
) -> tuple[dict[str, list[Case]], tuple[str, ...]]:
    """Adds results to `found`; returns the cases, and the operators for which there was no time."""
    from clconv.diagnosis.doctor import device_cases
    from clconv.diagnosis.pace import Pace, usual_first
    from clconv.lowering.variants import VARIANTS

    quick_for = None if limit is None else examiner.device
    cases = device_cases(operators, quick_for, always)
    order = usual_first(list(cases), always) if limit is not None else list(cases)
    parts = {op: len(some) * len(VARIANTS.get(op, ())) for op, some in cases.items()}
    pace = Pace(sum(parts.values()), limit)
    for number, op in enumerate(order):
        if pace.is_over and op not in always:
            return cases, tuple(order[number:])
        left = pace.left
        shown.count(f"{op}{f', {left}' if left else ''}", number, len(order))
        for result in examiner.operator(cases[op]):
            found.append(result)
            if pace.is_over and op not in always:
                return cases, tuple(order[number:])
        pace.did(parts[op])
    return cases, ()


def _measured(worker: Worker, info: DeviceInfo) -> tuple[Speed | None, str]:
    """The device's speed, or why it could not be measured."""
    from clconv.diagnosis.report import measure
    from clconv.runtime.worker import Failed, WorkerError

    try:
        return worker.call(measure, info, limit=300.0), ""
    except (WorkerError, Failed) as failure:
        return None, str(failure)


def _print(
    out: Results, checkup: Checkup, before: dict[Name, str], every: bool, quiet: bool
) -> None:
    rows = [row for row in checkup.rows() if every or row.why]
    table = Table(
        Column("operator"),
        Column("variant"),
        Column("cases", kind="number"),
        Column("error", "largest error", "number", lambda error: f"{error:.1e}"),
        Column("result", kind="long"),
    )
    for row in rows:
        style = "bold red" if row.why else None
        table.add(row.op, row.label, row.cases, row.error, row.verdict, style=style)
    if not out.as_json:
        out.table("variants", table)
    for line in checkup.remarks(before) if rows or not quiet else ():
        out.line(line)


def _record(checkup: Checkup, before: dict[Name, str]) -> dict[str, Any]:
    """For --json. Seconds, operations and bytes a second."""
    info, speed = checkup.device, checkup.speed
    named = {f"{op}:{variant}": why for (op, variant), why in checkup.quarantined.items()}
    return {
        "index": info.index,
        "name": info.name,
        "platform": info.platform,
        "driver": info.driver,
        "variants": [
            {
                "operator": row.op, "variant": row.variant, "precision": row.precision, "cases": row.cases,
                "failed": row.failed, "error": row.error, "why": row.why,
            }
            for row in checkup.rows()
        ],
        "quarantined": named,
        "released": [f"{o}:{v}" for o, v in before if (o, v) not in checkup.quarantined],
        "not_examined": checkup.left_out,
        "speed": None if speed is None else dataclasses.asdict(speed),
        "matrix_instructions": checkup.matrix,
    }  # fmt: skip
