"""Trials in a process of their own, which an instruction that is missing would end, and what they found out, remembered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from clconv.debug import say
from clconv.errors import ConfigError
from clconv.runtime.search_path import search_path
from clconv.store.files import Unusable
from clconv.store.kept import kept_path
from clconv.store.records import read_records, write_records

RIGHT = "right"  # the last line that such a process prints if nothing is wrong
_LIMIT = 120.0  # seconds of a trial


def found_apart(file: str, key: Mapping[str, Any], module: str, arguments: Sequence[str]) -> str:
    """Why what a module tries is of no use, "" if it is right: what was remembered in the file by the key, else what
    `python -m module arguments` says in its last line."""
    reason = _remembered(file, key)
    if reason is None:
        reason = _tried(module, arguments)
        _remember(file, key, reason)
    return reason


def _records(file: str) -> list[dict[str, Any]]:
    try:
        return read_records(kept_path(file), own=True)
    except (OSError, Unusable):
        return []


def _remembered(file: str, key: Mapping[str, Any]) -> str | None:
    for record in _records(file):
        if all(record.get(name) == value for name, value in key.items()):
            reason = record.get("reason")
            return reason if isinstance(reason, str) else None
    return None


def _remember(file: str, key: Mapping[str, Any], reason: str) -> None:
    others = [r for r in _records(file) if any(r.get(k) != v for k, v in key.items())]
    try:
        write_records(kept_path(file), [*others, {**key, "reason": reason}], own=True)
    except (OSError, ConfigError) as failed:
        say(1, f"what was found out about a device cannot be kept: {failed}")


def _tried(module: str, arguments: Sequence[str]) -> str:
    if not sys.executable:
        return "there is no interpreter to start a process with"
    command = [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search_path()))}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        return f"no process could try them ({type(failed).__name__})"
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return f"a process that tried them ended with {done.returncode}"
    return "" if lines[-1] == RIGHT else lines[-1]
