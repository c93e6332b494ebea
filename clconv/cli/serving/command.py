"""`clconv serve`: models behind the Open Inference Protocol."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clconv import config
from clconv.cli.console import Device, Precision, fail, remark
from clconv.cli.progress import steps
from clconv.cli.serving.options import (
    address_of,
    bound_socket,
    check_grace,
    check_numbers,
    check_packages,
    chosen_token,
    is_local,
    named_models,
)
from clconv.debug import printable_lines

if TYPE_CHECKING:
    from clconv.device.info import DeviceInfo
    from clconv.serving.model import Model
    from clconv.serving.service import Service

_Models = Annotated[
    list[str],
    typer.Argument(
        help="ONNX files; each is served under its name without .onnx, or as NAME=FILE says.",
        metavar="MODEL",
        show_default=False,
    ),
]


def serve(
    models: _Models,
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    max_batch: Annotated[
        int,
        typer.Option(
            help="Rows that run at once where the model leaves that open. 1: no batching."
        ),
    ] = 16,
    max_delay: Annotated[
        float,
        typer.Option(help="Milliseconds that a request waits at most for others to run with."),
    ] = 1.0,
    max_queue: Annotated[
        int, typer.Option(help="Requests that are read, wait or run; more get 503.")
    ] = 256,
    max_request_size: Annotated[
        float, typer.Option(help="Megabytes of one request; a larger one gets 413.")
    ] = 64.0,
    token: Annotated[
        str | None,
        typer.Option(
            help="Clients must send it: Authorization: Bearer TOKEN. Default: CLCONV_SERVE_TOKEN, which other users "
            "of this machine do not see.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        float, typer.Option(help="Seconds that requests at work have to end after SIGTERM.")
    ] = 25.0,
    device: Device = None,
    precision: Precision = None,
) -> None:
    """Serve models over HTTP: the Open Inference Protocol (KServe v2), with dynamic batching, health and metrics.

    Stops at SIGTERM or Ctrl-C: requests at work get their answers, new ones 503. See docs/serving.md.
    """
    check_numbers(port, max_batch, max_delay, max_queue, max_request_size)
    check_grace(grace)
    secret = chosen_token(token)
    files = named_models(models)
    config.chosen_precision(precision)
    check_packages()
    from clconv.runtime.device import choose_devices
    from clconv.serving.admission import Limits
    from clconv.serving.service import Service

    with bound_socket(host, port) as listening:
        devices = choose_devices(device)
        if not is_local(listening) and secret is None:
            remark(
                f"clconv: warning: everybody who reaches {address_of(listening)} may use it; set CLCONV_SERVE_TOKEN, or "
                "listen on 127.0.0.1"
            )
        loaded = _loaded(files, devices, precision, max_batch)
        limits = Limits(max_queue, round(max_request_size * 2**20))
        _serve(Service(loaded, limits, max_delay / 1000, secret), listening, grace)


def _loaded(
    files: Mapping[str, Path], devices: Sequence[DeviceInfo], precision: str | None, max_batch: int
) -> list[Model]:
    from clconv.api import load
    from clconv.serving.model import Model

    found = []
    with steps("loading the models") as shown:
        for name, path in files.items():
            shown.say(f"loading {name}")
            sessions = [
                load(path, device, precision=precision, progress=shown.compiling)
                for device in devices
            ]
            model = Model(name, sessions, max_batch)
            model.warm()
            found.append(model)
    return found


def _serve(service: Service, listening: socket.socket, grace: float) -> None:
    from clconv.serving.server import Server

    _log_to_stderr()
    for one in service.served.values():
        where = ", ".join(str(session.device) for session in one.model.sessions)
        remark(f"{one.model.name} on {where}: {one.model.described()}")
    listening.listen()  # who reads the next line may connect
    remark(f"serving on {address_of(listening)}; SIGTERM or Ctrl-C stops")
    server = Server(service, listening, grace)
    server.run()
    if server.unanswered:
        raise fail(f"{server.unanswered} requests had no time to end; give them more with --grace")
    remark("stopped; all requests are answered")


class _OneLine(logging.Formatter):
    """What clients sent may stand in a message: without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
