"""Runs a program that imports onnxruntime on clconv instead, as `python -m cProfile` runs one under the profiler.

    python -m clconv.compat.onnxruntime script.py ARGUMENT...
    python -m clconv.compat.onnxruntime -m MODULE ARGUMENT...

MODULE is what `python -m MODULE` runs, or a command that an installed package brings (its entry in
`console_scripts`): many packages have the second without the first.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import clconv.compat.onnxruntime

USAGE = """\
usage: python -m clconv.compat.onnxruntime SCRIPT [ARGUMENT...]
       python -m clconv.compat.onnxruntime -m MODULE [ARGUMENT...]

Runs a Python script, a module, or the command of an installed package, with clconv in the place of
onnxruntime. CLCONV_DEVICE chooses the device."""


def main(words: list[str]) -> int | str | None:
    """What sys.exit() takes: the program's own answer, or what is wrong with `words`."""
    if words[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    if not words or words == ["-m"]:
        print(USAGE, file=sys.stderr)
        return 2
    if words[0] == "-m":
        return _run_module(words[1], words[2:])
    if words[0].startswith("-"):
        return _wrong(f"there is no option {words[0]}: give a script, or -m MODULE; see --help")
    return _run_script(words[0], words[1:])


def _run_script(script: str, arguments: list[str]) -> int:
    if not Path(script).exists():
        return _wrong(f"there is no file {script}; an installed package is run with -m NAME")
    _stand_in([script, *arguments])
    sys.path[0] = str(Path(script).resolve().parent)  # it was the current folder, for `python -m`
    runpy.run_path(script, run_name="__main__")
    return 0


def _run_module(name: str, arguments: list[str]) -> Any:
    _stand_in([name, *arguments])  # before looking: to find a.b imports a
    if _is_module(name):
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return 0
    command = next(iter(entry_points(group="console_scripts", name=name)), None)
    if command is None:
        return _wrong(f"there is no module {name} that can be run, nor a package's Python command")
    run: Callable[[], Any] = command.load()
    sys.modules[
        "__main__"
    ].__package__ = None  # else click calls the program "clconv.compat.onnxruntime.NAME"
    return run()


def _is_module(name: str) -> bool:
    """Whether `python -m NAME` would run something: a package does with a __main__ of its own."""
    if not all(name.split(".")):
        return False
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            return False
        raise  # something that the package needs is not installed
    return spec is not None


def _stand_in(words: list[str]) -> None:
    sys.modules["onnxruntime"] = clconv.compat.onnxruntime
    sys.argv = words


def _wrong(what: str) -> int:
    print(f"clconv.compat.onnxruntime: {what}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
