"""Graph -> Graph functions, one a file, and the order they run in.

Every pass works on an imported graph, whose input sizes may be open, and again on a specialised
one, whose specs are all known. It leaves alone what it cannot decide yet, never renames an output
of the graph, and keeps a Constant it does not change: device copies are shared by its key.
"""

from __future__ import annotations

from collections.abc import Callable

from clconv.errors import Guard
from clconv.graph.ir import Graph
from clconv.graph.passes.defer_updates import defer_updates
from clconv.graph.passes.fold_batch_norm import fold_batch_norm
from clconv.graph.passes.fold_constants import fold_constants
from clconv.graph.passes.fold_scale import fold_scale
from clconv.graph.passes.fuse_epilogue import fuse_epilogue
from clconv.graph.passes.fuse_pad import fuse_pad
from clconv.graph.passes.fuse_patterns import fuse_patterns
from clconv.graph.passes.fuse_updates import fuse_updates
from clconv.graph.passes.push_transposes import push_transposes
from clconv.graph.passes.quantised import fuse_quantised, unfold_quantised
from clconv.graph.passes.remove_dead import remove_dead
from clconv.graph.passes.remove_identity import remove_identity
from clconv.graph.passes.share_taps import share_taps
from clconv.graph.verify import verify

__all__ = ["PASSES", "run_passes"]

# Dead readers would make a value look shared, so the dead go first; leftover constants go last.
PASSES: tuple[Callable[[Graph], Graph], ...] = (
    unfold_quantised,
    fold_constants,
    remove_dead,
    share_taps,
    fuse_quantised,
    push_transposes,
    remove_identity,
    fuse_patterns,
    fold_batch_norm,
    fold_scale,
    fuse_pad,
    fuse_updates,
    fuse_epilogue,
    remove_dead,
    defer_updates,
)


def run_passes(graph: Graph, on_pass: Callable[[str, Graph], None] | None = None) -> Graph:
    """The graph after every pass; verified after each, and shown to on_pass(name, graph). A graph whose gradients are
    not written out yet stays as it is: passes run on it once its sizes are known.

    Raises GraphError or ShapeError if a graph is not sound, InternalError if a pass fails.
    """
    if any(node.op == "Gradient" for node in graph.nodes):
        return verify(graph)  # what rules of gradients see is the network as it was given
    sound: Graph | None = None
    for graph_pass in PASSES:
        with Guard(f"graph '{graph.name}': the pass {graph_pass.__name__}"):
            result = graph_pass(graph)
            if result is not graph:
                graph = sound = verify(result, sound)
        if on_pass is not None:
            on_pass(graph_pass.__name__, graph)
    return graph
