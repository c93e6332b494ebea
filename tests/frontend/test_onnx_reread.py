"""Weights that are read when they are needed, whatever became of the file, and stores that models are links into."""

from __future__ import annotations

import copy
import os

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clconv.errors import ModelError
from clconv.frontend.onnx import import_onnx
from clconv.frontend.onnx.reading.files import read_model
from clconv.frontend.onnx.reading.readers import FileReader, Window
from clconv.graph.ir import Graph
from tests.frontend.support import model, node, random, value

W = random(64, 3, 16, 16, seed=3)  # 196 KB: not parsed with the model


def proto(w=W):
    return model([node("Conv", ["x", "w"], ["y"])], [value("x", "n", 3, "h", "v")], ["y"], {"w": w})


def write(folder, w=W, external=False, name="model.onnx"):
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    if external:
        onnx.save(
            proto(w),
            str(path),
            save_as_external_data=True,
            location=f"{name}_data",
            size_threshold=0,
        )
    else:
        path.write_bytes(proto(w).SerializeToString())
    return path


def weights_file(path, external):
    return path.with_name(f"{path.name}_data") if external else path


def weights(graph: Graph) -> np.ndarray:
    (constant,) = graph.constants.values()
    return constant.array


in_both_places = pytest.mark.parametrize("external", [False, True], ids=["inside", "beside"])


@in_both_places
def test_a_file_in_the_place_of_the_models_changes_nothing(tmp_path, external):
    path = write(tmp_path / "a", external=external)
    graph = import_onnx(path)
    file = weights_file(path, external)
    seen = file.stat()
    other = weights_file(write(tmp_path / "b", -W, external=external), external)
    os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    os.replace(other, file)
    for _ in range(2):
        np.testing.assert_array_equal(weights(graph), W)
    np.testing.assert_array_equal(weights(copy.copy(graph)), W)


@in_both_places
def test_a_file_that_is_gone_is_still_read(tmp_path, external):
    path = write(tmp_path, external=external)
    graph = import_onnx(path)
    path.unlink()
    if external:
        weights_file(path, external).unlink()
    np.testing.assert_array_equal(weights(graph), W)


@in_both_places
@pytest.mark.parametrize("same_time", [False, True])
def test_a_file_that_was_written_over_is_noticed(tmp_path, external, same_time):
    path = write(tmp_path, external=external)
    graph = import_onnx(path)
    file = weights_file(path, external)
    seen = file.stat()
    content = bytearray(file.read_bytes())
    place = bytes(content).index(W.tobytes()[:64])
    content[place : place + W.nbytes] = (-W).tobytes()
    file.write_bytes(content)
    if same_time:
        os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    else:
        os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns + 10**9))
    with pytest.raises(ModelError, match="written to since it was loaded"):
        weights(graph)


@in_both_places
def test_a_file_that_was_cut_is_noticed(tmp_path, external):
    path = write(tmp_path, external=external)
    graph = import_onnx(path)
    os.truncate(weights_file(path, external), 1000)
    with pytest.raises(ModelError, match="written to since it was loaded"):
        weights(graph)


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="this system does not list open files"
)
@in_both_places
def test_descriptors_go_with_the_graph(tmp_path, external):
    before = len(os.listdir("/proc/self/fd"))
    path = write(tmp_path, external=external)
    graphs = [import_onnx(path) for _ in range(8)]
    assert len(os.listdir("/proc/self/fd")) == before + 8
    del graphs
    assert len(os.listdir("/proc/self/fd")) == before


def test_small_tensors_beside_the_model_are_read_at_once(tmp_path):
    small = random(4, 3, 2, 2)
    path = write(tmp_path, small, external=True)
    graph = import_onnx(path)
    weights_file(path, True).write_bytes(b"other")
    np.testing.assert_array_equal(weights(graph), small)


def linked(link, target):
    link.parent.mkdir(exist_ok=True, parents=True)
    link.symlink_to(os.path.relpath(target, link.parent))


@pytest.mark.parametrize("inside", ["", "onnx"])
def test_a_store_that_model_and_data_are_links_into(tmp_path, inside):
    """As in the cache of Hugging Face's hub."""
    made = write(tmp_path / "made", external=True)
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc" / inside
    blobs.mkdir()
    os.rename(made, blobs / "1111")
    os.rename(weights_file(made, True), blobs / "2222")
    linked(snapshot / "model.onnx", blobs / "1111")
    linked(snapshot / "model.onnx_data", blobs / "2222")
    np.testing.assert_array_equal(weights(import_onnx(snapshot / "model.onnx")), W)


