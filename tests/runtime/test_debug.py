"""The switches for a person who looks for a fault: CLCONV_CHECK, CLCONV_DEBUG, CLCONV_DUMP, canaries."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import CheckError, ConfigError, KernelBuildError
from clconv.graph.ir import Graph
from clconv.graph.passes import PASSES
from clconv.lowering.model import template
from clconv.lowering.model.arguments import Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import VARIANTS, Lowered, Problem, Variant, always
from clconv.lowering.model.template import kernel_folder
from clconv.lowering.model.template_code import Templates
from clconv.runtime import opencl
from clconv.runtime.check import relative_error
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.lowering.templates.test_template import HOSTILE
from tests.patience import HANG
from tests.runtime.support import SAME, assert_runs_right, picture, residual, session_for

WRONG = "kernel void ${entry}(global const float* x, global float* y) {\n  ${body}\n}\n"


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """plant(op, body): a variant of an operator that goes before all others, one item an element."""
    templates = Templates(tmp_path, kernel_folder())
    monkeypatch.setattr(template, "_templates", lambda: templates)
    (tmp_path / "planted.cl.mako").write_text(WRONG)

    def plant(op: str, body: str) -> None:
        def lower(problem: Problem) -> Lowered:
            kernel = Kernel.of("planted.cl.mako", "planted", body=body)
            arguments = [("x", problem.argument(0)), ("y", Write(problem.node.outputs[0]))]
            return Lowered((problem.call(kernel, arguments, (problem.y.size,)),))

        planted = Variant(op, "planted", always, lower)
        monkeypatch.setitem(VARIANTS, op, [planted, *VARIANTS[op]])

    return plant


def floor_network() -> Graph:
    b = Builder()
    x = b.conv(b.input("n", 8, 6, 6), 8, 8, 3, **SAME)
    y = b.node("Floor", b.node("MaxPool", x, kernel_shape=(2, 2), strides=(1, 1),
                               pads=(0,) * 4, dilations=(1, 1)), out="floor")  # fmt: skip
    return b.graph(b.conv(y, 8, 8, out="end"))


@pytest.fixture
def unfused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epilogues stay nodes, so that each operator runs its own kernel."""
    from clconv.graph import passes

    kept = tuple(p for p in PASSES if p.__name__ != "fuse_epilogue")
    monkeypatch.setattr(passes, "PASSES", kept)


FEEDS = {"x": picture(1, 8, 6, 6)}


