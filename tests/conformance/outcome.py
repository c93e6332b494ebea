"""What becomes of a case: it passes, is unsupported for a reason, or fails in some other way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.runner import Runner

from clconv.compat import onnx_backend
from clconv.errors import UnsupportedError
from tests.conformance.onnx_cases import OnnxCase

LIST = Path(__file__).with_name("unsupported.txt")

# Two units in the last place, as ONNX's runner grants bfloat16. The expected values were rounded to
# float16 after every step; clconv and onnxruntime round once, at the end.
FLOAT16_RTOL = 2.0**-9


def run_case(case: OnnxCase, device: str) -> None:
    """Runs the case as ONNX's runner does.

    Raises UnsupportedError if the model is out of scope, AssertionError for a wrong answer; any other
    exception is a failure as well.
    """
    prepared = onnx_backend.prepare(case.model(), device)
    for inputs, expected in case.data_sets():
        found = list(prepared.run(inputs))
        if "bernoulli" in case.name:
            _assert_draws(expected, found)
            continue
        rtol = max(case.rtol, FLOAT16_RTOL) if _has_half(expected) else case.rtol
        atol = case.atol
        if (
            "dft" in case.name
        ):  # what is 0 but for rounding, rounding of numbers as large as the largest
            atol = max(atol, 1e-7 * max(float(np.abs(e).max()) for e in expected))
        Runner.assert_similar_outputs(expected, found, rtol, atol)


def _assert_draws(expected: Any, found: Any) -> None:
    """No engine draws the numbers that another one does: shape, dtype, and nothing but 0 and 1."""
    for wanted, drawn in zip(expected, found, strict=True):
        assert (drawn.shape, drawn.dtype) == (wanted.shape, wanted.dtype)
        assert np.isin(drawn, (0, 1)).all()


def _has_half(values: Any) -> bool:
    return any(isinstance(v, np.ndarray) and v.dtype == np.float16 for v in values)


def reason_of(error: UnsupportedError) -> str:
    """The error in one line that is the same on every machine and device."""
    text = " ".join(str(error).split())
    text = re.sub(r"<\d+ bytes>:? ?", "", text)
    text = re.sub(r"^uses \d+ operators? that clconv does not support: ", "", text)
    text = re.sub(r"(node '[^']*' \(\w+\)) on .*?\): ", r"\1: ", text)
    return re.sub(r"; clconv has float32.*$", "", text)


def names_the_cause(error: UnsupportedError, model: onnx.ModelProto) -> bool:
    """Whether the message names an operator, or the input that is no tensor of a type clconv has."""
    text = str(error)
    values = [v.name for v in (*model.graph.input, *model.graph.output)]
    by_node = re.search(r"\(\w+\): | x\d+, first in node", text)
    return by_node is not None or any(f"'{v}'" in text for v in values)


def read_list() -> dict[str, str]:
    """Case -> reason, as the file in the repository has them."""
    found = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(": ")
            found[name] = reason
    return found


def write_list(reasons: dict[str, str]) -> None:
    lines = [
        "# ONNX's own cases that clconv refuses, and why. Made by: python -m tests.conformance --write",
        *(f"{name}: {reason}" for name, reason in sorted(reasons.items())),
    ]
    LIST.write_text("\n".join(lines) + "\n", encoding="utf-8")
