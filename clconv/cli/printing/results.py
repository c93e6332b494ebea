"""What a command has found, on stdout: for people as it comes, or as one JSON document at the end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from clconv.cli.console import stdout
from clconv.cli.printing.layout import fitted, plain_lines
from clconv.cli.printing.table import Table, as_data
from clconv.debug import printable

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text.", show_default=False),
]


class Results:
    """line() and table() print at once, or gather the document if it is to be JSON."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._document: dict[str, Any] = {}

    def line(self, text: str, style: str | None = None, **values: Any) -> None:
        """A line for people, however wide. values: what it says, for the document; they may come without text ("")."""
        self._document.update((key, as_data(value)) for key, value in values.items())
        if not self.as_json and text:
            stdout().print(printable(text), style=style, soft_wrap=True)

    def value(self, key: str, value: Any) -> None:
        """Something for the document alone."""
        self._document[key] = as_data(value)

    def entry(self, key: str, **values: Any) -> dict[str, Any]:
        """A new entry of a list in the document, for more values of JSON's."""
        found: dict[str, Any] = as_data(values)
        if self.as_json:
            self._document.setdefault(key, []).append(found)
        return found

    def table(self, key: str, table: Table) -> None:
        """The table, and its rows in the document under this key."""
        self._document[key] = table.data()
        self.print(table)

    def print(self, table: Table) -> None:
        """The table for people alone."""
        console = stdout()
        if self.as_json or not table.rows:
            return
        if table.title:
            console.print(table.title, style="bold", soft_wrap=True)
        if console.is_terminal:
            console.print(fitted(table, console.width, not console.encoding.startswith("utf")))
        else:
            for line in plain_lines(table):
                typer.echo(line)

    def finish(self) -> None:
        """Prints the document: results() calls it."""
        if self.as_json:
            typer.echo(as_json_text(self._document))


def as_json_text(document: dict[str, Any]) -> str:
    """JSON with a line a key, and a line a row of a table: to be read by people, too."""
    entries = []
    for key, value in document.items():
        rows = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
        text = as_json_lines(value, "  ") if rows else json.dumps(value, allow_nan=False)
        entries.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}"


def as_json_lines(rows: list[dict[str, Any]], indent: str = "") -> str:
    """A JSON list with a line a row."""
    lines = f",\n{indent}  ".join(json.dumps(row, allow_nan=False) for row in rows)
    return f"[\n{indent}  {lines}\n{indent}]" if rows else "[]"


@contextlib.contextmanager
def results(as_json: bool) -> Iterator[Results]:
    """Results that are complete at the end of the block, also where the block raises typer.Exit: a check that found
    something wrong. An error leaves no half document."""
    found = Results(as_json)
    try:
        yield found
    except typer.Exit:
        found.finish()
        raise
    found.finish()