def test_a_sound_network_passes_the_check(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_CHECK", "1")
    for graph in (residual(), residual(1, 8, 8)):
        session = session_for(graph, device)
        for _ in range(2):
            assert_runs_right(session, graph, {"x": picture(1, 3, 8, 8)})


def test_the_check_names_the_node_that_is_wrong(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch, plant, unfused: None
) -> None:
    plant(
        "Floor", "const size_t i = get_global_id(0); y[i] = floor(x[i]) + (i == 3 ? 0.01f : 0.0f);"
    )
    session = session_for(floor_network(), device)
    session.run(FEEDS)  # without the check the fault goes unnoticed
    monkeypatch.setenv("CLCONV_CHECK", "1")
    with pytest.raises(CheckError) as raised:
        session.run(FEEDS)
    message = str(raised.value)
    assert "'Floor2' (Floor, variant planted): output 'floor'" in message
    assert str(device) in message and re.search(r"by 0\.00\d+ of", message)


def test_a_write_behind_the_output_is_caught(device: DeviceInfo, plant, unfused: None) -> None:
    plant("Floor", "const size_t i = get_global_id(0); y[i] = floor(x[i]); "
                   "if (i + 1 == get_global_size(0)) y[i + 1] = 1.0f;")  # fmt: skip
    session = session_for(floor_network(), device)
    with pytest.raises(CheckError, match=r"[1-4] bytes outside every value .* near value 'floor'"):
        session.run(FEEDS)


def test_a_write_before_the_output_is_caught(device: DeviceInfo, plant, unfused: None) -> None:
    plant(
        "Floor", "const size_t i = get_global_id(0); y[i] = floor(x[i]); if (i == 0) y[-1] = 1.0f;"
    )
    session = session_for(floor_network(), device)
    with pytest.raises(CheckError, match="bytes outside every value"):
        session.run(FEEDS)


def test_a_kernel_that_does_not_compile_shows_source_and_log(
    device: DeviceInfo, plant, unfused: None
) -> None:
    plant("Floor", "y[0] = no_such_thing;")
    with pytest.raises(KernelBuildError) as raised:
        session_for(floor_network(), device).run(FEEDS)
    message = str(raised.value)
    assert str(device) in message
    assert re.search(r"^ *\d+    y\[0\] = no_such_thing;", message, re.M)
    assert message.count("no_such_thing") >= 2, "the compiler's words are there too"


@pytest.mark.parametrize("level", range(6))
def test_each_level_tells_more(
    level: int,
    device: DeviceInfo,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CLCONV_DEBUG", str(level))
    # As in a new process: nothing is compiled yet.
    monkeypatch.setattr(
        "clconv.runtime.prepared.open_device", lambda info, context: opencl.Device(info, context)
    )
    Session(residual(), device).run({"x": picture(1, 3, 8, 8)})
    captured = capsys.readouterr()
    text = captured.err
    assert captured.out == ""
    signs = [
        f"clconv: device {device}, driver {device.driver}",
        "# Conv0",
        "pass fuse_epilogue",
        "kernel void ",
        "build log: ",
    ]
    assert [sign in text for sign in signs] == [level > i for i in range(5)]
    if level >= 1:
        assert re.search(r"plan for float32\[1x3x8x8\]: [\d,]+ bytes, \d+ launches", text)
    if level >= 3:
        assert re.search(r"Conv0: \w+ \(heuristic", text)
    if level >= 4:
        assert re.search(r"^ +1  ", text, re.M)


@pytest.fixture
def dumped(device: DeviceInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a" / "dump"
    monkeypatch.setenv("CLCONV_DUMP", str(folder))
    session = Session(residual(), device)
    for size in ((1, 3, 8, 8), (1, 3, 9, 8)):
        session.run({"x": picture(*size)})
    return folder


def test_a_dump_holds_every_stage(dumped: Path) -> None:
    names = [p.name for p in sorted(dumped.glob("graph*.txt"))]
    assert len(names) == 3 * len(PASSES)
    for i, graph_pass in enumerate(PASSES):
        assert names[i] == f"graph{i:03}_import_{graph_pass.__name__}.txt"
    text = (dumped / names[-1]).read_text()
    assert "Conv(" in text and "float32[1x16x9x8]" in text
    for plan in ("plan00", "plan01"):
        folder = dumped / plan
        text = (folder / "plan.txt").read_text()
        symbols = set(re.findall(r"^  (\w+)<", text, re.M))
        assert symbols and {p.stem for p in folder.glob("*.cl")} == symbols
        for symbol in symbols:
            source = (folder / f"{symbol}.cl").read_text()
            assert re.search(rf"\bkernel\b[^;{{}}]* void {symbol}\(", source)
            lines = (folder / f"{symbol}.numbered.txt").read_text().splitlines()
            assert lines[0].startswith("   1  ") and len(lines) == len(source.splitlines())
        assert len(list(folder.glob("launch*.py"))) == len(re.findall(r"^  \w+<", text, re.M))


def test_the_replay_script_runs_elsewhere(dumped: Path, tmp_path: Path) -> None:
    script = min((dumped / "plan00").glob("launch*Conv*.py"))
    x = tmp_path / "x.npy"
    np.save(x, picture(1, 3, 8, 8))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHONPATH")}

    def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(script), *arguments],
            capture_output=True, text=True, timeout=HANG, cwd=tmp_path, env=environment,
        )  # fmt: skip

    result = replay(f"x={x}")
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"(\d+\.\d us\n){5}", result.stdout)
    wrong = replay("nothing=x.npy")
    assert wrong.returncode != 0 and "no arguments ['nothing']; the kernel has ['x'" in wrong.stderr


def test_every_launch_has_a_script_that_python_reads(dumped: Path) -> None:
    scripts = list(dumped.rglob("launch*.py"))
    assert scripts
    for script in scripts:
        compile(script.read_text(), str(script), "exec")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_out_of_files_and_sources(
    name: str, device: DeviceInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_DUMP", str(tmp_path / "dump"))
    monkeypatch.setenv("CLCONV_CHECK", "1")
    b = Builder()
    x = b.input(1, 8, 4, 4, name=f"{name}x")
    y = b.conv(x, 8, 8, out=f"{name}y")
    graph = b.graph(b.node("Relu", y, out=name))
    nodes = tuple(dataclasses.replace(n, name=name) for n in graph.nodes)
    graph = graph.replace(nodes=nodes, name=name)
    assert_runs_right(session_for(graph, device), graph, {f"{name}x": picture(1, 8, 4, 4)})
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(p.suffix == ".cl" for p in written)
    assert all(re.fullmatch(r"[\w.]+", p.name, re.ASCII) for p in written)
    for script in tmp_path.rglob("launch*.py"):
        compile(script.read_text(), str(script), "exec")
    assert not any(name in p.read_text() for p in written if p.suffix == ".cl")


def test_a_dump_that_cannot_be_written_is_said(
    device: DeviceInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CLCONV_DUMP", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="CLCONV_DUMP="):
        Session(residual(), device)


def test_relative_error() -> None:
    one = np.array([1.0, -2.0, 4.0], np.float32)
    assert relative_error(one, one) == 0
    assert relative_error(np.array([1.0, -2.0, 5.0], np.float32), one) == 0.25
    assert relative_error(one[:2], one) == np.inf
    for odd in (np.nan, np.inf, -np.inf):
        with_odd = np.array([1.0, odd, 4.0], np.float32)
        assert relative_error(one, with_odd) == np.inf
        assert relative_error(with_odd, one) == np.inf
        assert relative_error(with_odd, with_odd) == 0
    assert relative_error(-with_odd, with_odd) == np.inf
    assert relative_error(np.array([1, 2]), np.array([1, 2])) == 0
    assert relative_error(np.array([1, 2]), np.array([1, 3])) == np.inf
    empty = np.zeros((0, 3), np.float32)
    assert relative_error(empty, empty) == 0
