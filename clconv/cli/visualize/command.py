"""`clconv visualize`: pictures of what is inside a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clconv.cli.console import Device, Model, Size, remark, stdout
from clconv.cli.numbers import parse_size
from clconv.errors import ConfigError

VIEWS = ("filters", "features", "patches", "occlusion", "saliency", "cam")


def visualize(
    model: Model,
    pictures: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures, or folders of them. Features, maps and saliency are of the first.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder for the pictures made.")
    ] = Path("visualized"),
    views: Annotated[
        str, typer.Option("--views", help=f"Which, with commas between: {', '.join(VIEWS)}.")
    ] = ",".join(VIEWS),
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            "-l",
            help="For features and patches; can be given several times. Default: an early, a middle and a late one.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        int | None,
        typer.Option("--class", min=0, help="Default: the likeliest one.", show_default=False),
    ] = None,
    maximize: Annotated[
        list[str] | None,
        typer.Option(
            "--maximize",
            help="LAYER:CHANNEL: the input that maximises it; can be given several times.",
            show_default=False,
        ),
    ] = None,
    size: Size = None,
    device: Device = None,
) -> None:
    """Show filters, feature maps, the patches channels answer to, and what an answer depends on."""
    wanted = _views(views)
    neurons = [_neuron(text) for text in maximize or []]
    open_size = parse_size(size)
    _check_folder(output)
    from clconv.cli.visualize.figures import check_matplotlib

    check_matplotlib()
    from clconv.cli.visualize.pictures import listed, read_all
    from clconv.cli.visualize.views import Inside
    from clconv.runtime.device import choose_device

    paths = listed(pictures)
    chosen = choose_device(device)
    feeds = read_all(model, paths, open_size)
    inside = Inside(feeds, output, chosen, layers, target, neurons)
    inside.check(wanted)
    _make_folder(output)
    remark(f"device: {chosen}")
    for path in inside.make(wanted):
        stdout().print(f"saved {path}", soft_wrap=True)


def _views(text: str) -> list[str]:
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in wanted if part not in VIEWS]
    if unknown or not wanted:
        raise ConfigError(f"--views {[*unknown, text][0]}: there are {', '.join(VIEWS)}")
    return wanted


def _neuron(text: str) -> tuple[str, int]:
    layer, _, channel = text.rpartition(":")
    if not layer or not (channel.isascii() and channel.isdigit()) or len(channel) > 9:
        raise ConfigError(f"--maximize {text}: say LAYER:CHANNEL, such as conv1:7")
    return layer, int(channel)


def _check_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise ConfigError(f"--output {path}: is there and no folder")
    if not path.parent.is_dir():
        raise ConfigError(f"--output {path}: there is no folder {path.parent}")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as reason:
        raise ConfigError(f"--output {path}: cannot be made: {reason.strerror}") from None
