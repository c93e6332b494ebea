"""How every command prints its results: `Results` on stdout, `Table` for tables, once for all three forms.

    def bench(model: Model, as_json: Json = False) -> None:
        with results(as_json) as out:
            table = Table(Column("layer", kind="name"), Column("seconds", "ms", "number", lambda s: f"{s * 1e3:.3f}"))
            table.add("features.0", 0.0012)
            out.line("ResNet-18 on a CPU", model="resnet18")  # text for people; keywords go into the document
            out.table("layers", table)

On a terminal the table is as wide as that allows: names are cut in the middle, numbers never. Into a pipe go plain
columns. With --json the command prints one document, {"model": "resnet18", "layers": [{"layer": ..., "seconds": ...}]},
and no other text on stdout. Progress and notes go to stderr: clconv.cli.progress, clconv.cli.console.remark.
"""

from clconv.cli.printing.results import Json, Results, results
from clconv.cli.printing.table import Column, Table

__all__ = ["Column", "Json", "Results", "Table", "results"]
