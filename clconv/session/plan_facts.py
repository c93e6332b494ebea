"""All that a plan follows from, as plain data: where one of these differs, so may the plan."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from clconv import config
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.runtime.opencl import library_version
from clconv.runtime.stored.stored_plan import Data
from clconv.session.stored_network import device_facts
from clconv.store import trust
from clconv.store.contents import code_of_clconv, content_of
from clconv.store.kept import kept_path


def is_looked_into() -> bool:
    """Whether the variables ask for something that only planning can show."""
    return bool(config.CHECK.get() or config.DUMP.get() or config.DEBUG.get() > 1)


def options_facts(options: PlanOptions) -> Data:
    found = dataclasses.asdict(options)
    return {
        **found,
        "forced": dict(sorted(options.forced.items())),
        "trips": config.LOOP_LIMIT.get(),
    }


def facts_of(
    path: str, device: DeviceInfo, options: PlanOptions, outputs: Sequence[str] | None
) -> Data:
    """All that a plan follows from. Raises OSError."""
    import numpy as np

    return {
        "content": content_of(path),
        "code": code_of_clconv(),
        "device": device_facts(device),
        "options": options_facts(options),
        "outputs": None if outputs is None else list(outputs),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(("POCL_", "CL_", "PYOPENCL_")) and name != "POCL_CACHE_DIR"
        },
        "found out": {
            name: _state_of(kept_path(name)) for name in ("quarantine.json", "tuned.json")
        },
        "packages": {
            "python": list(sys.version_info[:3]),
            "numpy": np.__version__,
            "pyopencl": list(library_version()),
            "onnx": _age_of("onnx"),
            "mako": _age_of("mako"),
        },
    }


def _state_of(path: Path) -> str:
    """What is in one of clconv's own files, and whether it is believed."""
    try:
        believed = trust.objection(path, path.stat()) is None
        return f"{content_of(path)} {believed}"
    except FileNotFoundError:
        return ""


def _age_of(package: str) -> list[int]:
    """Changes with the version of a package, which is not imported."""
    try:
        found = importlib.util.find_spec(package)
    except ValueError:  # another has taken its place
        return []
    if found is None or found.origin is None:
        return []
    status = os.stat(found.origin)
    return [status.st_size, status.st_mtime_ns, status.st_ino]
