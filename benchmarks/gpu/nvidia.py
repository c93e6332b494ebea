"""Finds NVIDIA's OpenCL library where nothing registers it, and has the ICD loader in pyopencl's wheel load it.

That loader, ocl-icd, takes an .icd file, a library or a folder in OCL_ICD_VENDORS; a file is all that it then loads.
Before pyopencl is imported. Nothing but the standard library is used here.
"""

from __future__ import annotations

import glob
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

NAME = "libnvidia-opencl.so"
FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib",
    "/usr/lib/wsl/lib", "/usr/local/cuda/compat",
)  # fmt: skip
TREES = (
    "/usr/local/nvidia",
    "/usr/local",
    "/usr/lib",
    "/opt",
    "/run",
)  # searched whole, if need be


def _paths(text: str) -> list[str]:
    return [part for part in text.split(":") if part]


def library(
    folders: Iterable[str] = FOLDERS, trees: Iterable[str] = TREES, cached: str | None = None
) -> Path | None:
    """The library's file: in LD_LIBRARY_PATH, where the system's loader looks, in `folders`, then anywhere in `trees`.

    cached: what `ldconfig -p` says, for tests.
    """
    known = _known_to_loader() if cached is None else cached
    listed = [line.rsplit("=> ", 1)[-1].strip() for line in known.splitlines() if NAME in line]
    for path in (
        *_in_folders(_paths(os.environ.get("LD_LIBRARY_PATH", ""))),
        *listed,
        *_in_folders(folders),
    ):
        if os.path.exists(path):
            return Path(path)
    for tree in trees:
        for folder, _, files in os.walk(tree):
            for file in sorted(files):
                if file.startswith(NAME):
                    return Path(folder, file)
    return None


def _in_folders(folders: Iterable[str]) -> list[str]:
    return [path for folder in folders for path in sorted(glob.glob(f"{folder}/{NAME}*"))]


def _known_to_loader() -> str:
    try:
        done = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout


def register(found: Path) -> Path:
    """Writes an .icd file that names the library, and points OCL_ICD_VENDORS at it. What that is set to already stays."""
    icd = Path(tempfile.mkdtemp(prefix="clconv-icd-")) / "nvidia.icd"
    icd.write_text(f"{found}\n")
    os.environ.setdefault("OCL_ICD_VENDORS", str(icd))
    return icd


def reach_neighbours(found: Path, cached: str | None = None) -> None:
    """Starts this program again with the library's folder in LD_LIBRARY_PATH, if the system's loader does not know it: the
    library loads the compiler beside it by name."""
    known = _known_to_loader() if cached is None else cached
    folder = str(found.parent)
    paths = _paths(os.environ.get("LD_LIBRARY_PATH", ""))
    if folder in paths or f"=> {folder}/" in known:
        return
    os.environ["LD_LIBRARY_PATH"] = ":".join([*paths, folder])
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def find(device: str) -> Path | None:
    """Lets pyopencl's loader find the library for a device that was asked for, where nothing names one yet: where it lies."""
    found = None if device == "cpu" or "OCL_ICD_VENDORS" in os.environ else library()
    if found is not None:
        reach_neighbours(found)
        register(found)
    return found


def what_there_is() -> str:
    """For a person who has to find out why there is no device: the driver's libraries, and what they need."""
    lines = [
        line for line in _known_to_loader().splitlines() if "nvidia" in line or "libcuda" in line
    ]
    lines += [
        path for tree in TREES[:1] for path in sorted(glob.glob(f"{tree}/**/*.so*", recursive=True))
    ]
    lines += sorted(glob.glob("/etc/OpenCL/vendors/*")) + sorted(glob.glob("/dev/nvidia*"))
    return "\n".join(lines[:60]) or "no NVIDIA library at all"
