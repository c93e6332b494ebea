"""How large a file, a function, a template and a folder may be: what is larger holds more than one idea.

pytest -s tests/test_sizes.py lists the largest of each kind.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("clconv", "kernels", "tests", "benchmarks", "docs")

MOST = {
    "lines of a file": 300,
    "lines of a template": 150,
    "lines of a function": 60,
    "parameters of a function": 7,
    "files in a folder": 25,
}
# What is larger nevertheless, and why no split of it would help a reader.
_COMMAND = "the options of a command, which typer reads from its signature"
_LAYER = "the settings of a public layer, named and ordered as users know them"
_SETTINGS = "the settings of a public function, all but the first ones by name"
EXCEPTIONS = {
    "parameters of a function: clconv/cli/check.py check": _COMMAND,
    "parameters of a function: clconv/cli/quantize.py quantize": _COMMAND,
    "parameters of a function: clconv/cli/run.py run": _COMMAND,
    "parameters of a function: clconv/cli/timing/bench.py bench": _COMMAND,
    "parameters of a function: clconv/cli/timing/profile.py profile": _COMMAND,
    "parameters of a function: clconv/cli/serving/command.py serve": _COMMAND,
    "parameters of a function: clconv/cli/show.py show": _COMMAND,
    "parameters of a function: clconv/cli/tuning/command.py tune": _COMMAND,
    "parameters of a function: clconv/cli/visualize/command.py visualize": _COMMAND,
    "parameters of a function: clconv/frontend/layers/convolution.py _Convolution.__init__": _LAYER,
    "parameters of a function: clconv/frontend/layers/convolution.py ConvTranspose2d.__init__": _LAYER,
    "parameters of a function: clconv/cli/training/command.py train": _COMMAND,
    "parameters of a function: clconv/training/trainer.py Trainer.__init__": _SETTINGS,
    "parameters of a function: clconv/profiling/bench.py bench": _SETTINGS,
    "parameters of a function: clconv/profiling/measure.py profile": _SETTINGS,
    "parameters of a function: clconv/visualize/maximize.py maximize": _SETTINGS,
    "parameters of a function: clconv/visualize/attribution.py occlusion": _SETTINGS,
    "lines of a function: clconv/cli/check.py check": _COMMAND,
    "lines of a function: clconv/cli/doctor.py doctor": _COMMAND,
    "lines of a function: clconv/cli/tuning/command.py tune": _COMMAND,
    "lines of a function: clconv/cli/show.py show": _COMMAND,
    "lines of a function: clconv/cli/training/command.py train": _COMMAND,
}


@dataclasses.dataclass(frozen=True)
class Size:
    kind: str
    name: str
    count: int

    @property
    def key(self) -> str:
        return f"{self.kind}: {self.name}"

    def __str__(self) -> str:
        return f"{self.count:4} {self.key}"


def sizes(root: Path) -> Iterator[Size]:
    """Every file, function, template and folder of a checkout."""
    for top in FOLDERS:
        for path in sorted((root / top).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix == ".py":
                text = path.read_text(encoding="utf-8")
                yield Size("lines of a file", name, len(text.splitlines()))
                yield from function_sizes(text, name)
            elif path.suffix == ".mako":
                lines = path.read_text(encoding="utf-8").splitlines()
                yield Size("lines of a template", name, len(lines))
        for folder in (root / top, *sorted((root / top).rglob("*"))):
            if folder.is_dir() and folder.name != "__pycache__":
                files = [f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".")]
                yield Size("files in a folder", folder.relative_to(root).as_posix(), len(files))


def function_sizes(text: str, file: str) -> Iterator[Size]:
    """Functions and methods from `def` to their last line, and their parameters without self."""
    for name, node in functions(ast.parse(text)):
        assert node.end_lineno is not None
        yield Size("lines of a function", f"{file} {name}", node.end_lineno - node.lineno + 1)
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        every += [a for a in (node.args.vararg, node.args.kwarg) if a is not None]
        named = [a for a in every if a.arg not in ("self", "cls")]
        yield Size("parameters of a function", f"{file} {name}", len(named))


def functions(
    tree: ast.AST, around: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its name, behind those of the classes and functions around it."""
    for node in ast.iter_child_nodes(tree):
        inside = around
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{around}{node.name}."
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield inside[:-1], node
        yield from functions(node, inside)


def too_large(root: Path) -> list[Size]:
    return [size for size in sizes(root) if size.count > MOST[size.kind]]


def test_nothing_is_too_large() -> None:
    found = list(sizes(ROOT))
    for kind in MOST:
        largest = sorted((s for s in found if s.kind == kind), key=lambda s: -s.count)[:3]
        print(*largest, sep="\n")
        assert largest, f"no {kind} was measured"
    offenders = [s for s in too_large(ROOT) if s.key not in EXCEPTIONS]
    listed = "\n".join(map(str, offenders))
    assert not offenders, f"split these by idea:\n{listed}"


def test_exceptions_are_still_needed() -> None:
    idle = sorted(EXCEPTIONS.keys() - {size.key for size in too_large(ROOT)})
    assert not idle, f"no longer too large, take the exceptions away: {idle}"


def _function(parameters: int, lines: int) -> str:
    names = ", ".join(f"p{i}" for i in range(parameters))
    return "\n".join((f"def function({names}):", *["    pass"] * (lines - 1)))


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("kind", MOST)
def test_what_is_too_large_is_found(kind: str, over: int, tmp_path: Path) -> None:
    """One line, parameter or file over the limit is found, the limit itself is not."""
    count = MOST[kind] + over
    folder = tmp_path / "clconv" / "room"
    folder.mkdir(parents=True)
    planted = {
        "lines of a file": {"a.py": "\n" * count},
        "lines of a template": {"a.mako": "\n" * count},
        "lines of a function": {"a.py": _function(1, count)},
        "parameters of a function": {"a.py": _function(count, 2)},
        "files in a folder": {f"{i}.txt": "" for i in range(count)},
    }[kind]
    for name, text in planted.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert [size.kind for size in too_large(tmp_path)] == [kind] * over


def test_methods_and_named_parameters_are_counted() -> None:
    text = "class A:\n    def method(self, a, /, b, *rest, c, **others):\n        pass\n"
    counts = {size.key: size.count for size in function_sizes(text, "a.py")}
    assert counts == {
        "lines of a function: a.py A.method": 2,
        "parameters of a function: a.py A.method": 5,
    }
