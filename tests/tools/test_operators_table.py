"""docs/operators.md says what the code says."""

from __future__ import annotations

import onnx
import pytest

from clconv.graph.ops import OPS
from tests.tools import operators_table
from tests.tools.operators_table import LIMITS, PAGE, opsets, page, running_cases, variants, where


def test_the_page_is_todays() -> None:
    text = PAGE.read_text(encoding="utf-8")
    if f"with onnx {onnx.__version__}" not in text:
        pytest.skip("made with another onnx, whose newest opset may differ")
    assert text == page(), "run python -m tests.tools.operators_table"


def test_every_operator_and_every_limit_has_its_row() -> None:
    named = set(operators_table.operators())
    assert set(OPS) <= named and set(LIMITS) <= named
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in named)


def test_rows_say_what_is_known() -> None:
    assert opsets("Conv") == "1+" and opsets("Upsample") == "1-9" and opsets("Gelu") == "20+"
    assert {d.value for d in running_cases("Conv")} == {"float32", "float64", "float16"}
    assert "bool" in {d.value for d in running_cases("Concat")}
    assert where("Reshape") == "view" and where("NonZero") == "host" and where("If") == "control"
    assert where("Shape") == "shape" and where("Constant") == "load" and where("Conv") == "device"
    assert variants("Conv").startswith("`depthwise`ᶜ") and variants("NonZero") == "-"
