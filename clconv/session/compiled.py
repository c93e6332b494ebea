"""Compiled networks: one file with a model, its plans for some input shapes on one device, their packed weights, and machine
code. It is used as it is on the same device with the same driver and code of clconv; elsewhere the model inside is loaded.

Machine code runs with all that its user may do: a compiled network is to be trusted like a program.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from clconv import config
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ConfigError, ModelError
from clconv.graph.ir import Graph
from clconv.session.kept_plans import KeptPlans
from clconv.session.plan_facts import options_facts
from clconv.session.stored_network import (
    MODEL,
    StoredNetwork,
    device_facts,
    face_data,
    head_data,
    write_network,
)
from clconv.store import files
from clconv.store.contents import code_of_clconv
from clconv.store.files import Unusable
from clconv.store.kept import kept_path
from clconv.version import __version__

if TYPE_CHECKING:
    from clconv.session.session import Session

ENDING = ".clconv"
# What _facts() says, of which a file of another version may have more.
_FACTS = {"version": str, "code": str, "device": dict, "options": dict, "quarantined": list}


def is_compiled(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a model is the path of a compiled network, by its ending."""
    if not isinstance(source, str | os.PathLike):
        return False
    path = os.fspath(source)
    return isinstance(path, str) and path.lower().endswith(ENDING)


def open_compiled(path: str | os.PathLike[str]) -> StoredNetwork:
    """Raises ModelError, with what to do, for what is none, or is damaged."""
    try:
        network = StoredNetwork(Path(path))
        facts = network.facts
        is_whole = all(isinstance(facts.get(name), kind) for name, kind in _FACTS.items())
        if facts.get("kind") != "compiled" or MODEL not in network.blobs or not is_whole:
            raise Unusable("is no compiled network")
        return network
    except FileNotFoundError:
        raise ModelError(f"{os.fspath(path)}: no such file") from None
    except Unusable as reason:
        raise _error(Path(path), reason) from None


def _error(path: Path, reason: Unusable) -> ModelError:
    return ModelError(f"{path} {reason}; copy it again, or make it anew with `clconv compile`")


def model_inside(network: StoredNetwork) -> bytes:
    """The ONNX file. Raises ModelError if it is damaged."""
    try:
        return network.blobs.read(MODEL)
    except Unusable as reason:
        raise _error(network.blobs.path, reason) from None


class CompiledPlans(KeptPlans):
    """The plans of a compiled network, to which none are added."""

    def __init__(self, network: StoredNetwork, imported: Callable[[], Graph]) -> None:
        super().__init__(imported)
        self.network = network
        self._path = network.blobs.path

    def damaged(self, reason: Unusable) -> None:
        raise _error(self._path, reason)


def precision_of(network: StoredNetwork, precision: str | None) -> str:
    """The precision that is asked for, else that of the network."""
    if precision is None and not os.environ.get(config.PRECISION.name, "").strip():
        return config.chosen_precision(network.facts["options"].get("precision"))
    return config.chosen_precision(precision)


def why_not(network: StoredNetwork, device: DeviceInfo, options: PlanOptions) -> str:
    """Why plans and machine code of a file are not to be used here, in words; empty if they are."""
    facts, now = network.facts, _facts(device, options)
    if network.blobs.status.st_mode & stat.S_IWOTH:
        return "it can be written by everybody, who could put any machine code into it"
    if (facts["version"], facts["code"]) != (now["version"], now["code"]):
        here = "" if facts["version"] != now["version"] else ", whose code differs"
        return f"it was compiled by clconv {facts['version']}, this is {now['version']}{here}"
    for name, value in now["device"].items():
        other = facts["device"].get(name)
        if other != value:
            return f"it was compiled for another device, whose {name} is {other!r}, here {value!r}"
    for name, value in now["options"].items():
        if facts["options"].get(name) != value:
            return f"it was compiled with {name}={facts['options'].get(name)!r}, not {value!r}"
    new = [row for row in now["quarantined"] if row not in facts["quarantined"]]
    if new:
        return f"`clconv doctor` has since found {':'.join(new[0])} to be wrong on this device"
    return ""


def _facts(device: DeviceInfo, options: PlanOptions) -> dict[str, Any]:
    return {
        "kind": "compiled",
        "version": __version__,
        "code": code_of_clconv(),
        "device": device_facts(device),
        "options": options_facts(options),
        "quarantined": _quarantined(device),
    }


def _quarantined(device: DeviceInfo) -> list[list[str]]:
    if not kept_path("quarantine.json").exists():
        return []
    from clconv.runtime.quarantine import read_quarantine  # only now: it loads all kernels

    return sorted(map(list, read_quarantine(device)))


def write_compiled(
    session: Session,
    path: str | os.PathLike[str],
    shapes: Sequence[Mapping[str, Sequence[int]]],
    model: bytes,
    device: DeviceInfo,
) -> None:
    """Writes the plans of a session for these shapes. model: its ONNX file. device: as devices() lists it. Raises ConfigError
    for a network whose plans a file cannot hold, ModelError if the file cannot be written."""
    from clconv.runtime.stored.plan_data import NotStorable

    name = os.fspath(path)
    plans = [(session.specs_of(shape), session.prepare(shape)) for shape in shapes]
    facts = _facts(device, session.options)
    head = head_data(facts, face_data(session.graph), session.device)
    try:
        with files.replacing(Path(path)) as file:
            write_network(file, head, plans, model=model, binaries=True)
    except NotStorable as reason:
        raise ConfigError(
            f"{name}: '{session.graph.name}' cannot be compiled into a file: {reason}; load the model itself"
        ) from None
    except OSError as reason:
        raise ModelError(f"{name}: cannot be written: {reason.strerror or reason}") from None
