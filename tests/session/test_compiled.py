"""Compiled networks: used as they are where they were made, built anew elsewhere, refused where they are damaged."""

from __future__ import annotations

import functools
import json
import operator
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvError, ClconvWarning, ConfigError, InputError, ModelError
from clconv.frontend.layers import Conv2d, Relu, Sequential
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.stored import stored_weights
from clconv.session import compiled
from clconv.store.container import Blob, Blobs, write_blobs
from clconv.store.trust import make_private

LAYERS = Sequential(Conv2d(9, 3), Relu(), Conv2d(8, 3))
X = np.random.default_rng(0).standard_normal((1, 3, 16, 16), np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_private(tmp_path / "cache")
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def files(device: DeviceInfo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and the same one compiled; not to be changed."""
    folder = tmp_path_factory.mktemp("compiled")
    clconv.save(LAYERS.build((3, 16, 16)), folder / "model.onnx")
    clconv.compile(folder / "model.onnx", folder / "model.clconv", device=device)
    return folder


@pytest.fixture
def path(files: Path, tmp_path: Path) -> Path:
    """A compiled network to change."""
    return Path(shutil.copy(files / "model.clconv", tmp_path / "copy.clconv"))


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return list(found) == list(expected) and all(
        np.array_equal(found[name], expected[name]) for name in expected
    )


_ELSEWHERE = """
import sys, warnings, numpy as np, clconv
from clconv.runtime.opencl.compiler import Compiler
warnings.simplefilter("error")
Compiler._build = None  # nothing is compiled
session = clconv.load("model.clconv", {index})
np.save("found.npy", session(np.load("x.npy")))
print([n for n in ("onnx", "mako", "clconv.lowering.lower", "clconv.graph.ops") if n in sys.modules])
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="modes are POSIX's")
def test_serves_from_another_folder_with_empty_caches(
    device: DeviceInfo, files: Path, tmp_path: Path
) -> None:
    """A file that may only be read, as another user's would be."""
    for name in ("home", "cache2", "programs"):
        make_private(tmp_path / name)
    shutil.copy(files / "model.clconv", tmp_path)
    (tmp_path / "model.clconv").chmod(0o444)
    np.save(tmp_path / "x.npy", X)
    surroundings = {
        **os.environ, "HOME": str(tmp_path / "home"), "CLCONV_CACHE_DIR": str(tmp_path / "cache2"),
        "POCL_CACHE_DIR": str(tmp_path / "programs"),
        "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
    }  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE.format(index=device.index)], cwd=tmp_path,
        env=surroundings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0 and run.stdout == "[]\n", run.stderr
    expected = clconv.load(files / "model.onnx", device)(X)
    assert np.array_equal(np.load(tmp_path / "found.npy"), expected)


def test_is_a_model_like_any_other(device: DeviceInfo, files: Path) -> None:
    session = clconv.load(files / "model.clconv", device)
    model = clconv.load(files / "model.onnx", device)
    assert same(session.run(X), model.run(X)) and repr(session) == repr(model)
    assert session.inputs == model.inputs and session.outputs == model.outputs
    assert str(session.graph) == str(model.graph)
    name = next(n.outputs[0] for n in session.imported.nodes if n.op == "Conv")
    assert same(session.activations(X, name), model.activations(X, name))
    inside = clconv.load(files / "model.clconv", device, outputs=[name])
    assert same(inside.run(X), model.activations(X, name))


def test_several_shapes(device: DeviceInfo, tmp_path: Path) -> None:
    graph = LAYERS.build((3, 16, 16), batch=None)
    path = tmp_path / "open.clconv"
    with pytest.raises(InputError, match="for which shapes: input"):
        clconv.compile(graph, path, device=device)
    with pytest.raises(InputError):
        clconv.compile(graph, path, device=device, shapes={"input": (1, 4, 16, 16)})
    assert not path.exists()
    clconv.compile(graph, path, device=device, shapes=[{"input": (n, 3, 16, 16)} for n in (1, 2)])
    session, whole = clconv.load(path, device), clconv.load(graph, device)
    for n in (1, 2, 3):  # the last is not in the file
        x = np.repeat(X, n, axis=0)
        assert same(session.run(x), whole.run(x)), n


