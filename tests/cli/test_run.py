"""`clconv run`: several inputs, and what is saved."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from clconv import errors
from clconv.cli.arrays import read_npz, write_npz
from clconv.cli.classes import read_labels
from clconv.cli.files import check_writable
from clconv.errors import ClconvError, ConfigError, InputError
from clconv.graph.ir import TensorSpec
from tests.cli.conftest import Clconv
from tests.compat.models import brightener


def test_each_picture_is_run(clconv: Clconv, models: Path, picture: Path, tmp_path: Path) -> None:
    model, other = models / "classifier.onnx", tmp_path / "other.png"
    Image.new("RGB", (9, 9), "red").save(other)
    np.save(tmp_path / "array.npy", np.ones((1, 3, 8, 8), np.float32))
    files = [picture, other, tmp_path / "array.npy"]
    given = [part for file in files for part in ("-i", file)]
    printed = clconv.works("run", model, *given, "--top", 2).splitlines()
    assert printed[::3] == [f"{file}:" for file in files]
    for i, file in enumerate(files):
        alone = clconv.works("run", model, "-i", file, "--top", 2).splitlines()
        assert printed[3 * i + 1 : 3 * i + 3] == alone
    sizes = clconv.works("run", models / "brightener.onnx", "-i", picture, "-i", other)
    assert "1x3x20x30" in sizes and "1x3x9x9" in sizes


def test_a_damaged_picture_among_others(
    clconv: Clconv, models: Path, picture: Path, tmp_path: Path
) -> None:
    model, cut = models / "classifier.onnx", tmp_path / "cut.png"
    cut.write_bytes(b"no picture")
    result = clconv("run", model, "-i", picture, "-i", cut)
    assert result.exit_code == 1 and result.stdout == "" and "cut.png" in result.stderr
    cut.write_bytes(picture.read_bytes()[:-40])  # only decoding it tells
    result = clconv("run", model, "-i", picture, "-i", cut)
    assert result.exit_code == 1 and "cut.png" in result.stderr.splitlines()[-1]
    assert result.stdout.splitlines()[0] == f"{picture}:"


def test_classes_are_printed_and_saved(
    clconv: Clconv, models: Path, picture: Path, tmp_path: Path
) -> None:
    target = tmp_path / "scores.npy"
    given = ("run", models / "classifier.onnx", "-i", picture, "-o", target)
    printed = clconv.works(*given, "--top", 3).splitlines()
    assert len(printed) == 4 and printed[-1] == f"saved {target}"
    assert clconv.works(*given).splitlines() == [f"saved {target}"]
    assert np.load(target).shape == (1, 10)


def test_more_labels_than_classes_is_a_warning(
    clconv: Clconv, models: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "_warned", set())
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"kind {i}" for i in range(11)) + "\n\n")
    result = clconv("run", models / "classifier.onnx", "-i", picture, "--labels", labels)
    assert result.exit_code == 0 and "kind" in result.stdout
    said = "clconv: warning: the labels name 11 classes, the network has 10"
    assert result.stderr.count(said) == 1


def test_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\x1c\x0bstill two\r\n\r\nfour\n")
    assert read_labels(path) == ["one", "two\x1c\x0bstill two", "", "four"]
    path = tmp_path / "labels.json"
    path.write_text('{"0": ["n1", "cat"], "1": "dog", "2": 3}')
    assert read_labels(path) == ["cat", "dog", "3"]
    for content in ("[]", "{}", "3", '{"1": "a"}', "[[[1]]]", "", "[" * 10**5, "1e999" * 2):
        path.write_text(content)
        with pytest.raises(ConfigError):
            read_labels(path)


BAD_NAMES = {
    "../x": "__/x",
    "/etc/passwd": "etc/passwd",
    "..\\..\\x": "__/__/x",
    "C:\\windows\\x": "C_/windows/x",
    "c:x": "c_x",
    "a/../../b": "a/__/__/b",
    "\\\\host\\share": "host/share",
    "a\0b\x1bc\n": "a_b_c_",
    "": "output",
    "/": "output_2",
    "..": "__",
    "Identity:0": "Identity:0",
    "file": "file",
    "FILE": "FILE_2",
    "block/conv.1": "block/conv.1",
}


def test_names_in_archives_stay_inside(tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    arrays = {name: np.full(2, i, np.float32) for i, name in enumerate(BAD_NAMES)}
    said = write_npz(path, arrays)
    with np.load(path) as saved:
        assert {n: saved[n][0] for n in saved.files} == {s: i for i, s in enumerate(BAD_NAMES.values())}  # fmt: skip
    assert len(said) == sum(name != safe for name, safe in BAD_NAMES.items())
    with zipfile.ZipFile(path) as archive:
        inside = tmp_path / "inside"
        archive.extractall(inside)
        for name in archive.namelist():
            assert (inside / name).resolve().is_relative_to(inside.resolve())
            assert not name.startswith("/") and ".." not in name.split("/")


def test_run_says_which_names_it_changed(
    clconv: Clconv, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = brightener()
    model.graph.output[0].name = model.graph.node[0].output[0] = "../../darker"
    onnx.save(model, str(tmp_path / "model.onnx"))
    result = clconv("run", tmp_path / "model.onnx", "-i", picture, "-o", tmp_path / "out.npz")
    assert "output '../../darker' is saved as '__/__/darker'" in result.stderr
    with np.load(tmp_path / "out.npz") as saved:
        assert saved.files == ["__/__/darker"]


def test_archives_are_checked_before_they_are_unpacked(tmp_path: Path) -> None:
    specs = {"x": TensorSpec(("N", 4))}
    path = tmp_path / "in.npz"
    np.savez(path, x=np.ones((2, 4), np.float32))
    assert read_npz(path, specs)["x"].shape == (2, 4)
    for bad, said in (
        ({"x": np.ones((2, 5), np.float32)}, "float32"),
        ({"x": np.array(["a"])}, "which no model takes"),
        ({"x": np.ones((2, 4), np.float32), "y": np.ones(1)}, "'y'"),
    ):
        np.savez(path, **bad)
        with pytest.raises(InputError, match=said):
            read_npz(path, specs)
    with zipfile.ZipFile(path, "w") as archive:
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }\n"
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(InputError, match="cut off"):
        read_npz(path, specs)
    content = bytearray()
    np.savez_compressed(path, x=np.random.default_rng(0).random((2, 4)).astype(np.float32))
    content[:] = path.read_bytes()
    for at in range(0, len(content), 7):  # whatever is damaged
        changed = bytearray(content)
        changed[at] ^= 0xFF
        path.write_bytes(bytes(changed))
        try:
            read_npz(path, specs)
        except ClconvError as reason:
            assert "\n" not in str(reason)


def test_what_can_be_written_is_known_beforehand(tmp_path: Path) -> None:
    path = tmp_path / "file"
    check_writable(path, "-o")
    path.write_text("old")
    check_writable(path, "-o")
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and path.read_text() == "old"
    for bad in (tmp_path, tmp_path / "none/file", path / "file", Path("x\0y"), Path("")):
        with pytest.raises(ConfigError):
            check_writable(bad, "-o")
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(ConfigError, match="cannot be written"):
            check_writable(tmp_path / "new", "-o")
        tmp_path.chmod(0o700)


def test_outputs_that_are_no_floats_are_printed(clconv: Clconv, tmp_path: Path) -> None:
    value, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [node("Greater", ["x", "x"], ["flag"]), node("Cast", ["x"], ["count"], to=7)],
        "g",
        [value("x", onnx.TensorProto.FLOAT, [2])],
        [value("flag", onnx.TensorProto.BOOL, [2]), value("count", onnx.TensorProto.INT64, [2])],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    path = tmp_path / "flags.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    np.save(tmp_path / "x.npy", np.array([3, 4], np.float32))
    printed = clconv.works("run", path, "-i", tmp_path / "x.npy")
    assert "bool" in printed and "int64" in printed and "3.5" in printed
