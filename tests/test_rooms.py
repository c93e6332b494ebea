"""Which room of the package imports which: downwards only, and no operator's lowering from another's folder."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clconv"

# Each room with those that it may import besides itself. What is below these may be imported, too.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "clconv.version": (),
    "clconv.records": (),
    "clconv.garbage": (),
    "clconv.errors": ("clconv.records",),
    "clconv.config": ("clconv.errors",),
    "clconv.debug": ("clconv.config",),
    "clconv.spans": ("clconv.records",),
    "clconv.store": ("clconv.config", "clconv.version"),
    "clconv.graph": ("clconv.config", "clconv.debug", "clconv.spans", "clconv.garbage"),
    "clconv.frontend": ("clconv.graph", "clconv.store"),
    "clconv.cases": ("clconv.graph",),
    "clconv.draw": ("clconv.graph",),
    "clconv.device": ("clconv.graph",),
    "clconv.lowering.model": ("clconv.device", "clconv.store"),
    "clconv.lowering.copies": ("clconv.lowering.model",),
    "clconv.lowering.choice": ("clconv.lowering.model",),
    "clconv.lowering.shared": ("clconv.lowering.copies", "clconv.lowering.choice"),
    "clconv.lowering.ops": ("clconv.lowering.shared",),
    "clconv.lowering": ("clconv.lowering.ops",),
    "clconv.planning": ("clconv.lowering",),
    "clconv.runtime": ("clconv.planning", "clconv.store"),
    "clconv.probes": ("clconv.runtime",),
    "clconv.diagnosis": ("clconv.probes", "clconv.cases", "clconv.frontend"),
    "clconv.tuning": ("clconv.probes", "clconv.cases", "clconv.frontend"),
    "clconv.session": ("clconv.probes",),
    "clconv.api": ("clconv.session", "clconv.frontend", "clconv.draw"),
    "clconv.bridges": ("clconv.api",),
    "clconv.ahead": ("clconv.api",),
    "clconv.loading": ("clconv.ahead",),
    "clconv.predictor": ("clconv.api",),
    "clconv.quantization": ("clconv.api",),
    "clconv.layers": ("clconv.frontend",),
    "clconv.training": ("clconv.api",),
    "clconv.optim": ("clconv.training",),
    "clconv.losses": ("clconv.training",),
    "clconv.visualize": ("clconv.api",),
    "clconv.profiling": ("clconv.api", "clconv.diagnosis"),
    "clconv.compat": ("clconv.profiling", "clconv.layers"),
    "clconv.serving": ("clconv.api",),
    "clconv.demo": (),
    "clconv.cli": (
        "clconv.compat",
        "clconv.demo",
        "clconv.diagnosis",
        "clconv.draw",
        "clconv.loading",
        "clconv.serving",
        "clconv.quantization",
        "clconv.training",
        "clconv.tuning",
        "clconv.visualize",
    ),
    "clconv.__main__": ("clconv.cli",),
    "clconv": (
        "clconv.api",
        "clconv.bridges",
        "clconv.layers",
        "clconv.losses",
        "clconv.optim",
        "clconv.ahead",
        "clconv.profiling",
        "clconv.predictor",
        "clconv.training",
        "clconv.version",
        "clconv.visualize",
    ),
    # The templates import Python, too. The persistent launch is planning's, the others serve lowering.
    "kernels/joined": ("clconv.planning",),
    "kernels": ("clconv.lowering.shared",),
}

Imports = Mapping[str, Iterable[str]]


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(path: Path) -> set[str]:
    """clconv's modules that a Python file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(n if n in MODULES else str(node.module) for n in names)
    return {n for n in found if n == "clconv" or n.startswith("clconv.")}


@functools.cache
def all_imports() -> dict[str, set[str]]:
    """By module, or by the path of a template."""
    found = {name: imported(path) for name, path in MODULES.items()}
    for path in sorted((ROOT / "kernels").rglob("*.mako")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT).as_posix()
        found[name] = set(re.findall(r"^\s*(?:from|import) (clconv[\w.]*)", text, re.M))
    return found


