"""What `clconv serve` is told, looked at before any model is loaded: names of models, limits, the token, the address."""

from __future__ import annotations

import importlib
import ipaddress
import math
import socket
from collections.abc import Sequence
from pathlib import Path

from clconv import config
from clconv.cli.files import check_readable
from clconv.errors import ConfigError

_MOST_BATCH = 2**12
_MOST_DELAY = 60_000
_MOST = 10**6
_NEEDS = ("fastapi", "uvicorn", "prometheus_client")


def named_models(given: Sequence[str]) -> dict[str, Path]:
    """Files by the name they are served under: NAME=FILE, or the file's own without .onnx. Raises ConfigError or OSError
    where a file cannot be read or two have one name."""
    found: dict[str, Path] = {}
    for text in given:
        name, _, path = text.rpartition("=")
        if not name or Path(text).exists():
            name, path = Path(text).stem, text
        check_readable(Path(path), "an ONNX file")
        if "/" in name:
            raise ConfigError(f"{text}: a model's name stands in addresses and has no slash")
        if name in found:
            raise ConfigError(
                f"{found[name]} and {path} are both called '{name}': name one of them, other={path}"
            )
        found[name] = Path(path)
    return found


def check_numbers(port: int, batch: int, delay: float, queue: int, megabytes: float) -> None:
    """Raises ConfigError for an option that means nothing."""
    if not 0 <= port < 2**16:
        raise ConfigError(f"--port {port}: ports are 1 to 65535, 0 takes a free one")
    if not 1 <= batch <= _MOST_BATCH:
        raise ConfigError(f"--max-batch {batch}: say a number from 1 to {_MOST_BATCH}")
    if not (math.isfinite(delay) and 0 <= delay <= _MOST_DELAY):
        raise ConfigError(f"--max-delay {delay:g}: say milliseconds from 0 to {_MOST_DELAY}")
    if not 1 <= queue <= _MOST:
        raise ConfigError(f"--max-queue {queue}: say a number from 1 to {_MOST}")
    if not (math.isfinite(megabytes) and 0 < megabytes <= _MOST):
        raise ConfigError(
            f"--max-request-size {megabytes:g}: say megabytes from above 0 to {_MOST}"
        )


def check_grace(grace: float) -> None:
    """Raises ConfigError for what is no time."""
    if not (math.isfinite(grace) and 0 <= grace <= _MOST):
        raise ConfigError(f"--grace {grace:g}: say seconds from 0 to {_MOST}")


def chosen_token(given: str | None) -> str | None:
    """The token that clients must send, None for none. Raises ConfigError for one that no header can hold."""
    token = config.SERVE_TOKEN.get() if given is None else given
    if given is None and not token:
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        of = "--token" if given is not None else config.SERVE_TOKEN.name
        raise ConfigError(
            f"{of}: a token is one word of ASCII characters, such as openssl rand -hex 16 gives"
        )
    return token


def check_packages() -> None:
    """Raises ConfigError where something of the extra `serve` is not installed."""
    for name in _NEEDS:
        try:
            importlib.import_module(name)
        except ImportError as reason:
            raise ConfigError(
                f"clconv serve needs {name} ({reason}): pip install 'clconv[serve]'"
            ) from None


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket on that address, which does not listen yet. Raises ConfigError where it is taken or is none of this
    machine's."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise ConfigError(
            f"--host {host!r}: no such address; 127.0.0.1 is this machine alone"
        ) from None
    family, kind, protocol, _, address = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR shares the port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as reason:
        made.close()
        raise ConfigError(
            f"{host}:{port}: {reason.strerror or reason}; choose another --port (0: a free one) or --host"
        ) from None
    return made


def is_local(bound: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


def address_of(bound: socket.socket) -> str:
    """As in http://127.0.0.1:8000."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
