"""The guard around what may fail in a way nobody thought of."""

from __future__ import annotations

import warnings

import pytest

from clconv import errors
from clconv.errors import (
    ClconvError,
    ClconvWarning,
    GraphError,
    Guard,
    HostMemoryError,
    InputError,
    InternalError,
    ModelError,
    NeedsValue,
    ShapeError,
    UnsupportedError,
)


def raised(reason: BaseException, *where: str) -> BaseException:
    with pytest.raises(BaseException) as caught, Guard("its shape rule", *where):
        raise reason
    return caught.value


@pytest.mark.parametrize(
    "reason", [KeyError("x"), IndexError("y"), ZeroDivisionError(), OSError(28, "full")]
)
def test_what_is_no_error_of_clconv_becomes_one_that_names_the_node(reason: Exception) -> None:
    found = raised(reason, "first", "Conv")
    assert type(found) is InternalError and found.__cause__ is reason
    assert f"node 'first' (Conv): its shape rule ended in {type(reason).__name__}" in str(found)
    assert "bug of clconv" in str(found) and "report" in str(found)


def test_a_bug_of_clconv_is_no_fault_of_the_model() -> None:
    assert not issubclass(InternalError, ModelError)
    assert issubclass(InternalError, ClconvError) and issubclass(InternalError, RuntimeError)


def test_memory_and_nesting_have_errors_of_their_own() -> None:
    found = raised(MemoryError("Unable to allocate 32 GiB"), "first", "Conv")
    assert type(found) is HostMemoryError and "32 GiB" in str(found) and "'first'" in str(found)
    assert isinstance(found, MemoryError)  # who catches Python's own catches it as well
    assert type(raised(RecursionError())) is UnsupportedError


@pytest.mark.parametrize(
    "reason",
    [
        GraphError("m"),
        NeedsValue("n", 0, "v"),
        InternalError("i"),
        ShapeError("node 'second' (Relu): s"),
        KeyboardInterrupt(),
        SystemExit(1),
        ClconvWarning("w"),
        DeprecationWarning("d"),
    ],
)
def test_what_is_no_bug_passes(reason: BaseException) -> None:
    assert raised(reason, "first", "Conv") is reason


@pytest.mark.parametrize("kind", [ModelError, ShapeError, InputError])
def test_what_a_reference_says_gets_the_name_of_its_node(kind: type[ClconvError]) -> None:
    found = raised(kind("index 9 is outside"), "first", "Gather")
    assert type(found) is kind
    assert str(found) == "node 'first' (Gather): index 9 is outside"


def test_nothing_happens_where_nothing_fails() -> None:
    with warnings.catch_warnings(), Guard("nothing"):
        warnings.simplefilter("error")


def test_every_error_is_of_one_family() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    assert all(issubclass(k, ClconvError | Warning) for k in kinds)
