"""Files and bytes that are no model end in a ModelError that names them."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from clconv.errors import ModelError
from clconv.frontend.onnx import import_onnx
from clconv.frontend.onnx.reading.readers import BytesReader
from clconv.frontend.onnx.reading.spans import LARGE, leave_out_weights
from tests.frontend.support import model, node, random, run_graph, value


def small() -> onnx.ModelProto:
    return model(
        [node("Add", ["x", "w"], ["y"], name="add")],
        [value("x", 2, 3)],
        constants={"w": random(2, 3)},
    )


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ModelError, match="no such file") as caught:
        import_onnx(tmp_path / "absent.onnx")
    assert "absent.onnx" in str(caught.value)
    (tmp_path / "inside.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"folder.*inside\.onnx"):
        import_onnx(tmp_path)


@pytest.mark.parametrize("path", ["", "a\0b.onnx", 7, None, b""])
def test_what_is_no_path(path):
    with pytest.raises(ModelError):
        import_onnx(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="regular"):
        import_onnx(tmp_path / "pipe.onnx")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "is empty"),
        (b"hello, I am text\n" * 20, "not an ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"PK\x03\x04 rest of a checkpoint", "zip archive"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x08\x0a", "no graph"),
        (b"\x3a\xff\xff\xff\xff\x07", "not an ONNX model"),  # a graph of 2 GiB that is not there
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "not an ONNX model"),
        (b"\x00" * 64, "not an ONNX model"),
    ],
)
def test_other_contents(tmp_path, content, wanted):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=wanted) as caught:
        import_onnx(path)
    assert "model.onnx" in str(caught.value)
    with pytest.raises(ModelError, match=wanted):
        import_onnx(content)


def test_truncated_everywhere():
    """Whatever the cut, either it still is a whole model or a ModelError says what is wrong."""
    data = small().SerializeToString()
    refused = 0
    for length in range(len(data)):
        try:
            import_onnx(data[:length])
        except ModelError:
            refused += 1
    assert refused >= len(data) - 4  # the opset comes last: cuts inside it may still leave one


def test_random_bytes_and_random_damage():
    rng = np.random.default_rng(0)
    data = np.frombuffer(small().SerializeToString(), np.uint8)
    outcomes = set()
    for _ in range(300):
        noise = rng.integers(0, 256, int(rng.integers(1, 400)), np.uint8)
        damaged = data.copy()
        damaged[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3, np.uint8)
        for candidate in (noise, damaged):
            try:
                import_onnx(candidate.tobytes())
                outcomes.add("read")
            except ModelError:
                outcomes.add("refused")
    assert "refused" in outcomes


def test_a_model_of_a_million_fields_is_not_walked_in_python():
    """Two bytes are a field: protobuf reads 2 GB of them in seconds, Python in an hour."""
    large = np.zeros(LARGE, np.uint8)
    proto = model([node("Identity", ["w"], ["y"])], [], ["y"], {"w": large})
    data, unknown = proto.SerializeToString(), b"\xfa\x7f\x00"
    skeleton, weights = leave_out_weights(memoryview(data), BytesReader(data))
    assert list(weights) == ["w"] and len(skeleton) < LARGE
    wide = data + unknown * (1 << 20)
    skeleton, weights = leave_out_weights(memoryview(wide), BytesReader(wide))
    assert not weights and skeleton == wide
    (constant,) = import_onnx(wide).constants.values()
    np.testing.assert_array_equal(constant.array, large)


def test_model_without_graph():
    with pytest.raises(ModelError, match="no graph"):
        import_onnx(onnx.ModelProto(ir_version=8).SerializeToString())


def damaged_tensor(**changes):
    proto = small()
    tensor = proto.graph.initializer[0]
    for key, given in changes.items():
        if key == "dims":
            del tensor.dims[:]
            tensor.dims.extend(given)
        else:
            setattr(tensor, key, given)
    return proto.SerializeToString()


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"raw_data": b"\0" * 20}, "needs 24 bytes, but holds 20"),
        ({"raw_data": b""}, "needs 24 bytes, but holds 0"),
        ({"dims": [2, -3]}, "negative size"),
        ({"dims": [2**62, 2**62, 5]}, "larger than any memory"),
        ({"dims": [0, 2**40, 2**40]}, "larger than any memory"),
        ({"dims": [1] * 65}, "has 65 axes"),
        ({"dims": [2**40]}, "needs 4398046511104 bytes"),
        ({"data_type": TensorProto.DOUBLE}, "needs 48 bytes"),
        ({"data_type": 0}, "no element type"),
        ({"data_type": 99}, "number 99"),
        ({"data_type": TensorProto.BFLOAT16}, "BFLOAT16"),
        ({"data_type": TensorProto.STRING}, "STRING"),
        ({"data_type": TensorProto.INT4}, "INT4"),
    ],
)
def test_tensors_whose_data_do_not_fit_are_named(changes, wanted):
    with pytest.raises(ModelError, match=wanted) as caught:
        import_onnx(damaged_tensor(**changes))
    assert "'w'" in str(caught.value)


def test_unsupported_initializer_that_nothing_uses_is_no_error():
    proto = small()
    proto.graph.initializer.append(helper.make_tensor("text", TensorProto.STRING, [1], [b"hi"]))
    assert "text" not in import_onnx(proto.SerializeToString()).constants


@pytest.mark.parametrize(
    "array",
    [
        np.float32([[1.5, -2]]), np.float64([1e300]), np.float16([0.1, 2]), np.int64([-(2**62)]),
        np.int32([-5]), np.int16([-300]), np.int8([-128]), np.uint64([2**63]), np.uint32([2**31]),
        np.uint16([65535]), np.uint8([255]), np.array([True, False]), np.float32(3), np.zeros((0, 3)),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)  # fmt: skip
def test_typed_and_raw_fields_read_alike(array):
    enum = helper.np_dtype_to_tensor_dtype(array.dtype)
    typed = helper.make_tensor("c", enum, array.shape, array.reshape(-1).tolist())
    assert not typed.raw_data
    proto = model([node("Identity", ["c"], ["y"])])
    for tensor in (typed, onnx.numpy_helper.from_array(array, "c")):
        del proto.graph.initializer[:]
        proto.graph.initializer.append(tensor)
        found = run_graph(import_onnx(proto.SerializeToString()), {})[0]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_typed_field_of_the_wrong_length():
    proto = small()
    proto.graph.initializer[0].CopyFrom(
        TensorProto(name="w", data_type=1, dims=[2, 3], float_data=[1])
    )
    with pytest.raises(ModelError, match="needs 6 elements, but float_data holds 1"):
        import_onnx(proto.SerializeToString())


def external(tmp_path, write=b"\0" * 64, **entries):
    """A model on disk whose weights lie in a file beside it."""
    proto = small()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, given in {"location": "weights.bin", **entries}.items():
        tensor.external_data.add(key=key, value=str(given))
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    if write is not None:
        (home / "weights.bin").write_bytes(write)
    path = home / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def test_external_data_is_read_at_its_offset(tmp_path):
    w = random(2, 3)
    path = external(tmp_path, b"\1" * 8 + w.tobytes() + b"\2", offset=8, length=24)
    graph = import_onnx(path)
    np.testing.assert_array_equal(graph.constants["w"].array, w)
    path = external(tmp_path, w.tobytes())  # neither offset nor length
    np.testing.assert_array_equal(import_onnx(path).constants["w"].array, w)


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ({"location": "absent.bin"}, "does not exist"),
        ({"location": "/etc/passwd"}, "relative path inside"),
        ({"location": "../secret.bin"}, "relative path inside"),
        ({"location": "a/../../secret.bin"}, "relative path inside"),
        ({"location": "..\\secret.bin"}, "relative path inside"),
        ({"location": "C:\\secret.bin"}, "relative path inside"),
        ({"location": ""}, "no usable location"),
        ({"location": "a\0b"}, "no usable location"),
        ({"location": "."}, "does not exist"),
        ({"location": "link.bin"}, "leads out of the model's folder"),
        ({"location": "linked/secret.bin"}, "leads out of the model's folder"),
        ({"offset": 60}, "too short"),
        ({"offset": -4}, "offset '-4'"),
        ({"offset": "1e3"}, "offset '1e3'"),
        ({"offset": 10**30}, "too short"),
        ({"length": 20}, "needs 24 bytes"),
        ({"length": -24}, "length '-24'"),
    ],
)
def test_external_data_that_cannot_be_had(tmp_path, entries, wanted):
    (tmp_path / "secret.bin").write_bytes(b"\0" * 64)
    path = external(tmp_path, **entries)
    (path.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
    (path.parent / "linked").symlink_to(tmp_path)
    with pytest.raises(ModelError, match=wanted) as caught:
        import_onnx(path)
    assert "'w'" in str(caught.value)


def test_external_data_of_bytes_says_the_cure(tmp_path):
    path = external(tmp_path)
    with pytest.raises(ModelError, match="by its path"):
        import_onnx(path.read_bytes())


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("sequence", "sequence"),
        ("text", "STRING"),
        ("none", "no type"),
    ],
)
def test_inputs_that_are_no_dense_tensors(kind, wanted):
    proto = small()
    declared = proto.graph.input[0]
    if kind == "sequence":
        declared.type.CopyFrom(
            helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
        )
    elif kind == "text":
        declared.type.tensor_type.elem_type = TensorProto.STRING
    else:
        declared.ClearField("type")
    with pytest.raises(ModelError, match=wanted) as caught:
        import_onnx(proto.SerializeToString())
    assert "'x'" in str(caught.value)


def test_sparse_initializers_without_values_are_refused():
    proto = small()
    sparse = proto.graph.sparse_initializer.add()
    sparse.values.name = "holes"
    with pytest.raises(ModelError, match="holes"):
        import_onnx(proto.SerializeToString())
