"""`clconv show --svg`: the graph drawn into a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clconv.cli.console import remark
from clconv.cli.files import check_writable
from clconv.errors import ConfigError
from clconv.graph.ir import Graph, TensorSpec


def check_drawable(path: Path, plan: bool) -> None:
    """Raises ConfigError unless the file can be written and something can place the boxes: before the model is read."""
    from clconv.draw.layout import check_installed

    if plan:
        raise ConfigError("--svg and --plan: choose one; a plan is not drawn, --fused layers are")
    if path.suffix.lower() != ".svg":
        raise ConfigError(f"--svg {path}: name a file that ends in .svg")
    check_writable(path, "--svg")
    check_installed()


def draw_into(path: Path, graph: Graph, specs: Mapping[str, TensorSpec], fused: bool) -> None:
    """Writes the file, and says so on stderr."""
    from clconv.draw import svg
    from clconv.graph.passes import run_passes
    from clconv.graph.specialise.specialise import specialise
    from clconv.store.files import write

    if fused:
        graph = run_passes(specialise(graph, specs).graph)
    write(path, svg(graph, specs))
    remark(f"saved {path}")
