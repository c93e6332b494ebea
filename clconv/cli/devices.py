"""`clconv devices`: what there is to run on."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from clconv.cli.console import Device, stderr, stdout
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError


def devices(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.", show_default=False)
    ] = False,
    device: Device = None,
) -> None:
    """List the OpenCL devices and mark the default."""
    from clconv.runtime.device import choose_device
    from clconv.runtime.device import devices as find_devices
    from clconv.runtime.quarantine import read_quarantine

    found = find_devices()
    failure = None
    try:
        chosen = choose_device(device)
    except DeviceError as reason:
        chosen, failure = None, reason
    if as_json:
        typer.echo(json.dumps([_record(d, d == chosen) for d in found], indent=2))
    elif found:
        stdout().print(_table(found, chosen))
        for info in found:
            for quirk in sorted(info.quirks):
                stderr().print(f"{info.index}: quirk {quirk}", style="dim")
            for (op, variant), why in read_quarantine(info).items():
                line = f"{info.index}: quarantined {op}:{variant}: {why}"
                stderr().print(line, style="dim", soft_wrap=True)
    if failure is not None:
        raise failure


def _record(info: DeviceInfo, chosen: bool) -> dict[str, Any]:
    """Sizes in bytes."""
    return {
        "index": info.index,
        "chosen": chosen,
        "name": info.name,
        "vendor": info.vendor,
        "platform": info.platform,
        "driver": info.driver,
        "version": info.version,
        "type": info.kind,
        "compute_units": info.compute_units,
        "memory": info.global_memory,
        "largest_allocation": info.largest_allocation,
        "local_memory": info.local_memory,
        "vector_width": info.vector_width,
        "fp16": info.half,
        "quirks": sorted(info.quirks),
    }


def _table(found: tuple[DeviceInfo, ...], chosen: DeviceInfo | None) -> Table:
    table = Table(title="OpenCL devices (* would be chosen)", title_justify="left")
    for title in ("", "name", "vendor", "platform", "driver", "type"):
        table.add_column(title, overflow="fold")
    for title in ("units", "memory", "vector", "fp16", "local"):
        table.add_column(title, justify="right")
    for info in found:
        table.add_row(
            f"{info.index}{'*' if info == chosen else ''}",
            info.name,
            info.vendor,
            info.platform,
            info.driver,
            info.kind,
            str(info.compute_units),
            f"{info.global_memory / 2**30:.1f} GiB",
            str(info.vector_width),
            "yes" if info.half else "no",
            f"{info.local_memory / 2**10:.0f} KiB",
        )
    return table
