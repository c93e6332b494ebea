"""Which pictures there are and what each shows: a folder of folders, or a table."""

from __future__ import annotations

import csv
import dataclasses
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clconv.cli.files import check_readable
from clconv.cli.pictures.listing import check_pictures, pictures_in
from clconv.errors import InputError

_MOST_BYTES = 2**28  # of a table
_SHOWN = 5  # of what is wrong


@dataclasses.dataclass(frozen=True)
class Listing:
    """Pictures and their classes. labels: names of the classes, by number."""

    files: tuple[Path, ...]
    classes: tuple[int, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def take(self, which: Sequence[int]) -> Listing:
        files, classes = (tuple(whole[i] for i in which) for whole in (self.files, self.classes))
        return Listing(files, classes, self.labels)  # type: ignore[arg-type]

    def described(self, root: Path) -> str:
        """How many, and a number that changes if any comes, goes or gets another class."""
        seen = zlib.crc32(repr((self.labels, self.classes)).encode())
        for file in self.files:
            seen = zlib.crc32(os.path.relpath(file, root).encode("utf-8", "surrogateescape"), seen)
        return f"{len(self)} ({seen:08x})"


def list_pictures(path: Path) -> Listing:
    """The pictures of a folder that has a folder for each class, or of a CSV file of lines "file,label" (files as seen
    from where it lies; a first line that says so is a heading). Classes are sorted by name.

    Raises InputError if there are no pictures, only one class, a class without pictures, or pictures that cannot be read as
    far as their heads tell; OSError if nothing is there.
    """
    pairs = _of_folder(path) if path.is_dir() else _of_table(path)
    labels = tuple(sorted({label for _, label in pairs}))
    if len(labels) < 2:
        what = "all of its pictures are of one class" if pairs else "has no pictures"
        cure = (
            "put those of each class into a folder of its own: photos/cat/1.jpg, photos/dog/1.jpg"
            if path.is_dir()
            else "write a line of file,label for each picture"
        )
        raise InputError(f"{path}: {what}; {cure}")
    check_pictures([file for file, _ in pairs])
    number = {label: i for i, label in enumerate(labels)}
    return Listing(
        tuple(file for file, _ in pairs), tuple(number[label] for _, label in pairs), labels
    )


def _of_folder(path: Path) -> list[tuple[Path, str]]:
    folders = [f for f in sorted(path.iterdir()) if f.is_dir() and not f.name.startswith(".")]
    found = {
        folder: [f for f in sorted(map(Path, pictures_in(str(folder)))) if f.is_file()]
        for folder in folders
    }
    empty = [folder.name for folder, files in found.items() if not files]
    if empty and any(found.values()):
        raise InputError(
            f"{path}: no pictures in {', '.join(empty[:_SHOWN])}{', ...' if len(empty) > _SHOWN else ''}: every folder there "
            "is a class; remove it, or put pictures into it whose endings say what they are (.jpg, .png, ...)"
        )
    return [(file, folder.name) for folder, files in found.items() for file in files]


def _of_table(path: Path) -> list[tuple[Path, str]]:
    check_readable(path, "a table of pictures", _MOST_BYTES)
    try:
        with path.open(newline="", encoding="utf-8-sig") as table:
            lines = csv.reader(table)
            rows = [(lines.line_num, row) for row in lines if row]
    except (UnicodeDecodeError, csv.Error) as reason:
        raise InputError(f"{path}: is no folder and no table of pictures: {reason}") from None
    found = []
    for i, (number, row) in enumerate(rows):
        if len(row) != 2:
            count = f"{len(row)} column{'s' * (len(row) != 1)}"
            raise InputError(f"{path}: line {number} has {count}; write file,label")
        file = path.parent / row[0].strip()
        if (
            i == 0
            and not file.exists()
            and row[0].strip().lower() in ("file", "path", "image", "filename")
        ):
            continue
        if not file.is_file():
            raise InputError(f"{path}: line {number}: there is no file {file}")
        found.append((file, row[1].strip()))
    return found


def split(listing: Listing, part: float, seed: int) -> tuple[Listing, Listing]:
    """Training and validation: of each class the same part, at least one picture where it has two."""
    rng = np.random.default_rng(seed)
    training, held = list[int](), list[int]()
    for number in range(len(listing.labels)):
        own = rng.permutation([i for i, c in enumerate(listing.classes) if c == number]).tolist()
        count = min(max(round(part * len(own)), 1), len(own) - 1) if part > 0 else 0
        held += own[:count]
        training += own[count:]
    return listing.take(sorted(training)), listing.take(sorted(held))
