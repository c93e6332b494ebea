"""A device that ends a work-item's loops early is kept from kernels that would go on for longer."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.options import PlanOptions
from clconv.errors import UnsupportedError, VariantError
from clconv.graph.ir import Graph
from clconv.lowering.lower import LoweredGraph, lower_graph
from clconv.lowering.model.kernel import VARIANTS
from clconv.lowering.shared.work_split import nested
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, optimised

PIPE = dataclasses.replace(AVX2, quirks=frozenset({"runs-items-in-lanes"}), most_rounds=65535)
WITHOUT_LIMIT = dataclasses.replace(PIPE, most_rounds=0)


def product(inner: int) -> Graph:
    b = Builder()
    return optimised(b.graph(b.node("MatMul", b.input(2, inner), b.random(inner, 3), out="y")))


def chosen(lowered: LoweredGraph) -> str:
    (choice,) = lowered.choices.values()
    return choice.variant.name


def test_rounds_of_nested_loops_count_the_outer_ones() -> None:
    assert nested() == 0 and nested(5) == 5 and nested(5, 0) == 5
    assert nested(2, 3, 4) == 2 + 2 * 3 + 2 * 3 * 4


def test_a_long_one_is_refused_with_the_numbers() -> None:
    simple = PlanOptions(forced={"matmul": "simple"})
    assert chosen(lower_graph(product(65534), PIPE, simple)) == "simple"
    assert chosen(lower_graph(product(65535), WITHOUT_LIMIT, simple)) == "simple"
    with pytest.raises(VariantError, match=r"65,536 rounds .* ends after 65,535"):
        lower_graph(product(65535), PIPE, simple)


def test_another_variant_takes_the_place() -> None:
    assert chosen(lower_graph(product(70000), PIPE)) != "simple"


def test_nothing_left_is_an_error_not_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "MatMul", VARIANTS["MatMul"][-1:])
    with pytest.raises(UnsupportedError, match=r"MatMul0.*simple: needs 70,001 rounds"):
        lower_graph(product(70000), PIPE)


def test_every_last_resort_with_a_loop_along_the_data_counts_it() -> None:
    """Operators whose simplest kernel goes along something of any length in one work-item."""
    names = (
        "MatMul Gemm Conv ConvTranspose ConvInteger QLinearConv MatMulInteger QLinearMatMul MaxPool AveragePool LpPool "
        "GlobalAveragePool GlobalMaxPool GlobalLpPool Softmax LogSoftmax Hardmax LayerNormalization InstanceNormalization "
        "GroupNormalization RMSNormalization LpNormalization ReduceSum ReduceMax ReduceLogSumExp ArgMax ArgMin CumSum "
        "CumProd ScatterElements ScatterND TopK LSTM GRU RNN"
    )
    for op in names.split():
        assert VARIANTS[op][-1].rounds is not None, op
