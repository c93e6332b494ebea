"""Every command: what it prints, what it saves, and how it says no."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import clconv as package
from clconv.cli.classes import probabilities, top_classes
from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Node
from clconv.runtime.device import choose_device, devices
from tests.cli.conftest import Clconv


def test_devices(clconv: Clconv) -> None:
    records = json.loads(clconv.works("devices", "--json"))
    assert [r["name"] for r in records] == [d.name for d in devices()]
    assert [r["index"] for r in records if r["chosen"]] == [choose_device().index]
    keys = ("vendor", "driver", "type", "memory", "vector_width", "fp16", "local_memory")
    assert all(key in record for record in records for key in keys)
    table = clconv.works("devices")
    assert all(device.name in table for device in devices())
    clconv.fails("devices", "--device", "no such thing", saying="no such thing")


def test_run_prints_the_classes(
    clconv: Clconv, models: Path, picture: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"kind {i}" for i in range(10)))
    printed = clconv.works(
        "run", models / "classifier.onnx", "-i", picture, "--labels", labels, "--top", 3
    )
    lines = printed.splitlines()
    assert len(lines) == 3
    shares = [float(line.split("%")[0]) for line in lines]
    assert shares == sorted(shares, reverse=True)
    assert all("kind" in line for line in lines)
    labels.write_text("only one")
    clconv.fails(
        "run", models / "classifier.onnx", "-i", picture, "--labels", labels,
        saying="1 classes, the network has 10",
    )  # fmt: skip


def test_precision(clconv: Clconv, models: Path, picture: Path) -> None:
    model = models / "classifier.onnx"
    plan = clconv.works("show", model, "--plan", "--precision", "float16")
    assert "float16[" in plan and "float16[" not in clconv.works("show", model, "--plan")
    clconv.works("run", model, "-i", picture, "--precision", "float16")
    clconv.works("check", model, "--precision", "float16")
    clconv.fails("run", model, "-i", picture, "--precision", "float8", saying="float16")


def test_run_says_how_the_picture_was_read(clconv: Clconv, models: Path, picture: Path) -> None:
    said = clconv("run", models / "imagenet.onnx", "-i", picture).stderr
    assert "mean 0.485,0.456,0.406" in said and "float32[1x3x8x8]" in said
    said = clconv("run", models / "imagenet.onnx", "-i", picture, "--mean", "0.5").stderr
    assert "mean 0.5, std 1" in said


def test_run_saves_a_picture(clconv: Clconv, models: Path, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "darker.png"
    clconv.works("run", models / "brightener.onnx", "-i", picture, "-o", target)
    before, after = (np.asarray(Image.open(p).convert("RGB"), float) for p in (picture, target))
    np.testing.assert_allclose(after, before / 2, atol=1)


def test_run_takes_arrays_by_name_and_saves_them(
    clconv: Clconv, models: Path, tmp_path: Path
) -> None:
    a, b = (np.random.default_rng(i).random((2, 3)).astype(np.float32) for i in (1, 2))
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b.astype(np.float64))
    np.savez(tmp_path / "both.npz", a=a, b=b)
    one_by_one = ["-i", f"a={tmp_path / 'a.npy'}", "-i", f"b={tmp_path / 'b.npy'}"]
    for given in (one_by_one, ["-i", str(tmp_path / "both.npz")]):
        target = tmp_path / "result.npz"
        clconv.works("run", models / "two.onnx", *given, "-o", target)
        with np.load(target) as saved:
            np.testing.assert_allclose(saved["sum"], a + b, rtol=1e-6)
            np.testing.assert_allclose(saved["file"], a * b, rtol=1e-6)
    printed = clconv.works("run", models / "two.onnx", *one_by_one)
    assert "sum" in printed and "2x3" in printed
    model = models / "two.onnx"
    clconv.fails("run", model, "-i", tmp_path / "a.npy", saying="which input")
    clconv.fails("run", model, "-i", f"c={tmp_path / 'a.npy'}", saying="c=")
    clconv.fails("run", model, *one_by_one[:2], saying="missing")
    clconv.fails("run", model, *one_by_one, "-o", tmp_path / "one.npy", saying="2 outputs")


def test_run_refuses_what_it_cannot_read(
    clconv: Clconv, models: Path, picture: Path, tmp_path: Path
) -> None:
    classifier = models / "classifier.onnx"
    empty, text = tmp_path / "empty.onnx", tmp_path / "text.png"
    empty.touch()
    text.write_text("no picture")
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY junk")
    (tmp_path / "broken.npz").write_bytes(b"PK junk")
    missing = tmp_path / "missing.onnx"
    clconv.fails("run", missing, "-i", picture, saying="missing.onnx")
    clconv.fails("run", empty, "-i", picture, saying="empty")
    clconv.fails("run", tmp_path, "-i", picture, saying="folder")
    clconv.fails("run", models / "unsupported.onnx", "-i", picture, saying="Enchant")
    clconv.fails("run", classifier, "-i", text, saying="no picture")
    clconv.fails("run", classifier, "-i", tmp_path / "none.png", saying="none.png")
    clconv.fails("run", classifier, "-i", tmp_path / "broken.npy", saying="broken.npy")
    clconv.fails("run", classifier, "-i", tmp_path / "broken.npz", saying="broken.npz")
    clconv.fails("run", classifier, "-i", picture, "-o", "a.gif", saying=".gif")
    clconv.fails("run", classifier, "-i", picture, "-o", tmp_path / "no/a.npz", saying="a.npz")
    clconv.fails("run", classifier, "-i", picture, "-o", tmp_path / "a.png", saying="no picture")
    clconv.fails("run", classifier, "-i", picture, "--size", "8", saying="--size")
    clconv.fails("run", classifier, "-i", picture, "--mean", "a,b", saying="--mean")
    clconv.fails("run", classifier, "-i", picture, "--layout", "nope", saying="--layout")
    clconv.fails("run", classifier, "-i", picture, "-d", "no such thing", saying="no such thing")
    clconv.fails("run", classifier, saying="--input", code=2)


def test_show(clconv: Clconv, models: Path) -> None:
    printed = clconv.works("show", models / "classifier.onnx")
    row = next(line for line in printed.splitlines() if "first" in line)
    assert "5x8x8" in row and "3x3" in row and "140" in row and f"{5 * 3 * 9 * 64:,}" in row
    assert f"{140 + 60:,} parameters" in printed
    assert "Conv+Relu" in clconv.works("show", models / "classifier.onnx", "--fused")
    sized = clconv.works("show", models / "brightener.onnx", "--size", "6x10")
    assert "3x6x10" in sized
    sized = clconv.works("show", models / "brightener.onnx", "--shape", "picture=1x3x7x9")
    assert "3x7x9" in sized
    opened = clconv.works("show", models / "brightener.onnx")
    assert "picture float32[1x3xHxW]" in opened and "multiply-adds at H=224, W=224" in opened
    clconv.fails("show", models / "brightener.onnx", "--plan", saying="--size")
    clconv.fails("show", models / "brightener.onnx", "--shape", "x=1x3x7x9", saying="'x'")


def test_show_the_plan(clconv: Clconv, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = clconv.works("show", models / "classifier.onnx", "--plan")
    assert "largest live set" in printed and "heuristic" in printed and "Conv+Relu" in printed
    monkeypatch.setenv("CLCONV_VARIANT", "conv:simple")
    row = next(
        line
        for line in clconv.works("show", models / "classifier.onnx", "--plan").splitlines()
        if "first" in line
    )
    assert "simple" in row and "forced" in row
    monkeypatch.setenv("CLCONV_VARIANT", "conv:no-such-variant")
    clconv.fails("show", models / "classifier.onnx", "--plan", saying="no-such-variant")


def test_check(clconv: Clconv, models: Path, picture: Path) -> None:
    for more in ([], ["-i", picture]):
        printed = clconv.works("check", models / "classifier.onnx", *more)
        assert "0 differ" in printed and "first" in printed and "last" in printed
    assert "first" not in clconv.works("check", models / "classifier.onnx", "-q")
    clconv.works("check", models / "brightener.onnx", "--size", "5x7", "-q")


def test_check_fails_where_a_layer_differs(
    clconv: Clconv, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(node: Node, values: list[Any]) -> list[np.ndarray]:
        return [v + 1 if node.name == "pool" else v for v in evaluate_node(node, values)]

    monkeypatch.setattr("clconv.runtime.check.evaluate_node", spoiled)
    result = clconv("check", models / "classifier.onnx")
    assert result.exit_code == 1
    marked = [line for line in result.stdout.splitlines() if "!" in line]
    assert len(marked) == 1 and "pool" in marked[0]
    assert " 1 differ" in result.stdout


def test_a_bug_of_clconv_is_shown_with_its_traceback(
    clconv: Clconv, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(graph: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("clconv.graph.passes.PASSES", (broken,))
    result = clconv("show", models / "classifier.onnx", "--fused")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr and "KeyError: 'lost'" in result.stderr
    assert "clconv: error: graph" in result.stderr and "please report it" in result.stderr


def test_probabilities_and_top_classes() -> None:
    row = np.array([[1.0, 3.0, 2.0]])
    shares = probabilities(row)
    assert shares.sum() == pytest.approx(1)
    assert np.array_equal(probabilities(shares), shares)
    assert [c[0] for c in top_classes(shares[0], 2, None)] == [1, 2]
    assert top_classes(shares[0], 1, ["a", "b", "c"])[0][1] == "b"


@pytest.mark.parametrize("command", ["clconv", "module"])
def test_as_a_process(command: str, models: Path, tmp_path: Path) -> None:
    start = [str(Path(sys.executable).with_name("clconv"))]
    if command == "module":
        start = [sys.executable, "-m", "clconv"]
    elif not Path(start[0]).exists():
        pytest.skip("the package is not installed here")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}

    def call(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*start, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**environment, **changes},
        )  # fmt: skip

    assert call("--version").stdout.strip() == f"clconv {package.__version__}"
    if command == "module":  # the rest is the same
        return
    shown = call("show", str(models / "classifier.onnx"))
    assert shown.returncode == 0 and "5x8x8" in shown.stdout
    failed = call("run", "missing.onnx", "-i", "x.png")
    assert failed.returncode == 1 and failed.stdout == ""
    assert failed.stderr.startswith("clconv: error: ") and "Traceback" not in failed.stderr
    chosen = call("devices", CLCONV_DEVICE="no such thing")
    assert chosen.returncode == 1 and "there are 0: " in chosen.stderr
    if any(device.kind == "cpu" for device in devices()):
        assert "pip install" not in chosen.stderr
    assert call("devices", CLCONV_DEBUG="eleven").returncode in (0, 1)


def test_show_lists_what_a_loop_repeats(clconv: Clconv, tmp_path: Path) -> None:
    value, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    number, flag, real = onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.FLOAT
    body = onnx.helper.make_graph(
        [
            node("Tanh", ["v_in"], ["v_out"], "the_tanh"),
            node("ReduceMax", ["v_out"], ["top"], "the_top", keepdims=0),
            node("Greater", ["top", "top"], ["again"], "the_test"),
        ],
        "body",
        [value("i", number, []), value("going", flag, []), value("v_in", real, [2])],
        [value("again", flag, []), value("v_out", real, [2])],
    )
    graph = onnx.helper.make_graph(
        [node("Loop", ["", "", "x"], ["y"], "the_loop", body=body)],
        "g",
        [value("x", real, [2])],
        [value("y", real, [2])],
    )
    path = tmp_path / "loop.onnx"
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    for options in ((), ("--plan",)):
        printed = clconv.works("show", path, *options)
        assert "body of the_loop (Loop): 3 layers" in printed and "the_tanh (Tanh)" in printed
