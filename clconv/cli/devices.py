"""`clconv devices`: what there is to run on."""

from __future__ import annotations

from typing import Any

import typer
from rich.text import Text

from clconv.cli.console import Device, indented, stdout
from clconv.cli.printing import Json
from clconv.cli.printing.results import as_json_lines
from clconv.debug import printable
from clconv.device.info import DeviceInfo
from clconv.device.quirks import QUIRKS
from clconv.errors import DeviceError


def devices(
    as_json: Json = False,
    device: Device = None,
) -> None:
    """List the OpenCL devices, what is known of each, and which is the default."""
    from clconv.runtime.device import choose_device
    from clconv.runtime.device import devices as find_devices

    found = find_devices()
    failure = None
    try:
        chosen = choose_device(device)
    except DeviceError as reason:
        chosen, failure = None, reason
    if as_json:
        typer.echo(as_json_lines([_record(d, d == chosen) for d in found]))
    else:
        for info in found:
            _print(info, info == chosen)
    if failure is not None:
        raise failure


def _record(info: DeviceInfo, chosen: bool) -> dict[str, Any]:
    """Sizes in bytes."""
    from clconv.runtime.quarantine import read_quarantine

    quarantined = read_quarantine(info)
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
        "quirk_meanings": _meanings(info),
        "quarantined": {f"{op}:{variant}": why for (op, variant), why in quarantined.items()},
    }


def _print(info: DeviceInfo, chosen: bool) -> None:
    """A block of lines: what it is, then what is known of its misbehaviour."""
    from clconv.runtime.quarantine import read_quarantine

    half = "float16" if info.half else "no float16"
    console = stdout()
    heading = f"{info.index}: {info.name}{', the default' if chosen else ''}"
    console.print(Text(printable(heading), "bold"), soft_wrap=True)
    lines = [
        f"{info.kind}, {info.compute_units} compute units, vectors of {info.vector_width} float32, {half}",
        f"memory {info.global_memory / 2**30:.1f} GiB, at once {info.largest_allocation / 2**30:.1f} GiB, "
        f"local {info.local_memory / 2**10:.0f} KiB",
        f"{info.platform}, driver {info.driver}, vendor {info.vendor}",
    ]
    for line in lines:
        indented(line, 1)
    if info.quirks:
        indented("quirks:", 1)
    for name, meaning in _meanings(info).items():
        indented(f"{name}: {meaning}", 2)
    quarantined = read_quarantine(info)
    if quarantined:
        indented("quarantined by clconv doctor, others run instead:", 1)
    for (op, variant), why in quarantined.items():
        indented(f"{op}:{variant}: {why}", 2)


def _meanings(info: DeviceInfo) -> dict[str, str]:
    symptoms = {quirk.name: quirk.symptom for quirk in QUIRKS}
    return {name: symptoms.get(name, "") for name in sorted(info.quirks)}
