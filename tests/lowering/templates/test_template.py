"""Templates: found, rendered, and errors that show where; text of a model never gets into a source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clconv.errors import TemplateError
from clconv.lowering.lower import lower_graph
from clconv.lowering.model import template
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.template import (
    kernel_folder,
    numbered,
    program_source,
    render,
    template_names,
)
from clconv.lowering.model.template_code import Templates
from clconv.runtime.dump import safe_name
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, NVIDIA, optimised

HOSTILE = (
    "${1/0}",
    "%for x in y:",
    "<%doc>",
    "## comment",
    "*/ } kernel void evil() { /*",
    '"; system("x")',
    "line\nbreak",
    "back\\slash\\",
    "'quote'",
    "tab\tand\rreturn",
    "../../etc/passwd",
    "con.txt:stream",
    "名前",
    "{format} {0} %s %(x)s",
    "x" * 300,
)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose templates are found too."""
    templates = Templates(tmp_path, kernel_folder())
    monkeypatch.setattr(template, "_templates", lambda: templates)
    return tmp_path


def test_an_undefined_name_is_an_error_that_shows_the_numbered_source(planted: Path) -> None:
    text = "kernel void ${entry}(global float* y) {\n  y[0] = ${missing_one};\n}\n"
    (planted / "bad.cl.mako").write_text(text)
    with pytest.raises(TemplateError) as raised:
        render(Kernel.of("bad.cl.mako", "bad", width=8))
    message = str(raised.value)
    assert "bad.cl.mako" in message and "missing_one" in message and "'width': 8" in message
    assert "   2    y[0] = ${missing_one};" in message


def test_an_assertion_in_a_template_is_a_template_error(planted: Path) -> None:
    (planted / "strict.cl.mako").write_text("<% assert width in (4, 8), 'width 4 or 8' %>\n")
    with pytest.raises(TemplateError, match="width 4 or 8"):
        render(Kernel.of("strict.cl.mako", "strict", width=5))


def test_a_syntax_error_in_a_template_is_a_template_error(planted: Path) -> None:
    (planted / "syntax.cl.mako").write_text("% if x\n% endif\n")
    with pytest.raises(TemplateError, match=r"syntax\.cl\.mako"):
        render(Kernel.of("syntax.cl.mako", "syntax"))


def test_a_template_that_is_not_there_is_named() -> None:
    with pytest.raises(TemplateError, match=r"nothing/here\.cl\.mako"):
        render(Kernel.of("nothing/here.cl.mako", "nothing"))


def test_numbered_counts_from_one() -> None:
    assert numbered("a\nb") == "   1  a\n   2  b"


def test_the_templates_are_found() -> None:
    names = template_names()
    assert "conv/simple.cl.mako" in names and "reorder.cl.mako" in names
    assert not [n for n in names if n.startswith("/") or ".." in n]


def test_symbols_differ_by_parameters_and_are_c_names() -> None:
    one = Kernel.of("reorder.cl.mako", "reorder", block=8, to_plain=True, type="uint")
    other = Kernel.of("reorder.cl.mako", "reorder", type="uint", to_plain=True, block=4)
    again = Kernel.of("reorder.cl.mako", "reorder", type="uint", to_plain=True, block=8)
    assert one == again and one.symbol == again.symbol and hash(one) == hash(again)
    assert one.symbol != other.symbol
    assert re.fullmatch(r"reorder_[0-9a-f]{10}", one.symbol)


def test_a_program_holds_every_kernel_and_the_prelude_once() -> None:
    kernels = tuple(
        Kernel.of("reorder.cl.mako", "reorder", block=block, to_plain=True, type="uint")
        for block in (4, 8)
    )
    source = program_source(kernels)
    assert source.count("#pragma OPENCL FP_CONTRACT ON") == 1
    assert all(source.count(f"kernel void {k.symbol}(") == 1 for k in kernels)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("machine", [AVX2, NVIDIA], ids=lambda d: d.name)
def test_names_never_reach_the_source(name: str, machine) -> None:  # type: ignore[no-untyped-def]
    """The same network under hostile names makes exactly the kernels of the one under tame names."""

    def network(prefix: str) -> list[Kernel]:
        b = Builder()
        x = b.input(1, 16, 8, 8, name=f"{prefix}x")
        y = b.node("Relu", b.conv(x, 16, 16, 3, out=f"{prefix}y"), out=f"{prefix}z")
        b.node("Add", y, b.conv(y, 16, 16, out=f"{prefix}w"), out=f"{prefix}end")
        constants = {f"{prefix}{k}": v for k, v in b.constants.items()}
        graph = b.graph(f"{prefix}end")
        nodes = tuple(
            type(n)(n.op, prefix + n.name, tuple(prefix + i if i in b.constants else i for i in n.inputs),
                    n.outputs, n.attrs)
            for n in graph.nodes
        )  # fmt: skip
        renamed = graph.replace(name=prefix, nodes=nodes, constants=constants)
        return [c.kernel for c in lower_graph(optimised(renamed), machine).calls]

    hostile, tame = network(name), network("tame")
    assert hostile == tame
    assert name not in program_source(tuple(dict.fromkeys(hostile)))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_become_safe_file_names(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_]{1,60}", safe_name(name))


def test_an_empty_name_has_a_file_name() -> None:
    assert safe_name("") == "_"


def test_a_program_has_the_functions_that_it_calls_and_those_that_they_call() -> None:
    power = template._math(frozenset({"clconv_power"}))
    assert "long clconv_power(long base, float exponent)" in power and "tanh" not in power
    normal = template._math(frozenset({"clconv_normal"}))
    called = set(template._CALLED.findall(normal))
    assert all(f" {name}(" in normal.split("CLCONV_FUNCTION", 1)[1] for name in called)
    everything = template._math(frozenset(name for name, _ in template._math_parts() if name))
    assert everything.split() == template._render(template.MATH, {}).split()
