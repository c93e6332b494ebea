"""Tables: in a terminal of any width, in a pipe, and as JSON."""

from __future__ import annotations

import json

import pytest
import typer
from rich.console import Console

from clconv.cli.console import SafeConsole
from clconv.cli.printing import Column, Table, results
from clconv.cli.printing.layout import fitted, plain_lines
from clconv.cli.printing.names import (
    cut_in_the_middle,
    cut_name,
    without_common_prefix,
    without_operators,
    without_repeats,
    without_usual_prefix,
)
from clconv.cli.printing.table import in_thousands

NAMES = [f"/model/features/features.{i}/conv/conv.{i}.0/Conv" for i in range(12)]


def some_layers() -> Table:
    table = Table(
        Column("layer", kind="name"),
        Column("nothing"),
        Column("volume", kind="number"),
        Column("parameters", kind="number", narrow="params"),
        Column("why", kind="long"),
    )
    for i, name in enumerate(NAMES):
        table.add(name, None, (32, 112, 10 + i), 10_812_345 * i, "because " * 9 if i == 3 else "")
    return table


def printed(table: Table, width: int) -> list[str]:
    console = SafeConsole(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(fitted(table, width))
    return captured.get().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_numbers_are_never_cut(width: int) -> None:
    lines = printed(some_layers(), width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert all(f"32x112x{10 + i}" in text for i in range(12))
    assert all((in_thousands(n) in text) or (f"{n:,}" in text) for n in (10_812_345, 118_935_795))
    assert "nothing" not in text and text.count("because") == 9
    assert "features.3" in text or "…" in text


def test_a_terminal_too_narrow_gets_a_block_a_row() -> None:
    lines = printed(some_layers(), 34)
    assert max(map(len, lines)) <= 34
    assert "volume 32x112x10" in "\n".join(lines)


def test_a_terminal_without_lines() -> None:
    console = SafeConsole(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(fitted(some_layers(), 80, in_ascii=True))
    assert captured.get().splitlines()[1] == "-" * 80


def test_pipes_get_plain_columns() -> None:
    heading, *rows = plain_lines(some_layers())
    assert heading.split() == ["layer", "volume", "parameters", "why"]
    assert [row.split()[0] for row in rows] == NAMES
    assert rows[1].split()[1:3] == ["32x112x11", "10,812,345"]
    assert all(line.isascii() and line == line.rstrip() for line in (heading, *rows))


def test_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), results(True) as out:
        out.line("for people", device="this", speed=float("nan"))
        out.table("layers", some_layers())
        raise typer.Exit(1)
    document = json.loads(capsys.readouterr().out)
    assert document["device"] == "this" and document["speed"] is None
    first = document["layers"][0]
    assert first["layer"] == NAMES[0] and first["volume"] == [32, 112, 10]
    assert list(first) == ["layer", "nothing", "volume", "parameters", "why"]


def test_an_error_leaves_no_half_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), results(True) as out:
        out.line("", device="this")
        raise KeyError
    assert capsys.readouterr().out == ""


def test_a_row_of_the_wrong_length() -> None:
    with pytest.raises(ValueError, match="1 values for 2 columns"):
        Table(Column("a"), Column("b")).add(1)


def test_names() -> None:
    assert without_common_prefix(["/model/a", "/model/b/c"]) == ["a", "b/c"]
    assert without_common_prefix(["/model/conv1", "/model/conv2"]) == ["conv1", "conv2"]
    assert without_common_prefix(["/m/", "/m/a"]) == ["/m/", "/m/a"]
    assert without_repeats("features/features.3/conv/conv.0/conv.0.0") == "features.3/conv.0.0"
    assert without_operators(["a/b/Conv", "a/c/Relu", "a/c/Add"]) == ["a/b", "a/c/Relu", "a/c/Add"]
    assert cut_name("features.18/conv.0.0", 17) == "feat….18/conv.0.0"
    assert without_repeats("layer1/layer1.0/conv1/Conv") == "layer1.0/conv1/Conv"
    assert cut_in_the_middle("features.3/conv.0.0", 12) == "feat…onv.0.0"
    assert without_common_prefix(["a.b.c1", "a.b.c2"]) == ["c1", "c2"]
    assert without_usual_prefix(["m/a", "m/b", "m/c", "m/d", "e"]) == ["a", "b", "c", "d", "e"]
    assert without_usual_prefix(["m/a", "b"]) == ["m/a", "b"]
    assert without_usual_prefix(["m/a", "m/b", "m/c", "m/d", "a"])[0] == "m/a"
    for width in range(20):
        assert len(cut_in_the_middle("features.3/conv.0.0", width)) <= width


def test_numbers_in_short() -> None:
    shown = {99_999: "99,999", 100_000: "100 k", 10_812_345: "10.8 M", 999_600: "1.00 M"}
    assert {n: in_thousands(n) for n in shown} == shown
    assert isinstance(SafeConsole(), Console)
