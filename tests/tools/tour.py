"""Executes the notebook of the tour, docs/tour.ipynb.

    python -m tests.tools.tour           and writes it with its outputs
    python -m tests.tools.tour --check   and only fails if a cell does

Needs the extra `docs`. What is written holds no times, no messages on standard error and no names of the machine.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs/tour.ipynb"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def executed(path: Path) -> Any:
    """The notebook with new outputs. Raises CellExecutionError where a cell does."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()
    return notebook


def clean(notebook: Any) -> Any:
    """Without what differs from run to run and from machine to machine."""
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = {}
    return notebook


def main(arguments: list[str]) -> None:
    import nbformat

    notebook = executed(NOTEBOOK)
    if arguments != ["--check"]:
        nbformat.write(clean(notebook), NOTEBOOK)
    print(
        f"{sum(cell.cell_type == 'code' for cell in notebook.cells)} cells of {NOTEBOOK.name} ran"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
