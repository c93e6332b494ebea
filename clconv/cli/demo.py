"""`clconv demo`: RapidOCR, on clconv in place of onnxruntime, reads a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clconv.cli.console import Device
from clconv.cli.files import check_writable
from clconv.cli.pictures.opening import on_white, open_picture
from clconv.cli.printing import Column, Json, Table, results
from clconv.cli.progress import steps
from clconv.cli.results import save_picture
from clconv.demo import PICTURE
from clconv.errors import ConfigError
from clconv.garbage import uncollected

if TYPE_CHECKING:
    from PIL import Image

    from clconv.cli.reading import Reading
    from clconv.device.info import DeviceInfo


def demo(
    image: Annotated[
        Path,
        typer.Option(
            "--image",
            "-i",
            help="The picture to read. Default: clconv's own.",
            show_default=False,
        ),
    ] = PICTURE,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to save the annotated picture.")
    ] = Path("clconv-demo.png"),
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Read the text in a picture with RapidOCR's three networks, and save it with what was read."""
    from clconv.runtime.device import choose_device

    if output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ConfigError(f"--output {output}: the name of a .png, .jpg or .webp file")
    check_writable(output, "--output")
    info = choose_device(device)
    opened = open_picture(image)
    picture = on_white(opened.image)[0].convert("RGB")
    with results(as_json) as out:
        out.line(f"device: {info}, driver {info.driver}", device=str(info), driver=info.driver)
        remarks = "".join(f", {remark}" for remark in opened.remarks)
        size = f"{picture.width}x{picture.height}"
        out.line(f"picture: {image} ({size}{remarks})", picture=str(image))
        reading = _read(picture, info)
        if not reading.lines:
            out.line("no text found", lines=[])
            return
        out.table("lines", _lines(reading))
        out.table("networks", _times(reading))
        from clconv.cli.annotate import annotated

        save_picture(annotated(picture, reading.lines), output)
        out.line(f"saved {output}", saved=str(output))
        seconds = sum(reading.seconds.values())
        out.line(
            f"RapidOCR's {len(reading.seconds)} networks read {len(reading.lines)} lines in {seconds * 1e3:.0f} ms on "
            f"{info}, with clconv in the place of onnxruntime: look at {output}, then try "
            "clconv demo --image photo.jpg, or a network of yours: clconv run model.onnx -i photo.jpg",
            seconds=seconds,
        )  # fmt: skip


def _read(picture: Image.Image, info: DeviceInfo) -> Reading:
    from clconv.cli.reading import ModelReader

    with (
        uncollected(),  # of 1,500 modules, and three plans
        steps("loading the networks") as shown,
        ModelReader(info, shown.compiling, picture.size) as reader,
    ):
        shown.say("reading for the first time, which compiles")
        reader.read(picture)
        shown.say("reading")
        return reader.read(picture)


def _lines(reading: Reading) -> Table:
    table = Table(
        Column("line", "", "number"),
        Column("text", kind="long"),
        Column("confidence", kind="number", shown=lambda share: f"{share:.1%}"),
        title="what it reads",
    )
    for number, line in enumerate(reading.lines, 1):
        table.add(number, line.text, line.confidence)
    return table


def _times(reading: Reading) -> Table:
    table = Table(
        Column("network"),
        Column("runs", kind="number"),
        Column("seconds", "milliseconds", "number", lambda seconds: f"{seconds * 1e3:.1f}"),
        title="time of each network",
    )
    for name, spent in reading.seconds.items():
        table.add(name, reading.calls[name], spent)
    return table