def test_a_link_to_a_model_whose_data_lie_beside_it(tmp_path):
    made = write(tmp_path / "made", external=True)
    linked(tmp_path / "elsewhere" / "link.onnx", made)
    np.testing.assert_array_equal(weights(import_onnx(tmp_path / "elsewhere" / "link.onnx")), W)
    folder = tmp_path / "folder"
    folder.symlink_to(made.parent)
    np.testing.assert_array_equal(weights(import_onnx(folder / "model.onnx")), W)


def test_links_of_data_to_anywhere_else_are_refused(tmp_path):
    made = write(tmp_path / "made", external=True)
    secret = tmp_path / "secret"
    os.rename(weights_file(made, True), secret)
    linked(weights_file(made, True), secret)
    with pytest.raises(ModelError, match="leads out of the model's folder"):
        import_onnx(made)
    linked(tmp_path / "far" / "deep" / "model.onnx", made)  # a link does not open what lies above
    with pytest.raises(ModelError, match="leads out of the model's folder"):
        import_onnx(tmp_path / "far" / "deep" / "model.onnx")


def test_a_model_that_is_no_link_may_not_lead_into_another_folder(tmp_path):
    made = write(tmp_path / "made", external=True)
    store = tmp_path / "store"
    store.mkdir()
    os.rename(weights_file(made, True), store / "data")
    linked(weights_file(made, True), store / "data")
    with pytest.raises(ModelError, match="leads out of the model's folder"):
        import_onnx(made)


@pytest.mark.parametrize("length", [256, 5000, 10**6])
def test_names_of_external_files_that_no_system_has(tmp_path, length):
    path = write(tmp_path, external=True)
    broken = onnx.load(path, load_external_data=False)
    entries = broken.graph.initializer[0].external_data
    next(e for e in entries if e.key == "location").value = "a" * length
    path.write_bytes(broken.SerializeToString())
    with pytest.raises(ModelError, match="'w'") as caught:
        import_onnx(path)
    assert len(str(caught.value)) < 1000


def test_weights_are_not_read_with_the_model(tmp_path, monkeypatch):
    path, read = write(tmp_path, random(640, 3, 16, 16, seed=3)), []
    into = FileReader._into
    monkeypatch.setattr(
        FileReader, "_into", lambda self, view, at: read.append(len(view)) or into(self, view, at)
    )
    found, _ = read_model(path)
    assert sum(read) < path.stat().st_size / 4 and found.graph.node[0].op_type == "Conv"
    weights(import_onnx(path))
    assert sum(read) > path.stat().st_size


def test_a_file_is_parsed_as_its_bytes_are(tmp_path):
    """With fields on both sides of where a piece ends."""
    for length in (1 << 16, (1 << 16) + 1, 70_000, 130_990, 131_072):
        content = model(
            [node("Conv", ["x", "w"], ["y"]), node("Add", ["y", "b"], ["z"])],
            [value("x", "n", 3, "h", "v")],
            ["z"],
            {"w": W, "b": random(length // 8), "c": random(length // 4), "d": random(3)},
        ).SerializeToString()
        (tmp_path / "x.onnx").write_bytes(content)
        (kept, origin), (expected, whole) = read_model(tmp_path / "x.onnx"), read_model(content)
        assert kept.SerializeToString() == expected.SerializeToString()
        assert origin.weights.keys() == whole.weights.keys() != set()
        for name, span in origin.weights.items():
            assert np.array_equal(span.read(), whole.weights[name].read())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200_100), st.integers(0, 70_000)), max_size=20))
def test_a_window_has_what_the_file_has(tmp_path_factory, parts):
    content = random(50_000, seed=1).tobytes()
    path = tmp_path_factory.getbasetemp() / "window"
    if not path.exists():
        path.write_bytes(content)
    window = Window(FileReader(path))
    for begin, length in parts:
        assert bytes(window[begin : begin + length]) == content[begin : begin + length]
    assert len(window) == len(content) and bytes(window[:]) == content
