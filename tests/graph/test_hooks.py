"""Every operator that reaches a device says what the passes need to know of it."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.graph.ops import OPS, hooks_of, make_node
from clconv.graph.ops.base import Op
from clconv.graph.ops.hooks import NO_HOOKS, Half, Hooks

DEVICE_OPS = sorted(name for name, op in OPS.items() if op.has_kernel)


@pytest.mark.parametrize("name", DEVICE_OPS)
def test_a_device_operator_leaves_no_hook_unsaid(name: str) -> None:
    assert OPS[name].hooks is not None, f"{name} has no hooks: see clconv/graph/ops/hooks.py"


# Gradients that go through the scale alone, and not through what is scaled, would be no derivative of anything.
# What is written for bytes, or of an optimiser's steps, stands behind the gradients: no network has it.
WITHOUT_GRADIENT = frozenset(
    {
        "DynamicQuantizeLinear",
        "Pointwise",
        *("ByteAdd", "ByteAveragePool", "ByteConv", "ByteMul", "ByteTable"),
        *("ByteConvToFloat", "ByteMatMulToFloat"),
    }
)


@pytest.mark.parametrize("name", DEVICE_OPS)
def test_a_device_operator_says_its_gradient(name: str) -> None:
    """Those that are gradients may leave out the second one: where it is asked for, an error names them."""
    hooks = OPS[name].hooks
    if name not in WITHOUT_GRADIENT and not name.endswith("Gradient"):
        assert hooks is not None and hooks.gradient is not None, f"{name}: see graph/rules/gradient"


def test_a_hook_that_is_forgotten_is_an_error() -> None:
    for field in dataclasses.fields(Hooks):
        given = {f.name: getattr(NO_HOOKS, f.name) for f in dataclasses.fields(Hooks)}
        del given[field.name]
        with pytest.raises(TypeError, match=field.name):
            Hooks(**given)


def test_what_hosts_alone_do_has_no_hooks() -> None:
    assert hooks_of(make_node("NonZero", ["x"], ["y"])) is NO_HOOKS


def test_input_indices_of_hooks_are_inputs() -> None:
    def most(op: Op) -> int:
        return 99 if op.inputs[1] is None else op.inputs[1]

    for op in OPS.values():
        hooks = op.hooks or NO_HOOKS
        assert all(i < most(op) for i in hooks.half.inputs), op.name
        assert hooks.shape_input is None or hooks.shape_input < most(op), op.name


def test_half_says_one_of_four_things() -> None:
    kinds = {(op.hooks or NO_HOOKS).half.kind for op in OPS.values()}
    assert kinds == {Half.EXACT.kind, Half.MOVES.kind, Half.KEPT.kind, Half.narrowed().kind}
