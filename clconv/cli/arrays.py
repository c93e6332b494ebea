""".npy and .npz files: what they hold is known and checked before it is read, and named safely when written."""

from __future__ import annotations

import contextlib
import math
import re
import types
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from clconv.cli.files import check_readable
from clconv.cli.shapes import fits
from clconv.debug import printable
from clconv.errors import ClconvError, InputError
from clconv.graph.ir import DType, TensorSpec
from clconv.session.hints import hint
from clconv.store.files import replacing

# Of all arrays that an .npz file unpacks to. A few megabytes can hold terabytes of zeros.
MOST_UNPACKED = 2**31
_MAPPED_FROM = 2**26  # bytes


def check_npy(path: Path, name: str, spec: TensorSpec) -> int:
    """How many bytes of values an .npy file holds. Raises InputError for what is none or does not fit the input."""
    check_readable(path, "an .npy file")
    with _one_line(path, ".npy"), path.open("rb") as file:
        shape, dtype = _header(file)
        _refuse_mismatch(path, name, spec, shape)
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes > path.stat().st_size - file.tell():
            raise ValueError("it is cut off")
        return nbytes


def read_npy(path: Path, name: str, spec: TensorSpec) -> np.ndarray:
    """The array for an input. Raises what check_npy() raises."""
    nbytes = check_npy(path, name, spec)
    # Mapped, because files may have holes: what is not used takes no memory.
    mode: Literal["r"] | None = "r" if nbytes > _MAPPED_FROM else None
    with _one_line(path, ".npy"):
        return np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))


def read_npz(path: Path, specs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by input name. Raises InputError for what is none, for other names, and for more than
    MOST_UNPACKED bytes."""
    check_readable(path, "an .npz file")
    with _one_line(path, ".npz"), zipfile.ZipFile(path) as archive:
        members = _members(path, archive, specs)
        for name, member in members.items():
            with archive.open(member) as file:
                shape, dtype = _header(file)
            _refuse_mismatch(path, name, specs[name], shape)
            if math.prod(shape) * dtype.itemsize > member.file_size:
                raise ValueError(f"'{name}' is cut off")
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
        return arrays


def _members(
    path: Path, archive: zipfile.ZipFile, specs: Mapping[str, TensorSpec]
) -> dict[str, zipfile.ZipInfo]:
    """By input name. Raises InputError for other names and too many bytes."""
    members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
    strangers = [name for name in members if name not in specs]
    if strangers:
        raise InputError(f"{path}: holds '{strangers[0]}'; the model takes {', '.join(specs)}")
    unpacked = sum(member.file_size for member in members.values())
    if unpacked > MOST_UNPACKED:
        raise InputError(
            f"{path}: unpacks to {unpacked:,} bytes, more than {MOST_UNPACKED:,}; save large arrays as .npy files"
        )
    return members


def write_npy(path: Path, array: np.ndarray) -> None:
    """Like np.save(), whole or not at all."""
    with replacing(path) as file:
        # Only write() is shown: into a file NumPy writes by itself, and a full disk is then "4 requested and 3 written".
        plain: Any = types.SimpleNamespace(write=file.write)
        np.lib.format.write_array(plain, array, allow_pickle=False)


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Like np.savez(), which takes no array of the name "file". Returns a line for each name that had to change: an
    archive with "../" in it could write outside of the folder that it is unpacked in."""
    changed = []
    taken: set[str] = set()
    with replacing(path) as target, zipfile.ZipFile(target, "w") as archive:
        for name, array in arrays.items():
            safe = safe_member(name, taken)
            taken.add(safe.lower())
            if safe != name:
                changed.append(f"output '{name}' is saved as '{safe}'")
            with archive.open(f"{safe}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return changed


def safe_member(name: str, taken: set[str]) -> str:
    """A relative path that stays below the folder it is unpacked in, on any system, and that no other one has."""
    plain = "".join(c if printable(c) == c else "_" for c in name).replace("\\", "/")
    plain = re.sub(r"^[A-Za-z]:", lambda drive: f"{drive[0][0]}_", plain)
    parts = ["__" if part == ".." else part for part in plain.split("/") if part not in ("", ".")]
    safe = "/".join(parts)[:200] or "output"
    found, number = safe, 2
    while found.lower() in taken:
        found, number = f"{safe}_{number}", number + 1
    return found


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type; the file then stands where the values begin. Raises ValueError and others."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version}")
    if dtype.hasobject:
        raise ValueError("it holds Python objects, not numbers")
    if dtype.name not in [known.value for known in DType]:
        raise ValueError(f"it holds values of type {dtype}, which no model takes")
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return shape, dtype


def _refuse_mismatch(path: Path, name: str, spec: TensorSpec, shape: tuple[int, ...]) -> None:
    if not fits(spec, shape):
        raise InputError(
            f"{path}: input '{name}' takes {spec}, got shape {shape}{hint(spec, shape)}"
        )


@contextlib.contextmanager
def _one_line(path: Path, kind: str) -> Iterator[None]:
    """Whatever a damaged file makes NumPy and zipfile raise, as an InputError."""
    try:
        yield
    except ClconvError:
        raise
    except MemoryError:
        raise InputError(f"{path}: needs more memory than there is") from None
    except Exception as reason:
        if isinstance(reason, OSError) and reason.errno is not None:
            raise
        lines = str(reason).splitlines() or [type(reason).__name__]
        raise InputError(f"{path}: is no readable {kind} file: {lines[0]}") from None