@pytest.mark.parametrize(
    "change, told",
    [
        ("version", "compiled by clconv 0.0.1, this is"),
        ("code", "whose code differs"),
        ("driver", "another device, whose driver is 'older'"),
        ("compute_units", "another device, whose compute_units is 99"),
        ("precision", "compiled with precision='float32', not 'strict'"),
        ("quarantined", "doctor` has since found Conv:direct to be wrong"),
        ("mode", "can be written by everybody"),
    ],
)
def test_where_it_does_not_serve_the_model_inside_does(
    device: DeviceInfo, path: Path, change: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = clconv.load(path, device).run(X)
    network = compiled.open_compiled(path)
    if change == "mode":
        path.chmod(0o666)
    elif change == "precision":
        monkeypatch.setenv("CLCONV_PRECISION", "strict")
    elif change == "quarantined":
        monkeypatch.setattr(compiled, "_quarantined", lambda device: [["Conv", "direct"]])
    else:
        values = {"version": "0.0.1", "code": "other", "driver": "older", "compute_units": 99}
        of_device = change in ("driver", "compute_units")
        then = network.facts["device"] if of_device else network.facts
        then[change] = values[change]
        monkeypatch.setattr("clconv.api.open_compiled", lambda path: network)
    with pytest.warns(ClconvWarning, match=told):
        session = clconv.load(path, device)
    found = session.run(X)
    assert all(np.allclose(found[n], expected[n], atol=1e-5) for n in expected)
    assert session.precision == ("strict" if change == "precision" else "float32")


def test_its_precision_is_that_of_the_compilation(
    device: DeviceInfo, files: Path, path: Path
) -> None:
    clconv.compile(files / "model.onnx", path, device=device, precision="strict")
    assert clconv.load(path, device).precision == "strict"


def test_a_damaged_file_is_an_error_and_never_a_wrong_answer(
    device: DeviceInfo, files: Path, path: Path
) -> None:
    expected = clconv.load(path, device).run(X)
    whole, chance = path.read_bytes(), random.Random(5)
    refused = 0
    for i in range(40):
        place = chance.randrange(len(whole)) if i > 4 else i * 3
        content = bytearray(whole)
        content[place] ^= 1 << chance.randrange(8)
        path.write_bytes(whole[:place] if i % 2 else content)
        try:
            found = clconv.load(path, device).run(X)
        except ModelError as reason:
            refused += 1
            assert str(path) in str(reason) and "make it anew" in str(reason)
        else:  # a byte of what was not needed
            assert same(found, expected), (i, place)
    assert refused >= 25


@pytest.mark.parametrize(
    "place",
    [
        ["face"], ["face", "inputs"], ["face", "specs"], ["plans"], ["plans", 0, 0], ["probed"],
        ["programs"], ["facts"], ["facts", "version"], ["facts", "code"], ["facts", "device"],
        ["facts", "options"], ["facts", "options", "precision"], ["facts", "quarantined"],
    ],
    ids=lambda place: ".".join(map(str, place)),
)  # fmt: skip
def test_a_file_that_says_something_else_is_an_error(
    place: list[Any], device: DeviceInfo, path: Path
) -> None:
    """As one that another version of clconv has written may."""
    blobs = Blobs(path)
    network = json.loads(blobs.read("network"))
    holder = functools.reduce(operator.getitem, place[:-1], network)
    holder[place[-1]] = 0
    contents = {n: blobs.read(n) for n in blobs.names} | {"network": json.dumps(network).encode()}
    with path.open("wb") as file:
        write_blobs(file, [Blob(n, len(c), lambda c=c: c) for n, c in contents.items()])
    with pytest.raises((ModelError, ConfigError)):
        clconv.load(path, device)


def test_weights_are_used_where_they_are(
    device: DeviceInfo, files: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no more once somebody has written into the file."""
    monkeypatch.setattr(stored_weights, "_MAPPED", 1)
    lent: list[int] = []
    lend = DeviceConstants.lent

    def noted(self: DeviceConstants, memory: np.ndarray) -> Any:
        lent.append(memory.nbytes)
        return lend(self, memory)

    monkeypatch.setattr(DeviceConstants, "lent", noted)
    expected = clconv.load(files / "model.onnx", device).run(X)
    session = clconv.load(path, device)
    assert same(session.run(X), expected) and same(session.run(X), expected)
    if "small-pages" not in device.quirks:
        pytest.skip(f"{device} has memory of its own")
    assert lent
    path.rename(path.with_name("moved.clconv"))
    path.write_bytes(b"a new file in the place of the old one")
    assert same(session.run(X), expected)
    with path.with_name("moved.clconv").open("r+b") as file:
        file.write(b"x")
    os.utime(path.with_name("moved.clconv"), (1, 1))
    with pytest.raises(ModelError, match="was overwritten while the network in it was in use"):
        session.run(X)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 a zip", bytes(1000), b"\x08\x08 an ONNX model"]
)
def test_other_files_of_that_name_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.clconv"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.clconv"):
        clconv.load(path)
    with pytest.raises(ModelError, match="no such file"):
        clconv.load(tmp_path / "none.clconv")


def test_what_is_kept_of_a_network_is_no_compiled_one(
    device: DeviceInfo, files: Path, cache: Path
) -> None:
    clconv.load(files / "model.onnx", device).close()
    (kept,) = (cache / "networks").glob("*.clconv")
    with pytest.raises(ModelError, match="no compiled network"):
        clconv.load(kept, device)


def test_holds_data_that_lay_beside_the_model(
    device: DeviceInfo, files: Path, tmp_path: Path
) -> None:
    model = onnx.load(files / "model.onnx")
    beside = tmp_path / "beside.onnx"
    onnx.save(model, beside, save_as_external_data=True, location="w.data", size_threshold=0)
    clconv.compile(beside, tmp_path / "one.clconv", device=device)
    clconv.compile(tmp_path / "one.clconv", tmp_path / "two.clconv", device=device)
    expected = clconv.load(beside, device).run(X)
    (tmp_path / "w.data").unlink()
    for name in ("one", "two"):
        session = clconv.load(tmp_path / f"{name}.clconv", device)
        assert same(session.run(X), expected)
        assert len(session.imported.nodes) == 3


def test_what_cannot_be_compiled_is_told(device: DeviceInfo, files: Path, tmp_path: Path) -> None:
    model = files / "model.onnx"
    with pytest.raises(ConfigError, match=r"with \.clconv"):
        clconv.compile(model, tmp_path / "x.onnx", device=device)
    with pytest.raises(ClconvError, match="no such file"):
        clconv.compile(tmp_path / "none.onnx", tmp_path / "x.clconv", device=device)
    with pytest.raises(ModelError, match="cannot be written"):
        clconv.compile(model, tmp_path / "none" / "x.clconv", device=device)
    depends = onnx.helper.make_graph(
        [onnx.helper.make_node("NonZero", ["x"], ["y"])], "depends",
        [onnx.helper.make_tensor_value_info("x", 1, [2, 3])],
        [onnx.helper.make_tensor_value_info("y", 7, [2, None])],
    )  # fmt: skip
    content = onnx.helper.make_model(
        depends, ir_version=9, opset_imports=[onnx.helper.make_opsetid("", 19)]
    ).SerializeToString()
    with pytest.raises(ConfigError, match="depends on what its inputs hold; load the model itself"):
        clconv.compile(content, tmp_path / "x.clconv", device=device)
    assert not (tmp_path / "x.clconv").exists()
