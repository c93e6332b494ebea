"""What is known of a device decides which variant is chosen: quarantined ones are avoided."""

from __future__ import annotations

import warnings

import pytest

from clconv.device.findings import Findings
from clconv.errors import ClconvWarning
from clconv.graph.ir import Graph
from clconv.lowering.lower import LoweredGraph, lower_graph
from clconv.lowering.model.kernel import VARIANTS
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, optimised


def product() -> Graph:
    b = Builder()
    return optimised(b.graph(b.node("MatMul", b.input(4, 8), b.random(8, 8), out="y")))


def attention() -> Graph:
    """An operator made of parts, MatMul among them."""
    b = Builder()
    names = [b.input(1, 2, 4, 8, name=n) for n in "qkv"]
    return optimised(b.graph(b.node("Attention", *names, out="y")))


def lowered(graph: Graph, *bad: tuple[str, str]) -> LoweredGraph:
    return lower_graph(graph, AVX2, findings=Findings(frozenset(bad)))


def test_the_next_variant_that_applies_takes_the_place() -> None:
    order = [v.name for v in VARIANTS["MatMul"]]
    (usual,) = lowered(product()).choices.values()
    bad = ("MatMul", usual.variant.name)
    (choice,) = lowered(product(), bad).choices.values()
    assert choice.variant.name in order and choice.variant.name != usual.variant.name
    assert choice.source == "heuristic"
    assert (usual.variant.name, "quarantined by clconv doctor") in choice.refused
    (other,) = lowered(product(), ("Gemm", usual.variant.name)).choices.values()
    assert other.variant is usual.variant


def test_the_last_resort_is_taken_with_a_warning_that_names_the_node() -> None:
    every = [("MatMul", v.name) for v in VARIANTS["MatMul"]]
    with pytest.warns(ClconvWarning, match=r"MatMul0.*do not trust"):
        (choice,) = lowered(product(), *every).choices.values()
    assert choice.source == "quarantined" and choice.variant.name == every[-1][1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lowered(product(), *every[:-1])


def test_parts_of_an_operator_avoid_them_too() -> None:
    def templates(graph: LoweredGraph) -> set[str]:
        return {call.kernel.template for call in graph.calls if "gemm" in call.kernel.template}

    usual = templates(lowered(attention()))
    assert usual and usual != {"gemm/simple.cl.mako"}
    bad = [("MatMul", v.name) for v in VARIANTS["MatMul"][:-1]]
    assert templates(lowered(attention(), *bad)) == {"gemm/simple.cl.mako"}
    with pytest.warns(ClconvWarning, match=r"Attention0.*do not trust"):
        lowered(attention(), *bad, ("MatMul", "simple"))
