"""What a run over many pictures has done so far, beside its result, so that an interrupted run goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from clconv.errors import ConfigError
from clconv.store.files import write

_ABOUT, _STEPS = "run.json", "steps.jsonl"


class Journal:
    """The folder RESULT.part: files that grow, and a line for each step with how long they were then.

    What was written after the last whole step is cut off, so a run that was killed at any moment goes on where a step
    ended. about: what must be the same for that. done: how many pictures earlier runs have dealt with.

    Raises ConfigError if the folder holds a run about something else.
    """

    def __init__(self, result: Path, about: Mapping[str, Any]) -> None:
        self.folder = result.with_name(f"{result.name}.part")
        self._files: dict[str, IO[bytes]] = {}
        self.done = 0
        self._sizes: dict[str, int] = {}
        self._about = json.loads(json.dumps(about))
        known = self._known()
        if known is None:
            return
        changed = [key for key in self._about if known.get(key) != self._about[key]]
        if changed:
            raise ConfigError(
                f"{self.folder}: holds an interrupted run that differs in {', '.join(changed)}; repeat that one, or delete "
                "the folder to start anew"
            )
        self._cut_off()

    def _known(self) -> dict[str, Any] | None:
        """What the interrupted run was about, None if there is none."""
        if not self.folder.exists() and not self.folder.is_symlink():
            return None
        try:
            content = json.loads((self.folder / _ABOUT).read_bytes())
        except FileNotFoundError:
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                return None
            content = None
        except (OSError, ValueError):
            content = None
        if not isinstance(content, dict):
            raise ConfigError(f"{self.folder}: is in the way and no run of clconv; move it away")
        return content

    def _cut_off(self) -> None:
        """Back to the end of the last whole step."""
        sizes: dict[str, int] = {}
        steps = self.folder / _STEPS
        whole = 0
        if steps.exists():
            with steps.open("rb") as lines:
                for line in lines:
                    step = _step(line)
                    if step is None or not self._holds(step[1]):
                        break
                    (self.done, sizes), whole = step, whole + len(line)
            os.truncate(steps, whole)
        for path in self.folder.iterdir():
            if path.name not in (_ABOUT, _STEPS):
                os.truncate(path, sizes.get(path.name, 0))

    def _holds(self, sizes: Mapping[str, int]) -> bool:
        paths = {name: self.folder / name for name in sizes}
        return all(p.exists() and p.stat().st_size >= sizes[n] for n, p in paths.items())

    def begin(self) -> None:
        """Makes the folder, if it is not there."""
        self.folder.mkdir(exist_ok=True)
        about = self.folder / _ABOUT
        if not about.exists():
            write(about, json.dumps(self._about, indent=1))

    def path(self, name: str) -> Path:
        return self.folder / name

    def size(self, name: str) -> int:
        """Bytes in a file so far, 0 if there is none."""
        if name in self._files:
            return self._files[name].tell()
        path = self.path(name)
        return path.stat().st_size if path.exists() else 0

    def append(self, name: str, content: bytes | memoryview) -> None:
        if name not in self._files:
            self._files[name] = self.path(name).open("ab")
        self._files[name].write(content)

    def step(self, done: int) -> None:
        """All that was appended belongs to the first `done` pictures, and stays."""
        for name, file in self._files.items():
            if name != _STEPS:
                file.flush()
        sizes = {name: file.tell() for name, file in self._files.items() if name != _STEPS}
        self._sizes = {**(self._sizes or self._found_sizes()), **sizes}
        self.append(_STEPS, json.dumps({"done": done, "sizes": self._sizes}).encode() + b"\n")
        self._files[_STEPS].flush()
        self.done = done

    def _found_sizes(self) -> dict[str, int]:
        kept = (_ABOUT, _STEPS)
        return {p.name: p.stat().st_size for p in self.folder.iterdir() if p.name not in kept}

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def remove(self) -> None:
        """Once the result is whole."""
        self.close()
        shutil.rmtree(self.folder)


def _step(line: bytes) -> tuple[int, dict[str, int]] | None:
    """(pictures done, sizes of files); None for a line that is cut off."""
    if not line.endswith(b"\n"):
        return None
    try:
        content = json.loads(line)
        return int(content["done"]), {str(n): int(s) for n, s in content["sizes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
