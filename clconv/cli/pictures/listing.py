"""Which pictures a folder, a pattern or a list of files names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from clconv.cli.pictures.opening import check_picture, pillow
from clconv.errors import ConfigError, InputError

_SHOWN = 5  # of what is wrong
# What is taken from folders and patterns; a file that is named itself may have any ending.
ENDINGS = frozenset(
    [
        ".avif",
        ".bmp",
        ".gif",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    ]
)


def is_many(text: str) -> bool:
    """Whether an argument stands for any number of files: a folder, or a pattern that is no file's name."""
    return os.path.isdir(text) or (glob.has_magic(text) and not os.path.lexists(text))


def pictures(given: Sequence[str]) -> list[str]:
    """The paths of all pictures in the order of the arguments, those of a folder (with its subfolders) or of a pattern
    sorted; each once.

    Raises InputError for a folder or a pattern without pictures, ConfigError for arrays, and FileNotFoundError for a
    file that is not there.
    """
    found: dict[str, None] = {}
    for text in given:
        if is_many(text):
            inside = sorted(pictures_in(text), key=_in_order)
            if not inside:
                what = "folder" if os.path.isdir(text) else "pattern"
                raise InputError(
                    f"{text}: no pictures in this {what} ({', '.join(sorted(ENDINGS))})"
                )
            found.update(dict.fromkeys(inside))
            continue
        if Path(text).suffix.lower() in (".npy", ".npz"):
            raise ConfigError(
                f"{text}: folders and tables are of pictures; run arrays one by one, or with session.run_batches()"
            )
        if "\0" in text:
            raise ConfigError(f"{text!r} is no path of a file")
        os.stat(text)
        found[text] = None
    return list(found)


def check_pictures(files: Sequence[Path]) -> None:
    """Before hours of work: InputError that lists what cannot be read, as far as the heads of the files tell; ConfigError
    without Pillow."""
    pillow()
    wrong = []
    for file in files:
        try:
            check_picture(file)
        except (InputError, ConfigError) as reason:
            wrong.append(str(reason))
    if wrong and len(files) > 1:
        more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
        raise InputError(
            "\n".join(
                [f"{len(wrong)} of {len(files)} pictures cannot be read:", *wrong[:_SHOWN], *more]
            )
        )
    if wrong:
        raise InputError(wrong[0])


def pictures_in(text: str) -> Iterator[str]:
    """Of a folder with its subfolders, but for hidden ones, or of a pattern, in any order. Raises OSError for a folder that
    cannot be read."""
    if not os.path.isdir(text):
        for path in glob.iglob(text, recursive=True):
            if _has_ending(os.path.basename(path)) and not os.path.isdir(path):
                yield path
        return
    for folder, folders, names in os.walk(text, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if _has_ending(name):
                yield os.path.join(folder, name)


def _refuse(reason: OSError) -> None:
    raise reason


def _has_ending(name: str) -> bool:
    """Whether a file in a folder is taken for a picture by its name."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS


def _in_order(path: str) -> list[str]:
    """By folder, then by name: "a/z" before "a-b/c"."""
    return path.split(os.sep)
