"""Epilogues: which operands they take, what they become, what stands in their way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.errors import VariantError
from clconv.graph.ir import RUNNING, Constant, DType, EpilogueStep, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.lowering.lower import lower_graph
from clconv.lowering.model.arguments import Packed, Read, layout_packing
from clconv.lowering.model.kernel import Problem
from clconv.lowering.shared.epilogue import channel_packing, epilogue_obstacle, plan_epilogue
from tests.graph.graph_builder import CONV, Builder, specialised
from tests.lowering.support import AVX2

Y = (1, 12, 5, 5)


def problem(
    *operands: TensorSpec | np.ndarray, op: str = "Add", dtype: DType = DType.FLOAT32
) -> Problem:
    """A convolution with one step for each operand: a spec is a value, an array a constant."""
    names = [f"in{i}" for i in range(len(operands))]
    steps = tuple(EpilogueStep(op, operands=(RUNNING, 2 + i)) for i in range(len(operands)))
    node = dataclasses.replace(
        make_node("Conv", ["x", "w"], ["y"], "layer", **CONV),
        inputs=("x", "w", *names),
        epilogue=steps,
        op_arity=2,
    )
    constants = {
        n: Constant(o) for n, o in zip(names, operands, strict=True) if isinstance(o, np.ndarray)
    }
    specs = [o if isinstance(o, TensorSpec) else TensorSpec.of(o) for o in operands]
    own = (TensorSpec((1, 8, 5, 5), dtype), TensorSpec((12, 8, 1, 1), dtype))
    return Problem(node, (*own, *specs), (TensorSpec(Y, dtype),), constants, AVX2)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_a_constant_of_one_element_is_a_literal(shape: tuple[int, ...]) -> None:
    planned = plan_epilogue(problem(np.full(shape, 2.5, np.float32)))
    assert planned.arguments == ()
    assert [o.kind for o in planned.terms[0].operands] == ["running", "literal"]
    assert planned.terms[0].operands[1].text == "2.5f"


@pytest.mark.parametrize("shape", [(12, 1, 1), (1, 12, 1, 1)])
def test_a_constant_by_channel_is_packed_to_whole_blocks(shape: tuple[int, ...]) -> None:
    planned = plan_epilogue(problem(ones(*shape)), block=8)
    assert planned.arguments == (("operand0", Packed("in0", channel_packing(8))),)
    assert planned.terms[0].operands[1].kind == "channel"
    packed = channel_packing(8).function(ones(*shape))
    assert packed.shape == (16,) and packed.tolist() == [1.0] * 12 + [0.0] * 4


def test_a_value_of_the_results_shape_is_read_as_it_is() -> None:
    planned = plan_epilogue(problem(TensorSpec(Y), ones(12, 1, 1), TensorSpec(Y)))
    assert [type(a) for _, a in planned.arguments] == [Read, Packed, Read]
    assert planned.names == ("operand0", "operand1", "operand2")
    assert [t.operands[1].kind for t in planned.terms] == ["full", "channel", "full"]


def test_a_constant_of_the_results_shape_is_packed_as_the_result_lies() -> None:
    made = problem(ones(*Y))
    assert epilogue_obstacle(made) is None
    planned = plan_epilogue(made)
    assert [t.operands[1].kind for t in planned.terms] == ["full"]
    (_, argument), *more = planned.arguments
    assert isinstance(argument, Packed) and not more
    assert argument.packing == layout_packing(made.y.layout)


@pytest.mark.parametrize(
    "operand",
    [
        TensorSpec((1, 12, 1, 1)),
        TensorSpec((1,)),
        TensorSpec(Y, DType.INT32),
        ones(5),
        ones(12),
        ones(1, 1, 5, 5),
        ones(1, 1, 12, 1, 1),
    ],
    ids=str,
)
def test_other_operands_are_obstacles_named_by_shape(operand: TensorSpec | np.ndarray) -> None:
    made = problem(operand)
    obstacle = epilogue_obstacle(made)
    assert obstacle is not None and str(operand.shape) in obstacle and "Add" in obstacle
    with pytest.raises(VariantError, match="epilogue Add"):
        plan_epilogue(made)


def test_kinds_that_fit_are_no_obstacle() -> None:
    assert epilogue_obstacle(problem(TensorSpec(Y), ones(12, 1, 1), ones(1))) is None
    assert epilogue_obstacle(problem()) is None


def test_epilogues_are_float32() -> None:
    made = problem(TensorSpec(Y, DType.FLOAT64), dtype=DType.FLOAT64)
    assert epilogue_obstacle(made) == "epilogue Add on float64"


def test_a_terms_text_names_its_operands() -> None:
    term = plan_epilogue(problem(TensorSpec(Y), op="PRelu")).terms[0]
    text = term.c_text("float8", ("value", "slope"))
    assert "value" in text and "slope" in text
    assert not {"a", "b"} & set(text.replace("(", " ").replace(")", " ").split())


@pytest.mark.parametrize("op", ["MaxPool", "Conv"])
def test_a_step_may_do_without_an_operand(op: str) -> None:
    """Clip with one bound, fused behind a node on channel blocks."""
    b = Builder()
    x = b.input(1, 16, 8, 8)
    if op == "Conv":
        y = b.conv(x, 16, 16, 1)
    else:
        window = {"kernel_shape": (2, 2), "strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1)}
        y = b.node(op, x, **window, ceil_mode=0, storage_order=0)
    limit = b.constant(np.float32(0.5))
    graph = specialised(b.graph(b.node("Clip", y, "", limit, out="result")))
    after = run_passes(graph)
    (node,) = after.nodes
    assert [step.op for step in node.epilogue] == ["Clip"] and "" in node.inputs
    (call,) = (c for c in lower_graph(after, AVX2).calls if c.node == node.name)
    assert call.kernel.template in ("pool/columns.cl.mako", "conv/direct.cl.mako")