@functools.cache
def room_of(name: str) -> str:
    """The room of a module or template: the longest name that it lies in. The package's front is itself alone."""
    rooms = [
        r
        for r in MAY_IMPORT
        if name == r or (r != "clconv" and re.match(rf"{re.escape(r)}[./]", name))
    ]
    assert rooms, f"{name} stands in no room: give it one in MAY_IMPORT"
    return max(rooms, key=len)


@functools.cache
def below(room: str) -> frozenset[str]:
    """A room and all that it may import."""
    return frozenset({room}).union(*(below(other) for other in MAY_IMPORT[room]))


def violations(imports: Imports) -> list[str]:
    found = []
    for name, targets in imports.items():
        room = room_of(name)
        for target in targets:
            if room_of(target) not in below(room):
                found.append(f"{name} imports {target}, which its room {room} may not")
            if room == room_of(target) == "clconv.lowering.ops":
                own, other = (n.split(".")[3:4] for n in (name, target))
                if own != other:
                    found.append(f"{name} imports {target}, another operator's")
    return found


def test_imports_run_downwards() -> None:
    imports = all_imports()
    assert not violations(imports)
    _print_table(imports)


def _print_table(imports: Imports) -> None:
    """How many files of one room import from another; pytest -s shows it. Nothing stands above the diagonal."""
    rooms = [r for r in MAY_IMPORT if r.startswith("clconv.")]
    order = sorted(rooms, key=lambda r: (len(below(r)), rooms.index(r)))
    table = Table(title="files that import from a room, by room", box=None)
    for title in ("", *(str(i) for i in range(len(order)))):
        table.add_column(title, justify="right")
    for i, room in enumerate(order):
        counts = []
        for other in order:
            count = sum(
                any(room_of(t) == other for t in targets)
                for name, targets in imports.items()
                if room_of(name) == room
            )
            counts.append(str(count) if count else "")
            assert not count or order.index(other) <= i, f"{room} -> {other} points up"
        table.add_row(f"{i} {room.removeprefix('clconv.')}", *counts)
    Console(width=120).print(table)


@pytest.mark.parametrize(
    "importer, target",
    [
        ("clconv.graph.ir", "clconv.lowering.model.kernel"),
        ("clconv.planning.plan", "clconv.runtime.opencl"),
        ("clconv.lowering.shared.epilogue", "clconv.lowering.ops.conv.direct"),
        ("clconv.lowering.ops.norm.norm", "clconv.lowering.ops.conv.shape"),
        ("clconv.frontend.layers.base", "clconv.cases"),
        ("clconv.lowering.model.template", "clconv"),
        ("kernels/conv/direct.cl.mako", "clconv.lowering.ops.conv.shape"),
        ("kernels/conv/direct.cl.mako", "clconv.planning.functions"),
    ],
)
def test_a_planted_violation_is_found(importer: str, target: str) -> None:
    assert violations({**all_imports(), importer: {target}})


def test_rooms_are_in_no_circle() -> None:
    for room, others in MAY_IMPORT.items():
        assert all(room not in below(other) for other in others), room


def test_the_architecture_page_lists_every_room() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    # Its sub-folders are listed one by one, and nobody begins to read at the others.
    fronts = {"clconv.version", "clconv.__main__", "clconv.lowering"}
    names = [
        r.partition(".")[2].replace(".", "/")
        for r in MAY_IMPORT
        if r.startswith("clconv.") and r not in fronts
    ]
    assert not [n for n in names if f"`{n}/`" not in page and f"`{n}.py`" not in page]


def test_every_room_is_there() -> None:
    seen = {room_of(name) for name in all_imports()}
    assert seen == set(MAY_IMPORT), seen ^ set(MAY_IMPORT)
