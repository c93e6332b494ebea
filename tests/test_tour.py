"""The tour of docs/: a notebook that runs, and whose outputs are there for those who only read it."""

from __future__ import annotations

import base64
import json
import re
import socket
from typing import Any

import pytest

from tests.tools.tour import NOTEBOOK, executed

TEXT = NOTEBOOK.read_text(encoding="utf-8")
CELLS: list[dict[str, Any]] = json.loads(TEXT)["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def outputs() -> list[dict[str, Any]]:
    return [output for cell in CODE for output in cell["outputs"]]


def test_every_cell_has_run_in_order_without_an_error() -> None:
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    assert {output["output_type"] for output in outputs()} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert all(output.get("name", "stdout") == "stdout" for output in outputs())


def test_its_pictures_are_there_and_small() -> None:
    pictures = [o["data"]["image/png"] for o in outputs() if "image/png" in o.get("data", {})]
    assert len(pictures) >= 12
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    assert len(TEXT) < 1_500_000


def test_it_follows_the_lecture() -> None:
    headings = re.findall(r"^## (.+)$", "\n".join("".join(c["source"]) for c in CELLS), re.M)
    wanted = ["full depth", "Stride", "size of the output", "mirror", "Pooling against stride"]
    wanted += ["Dense", "first filters", "low, middle and high"]
    places = [next(i for i, h in enumerate(headings) if word in h) for word in wanted]
    assert places == sorted(places)


def test_it_names_no_machine() -> None:
    shown = "\n".join(
        "".join(part)
        for output in outputs()
        for part in (output.get("text", ""), output.get("data", {}).get("text/plain", ""))
    )
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|usr|work|Users)\b|[A-Z]:\\", shown)
    assert socket.gethostname() not in shown


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_runs() -> None:
    for package in ("nbclient", "ipykernel", "matplotlib", "rapidocr", "PIL"):
        pytest.importorskip(package)
    notebook = executed(NOTEBOOK)
    shown = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert not [o for o in shown if o.output_type == "error"]
    assert sum("image/png" in o.get("data", {}) for o in shown) >= 12
