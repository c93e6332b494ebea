"""`clconv demo`: RapidOCR, on clconv in place of onnxruntime, reads a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from clconv.cli.console import Device, stdout
from clconv.cli.files import check_writable
from clconv.cli.pictures import on_white, open_picture
from clconv.cli.progress import steps
from clconv.cli.results import save_picture
from clconv.demo import PICTURE
from clconv.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

    from clconv.cli.reading import Reading
    from clconv.device.info import DeviceInfo


def demo(
    image: Annotated[
        Path, typer.Option("--image", "-i", help="The picture to read. Default: clconv's own.")
    ] = PICTURE,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to save the annotated picture.")
    ] = Path("clconv-demo.png"),
    device: Device = None,
) -> None:
    """Read the text in a picture with RapidOCR's three networks, and save it with what was read."""
    from clconv.runtime.device import choose_device

    if output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ConfigError(f"--output {output}: the name of a .png, .jpg or .webp file")
    check_writable(output, "--output")
    info = choose_device(device)
    opened = open_picture(image)
    picture = on_white(opened.image)[0].convert("RGB")
    stdout().print(f"device: {info}, driver {info.driver}")
    remarks = "".join(f", {remark}" for remark in opened.remarks)
    stdout().print(f"picture: {image} ({picture.width}x{picture.height}{remarks})")
    reading = _read(picture, info)
    if not reading.lines:
        stdout().print("no text found")
        return
    table = Table("", "text", title="what it reads", title_justify="left")
    table.add_column("confidence", justify="right")
    for number, line in enumerate(reading.lines, 1):
        table.add_row(str(number), line.text, f"{line.confidence:.1%}")
    stdout().print(table)
    stdout().print(_times(reading.seconds, reading.calls))
    from clconv.cli.annotate import annotated

    save_picture(annotated(picture, reading.lines), output)
    stdout().print(f"saved {output}")


def _read(picture: Image.Image, info: DeviceInfo) -> Reading:
    from clconv.cli.reading import ModelReader

    with steps("loading the networks") as shown:
        reader = ModelReader(info, shown.compiling)
        shown.say("reading for the first time")
        reader.read(picture)
        shown.say("reading")
        return reader.read(picture)


def _times(seconds: dict[str, float], calls: dict[str, int]) -> Table:
    table = Table("network", title="time of each network", title_justify="left")
    table.add_column("runs", justify="right")
    table.add_column("milliseconds", justify="right")
    for name, spent in seconds.items():
        table.add_row(name, str(calls[name]), f"{spent * 1e3:.1f}")
    return table
