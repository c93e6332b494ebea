"""What a body may say: every way in which it can be wrong has a sentence of its own, and a right one its arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from clconv.graph.ir import DType, TensorSpec
from clconv.serving.datatypes import NAMES
from clconv.serving.refused import Refused
from clconv.serving.request import InferRequest, parse_request
from clconv.serving.response import encode_response

SPECS = {"x": TensorSpec((None, 3), DType.FLOAT32), "n": TensorSpec((None,), DType.INT64)}
ONE = {"x": TensorSpec((None, 3), DType.FLOAT32)}
X = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2.5, 3]}
BINARY = {"name": "x", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": 12}}


def parse(document: Any, tail: bytes = b"", specs: Any = ONE, **more: Any) -> InferRequest:
    head = document if isinstance(document, bytes) else json.dumps(document).encode()
    length = more.get("length", str(len(head)) if tail else None)
    return parse_request(head + tail, length, specs, ("y", "z"))


def changed(tensor: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"inputs": [{**tensor, **changes}]}


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]])
def test_data_flat_or_nested(data: list[Any]) -> None:
    found = parse(changed(X, shape=[2, 3], data=data))
    np.testing.assert_array_equal(found.feeds["x"], np.arange(1, 7, dtype="f").reshape(2, 3))
    assert found.binary == {"y": False, "z": False} and found.id is None


def test_bytes_behind_the_json() -> None:
    """At any place, also where no float is aligned."""
    x, n = np.arange(3, dtype="<f4"), np.array([7], "<i8")
    number = {**BINARY, "name": "n", "shape": [1], "datatype": "INT64"}
    number["parameters"] = {"binary_data_size": 8}
    for blanks in range(4):
        head = json.dumps({"inputs": [number, BINARY], "id": " " * blanks}).encode()
        found = parse(head, n.tobytes() + x.tobytes(), SPECS)
        np.testing.assert_array_equal(found.feeds["x"], x[None])
        np.testing.assert_array_equal(found.feeds["n"], n)
        assert all(a.flags.aligned for a in found.feeds.values()) and found.id == " " * blanks


def test_which_outputs_come_as_what() -> None:
    def binary(**more: Any) -> dict[str, bool]:
        return parse({"inputs": [X], **more}).binary

    yes = {"binary_data_output": True}
    assert binary(parameters=yes) == {"y": True, "z": True}
    assert binary(outputs=[{"name": "z"}]) == {"z": False}
    assert binary(outputs=[{"name": "z"}, {"name": "y"}], parameters=yes) == {"z": True, "y": True}
    one = {"name": "z", "parameters": {"binary_data": False}}
    assert binary(outputs=[one, {"name": "y"}], parameters=yes) == {"z": False, "y": True}
    assert binary(outputs=[]) == {"y": False, "z": False}


BAD_JSON = [
    (b"", "no JSON"),
    (b"{", "no JSON"),
    (b"\xff\xfe", "no JSON"),
    (b"[" * 100_000, "no JSON"),
    (b'{"inputs": ' + b"9" * 5000 + b"}", "no JSON"),
    (b"[]", "no JSON object"),
    ({}, "no list of inputs"),
    ({"inputs": {}}, "no list of inputs"),
    ({"inputs": []}, "'x' is missing; the model takes 'x' FP32 [-1, 3]"),
    ({"inputs": [7]}, "an input is an object"),
    ({"inputs": [X, X]}, "twice"),
    ({"inputs": [X], "id": 7}, "id"),
    ({"inputs": [X], "parameters": []}, "parameters"),
    ({"inputs": [X], "parameters": {"binary_data_output": 1}}, "true or false"),
    ({"inputs": [X], "outputs": "y"}, "outputs are a list"),
    ({"inputs": [X], "outputs": ["y"]}, "outputs are a list"),
    ({"inputs": [X], "outputs": [{"name": "w"}]}, "there is no output 'w'; the model has y, z"),
    (
        {"inputs": [X], "outputs": [{"name": "y", "parameters": {"classification": 3}}]},
        "classification",
    ),
    (changed(X, name="w"), "there is no input 'w'; the model takes 'x' FP32 [-1, 3]"),
    (changed(X, name=["x"]), "there is no input"),
    (changed(X, datatype="FP64"), "takes datatype FP32, not 'FP64'"),
    (changed(X, datatype="BYTES"), "takes datatype FP32"),
    (changed(X, datatype=None), "takes datatype FP32"),
    (changed(X, shape=None), "shape is a list of whole numbers"),
    (changed(X, shape=3), "shape is a list of whole numbers"),
    (changed(X, shape=[1, 3.0]), "shape is a list of whole numbers"),
    (changed(X, shape=[1, float("nan")]), "shape is a list of whole numbers"),
    (changed(X, shape=[1, float("inf")]), "shape is a list of whole numbers"),
    (changed(X, shape=[True, 3]), "shape is a list of whole numbers"),
    (changed(X, shape=[1, "3"]), "shape is a list of whole numbers"),
    (changed(X, shape=[-1, -3]), "negative"),
    (changed(X, shape=[1] * 65), "axes"),
    (changed(X, shape=[0, 2**70]), "too large"),
    (changed(X, shape=[2**40, 2**40]), "needs 1208925819614629174706176 values, data has 3"),
    (changed(X, shape=[1, 4]), "needs 4 values, data has 3"),
    (changed(X, data=[[1], [2], [3]]), "nested as [3, 1]"),
    (changed(X, data=[[1, 2], [3]]), "different lengths"),
    (changed(X, data=[[1, 2], 3]), "needs 3 values, data has 2"),
    (changed(X, data="123"), "list of numbers"),
    (changed(X, data={"0": 1}), "list of numbers"),
    (changed(X, data=["1", "2", "3"]), "takes numbers"),
    (changed(X, data=[1, None, 3]), "takes numbers"),
    (changed(X, data=[1, True, 3]), "takes numbers"),
    (changed(X, data=[1, {}, 3]), "takes numbers"),
    (changed(X, data=[1, 1e39, 3]), "too large for FP32"),
    (changed(X, data=[1, 10**400, 3]), "too large for FP32"),
    (changed(X, parameters=7), "parameters"),
    (changed(X, parameters={"shared_memory_region": "r"}), "shared memory"),
    (changed(X, parameters={"binary_data_size": 12}), "either"),
    ({"inputs": [{k: v for k, v in X.items() if k != "data"}]}, "either"),
]


@pytest.mark.parametrize("document, said", BAD_JSON, ids=[said for _, said in BAD_JSON])
def test_bad_json(document: Any, said: str) -> None:
    with pytest.raises(Refused) as found:
        parse(document)
    assert found.value.status == 400 and said in str(found.value)
    assert "\n" not in str(found.value) and len(str(found.value)) < 400


BAD_BYTES = [
    (BINARY, b"\0" * 11, {}, "cut off"),
    (BINARY, b"\0" * 13, {}, "1 bytes are left over"),
    (BINARY, b"\0" * 12, {"length": "x"}, "Inference-Header-Content-Length"),
    (BINARY, b"\0" * 12, {"length": "-1"}, "Inference-Header-Content-Length"),
    (BINARY, b"\0" * 12, {"length": "9" * 30}, "Inference-Header-Content-Length"),
    (BINARY, b"\0" * 12, {"length": "9000"}, "cut off"),
    (BINARY, b"\0" * 12, {"length": "10"}, "no JSON"),
    ({**BINARY, "shape": [2**40, 3]}, b"\0" * 12, {}, "need 13194139533312 bytes"),
    ({**BINARY, "shape": [1, 2]}, b"\0" * 12, {}, "need 8 bytes"),
    ({**BINARY, "parameters": {"binary_data_size": -12}}, b"\0" * 12, {}, "number of bytes"),
    ({**BINARY, "parameters": {"binary_data_size": 1.5}}, b"\0" * 12, {}, "number of bytes"),
    ({**BINARY, "parameters": {"binary_data_size": True}}, b"\0" * 12, {}, "number of bytes"),
    ({**BINARY, "parameters": {"binary_data_size": "12"}}, b"\0" * 12, {}, "number of bytes"),
]


@pytest.mark.parametrize("tensor, tail, more, said", BAD_BYTES)
def test_bad_bytes(tensor: Any, tail: bytes, more: Any, said: str) -> None:
    with pytest.raises(Refused) as found:
        parse({"inputs": [tensor]}, tail, **more)
    assert found.value.status == 400 and said in str(found.value), found.value


@pytest.mark.parametrize("dtype", NAMES, ids=NAMES.values())
def test_every_datatype_both_ways(dtype: DType) -> None:
    """As bytes and as JSON, and what is out of its range."""
    specs = {"x": TensorSpec((None,), dtype)}
    values = np.array([0, 1, 1, 0], dtype.numpy)
    tensor = {"name": "x", "datatype": NAMES[dtype], "shape": [4]}
    size = {"parameters": {"binary_data_size": values.nbytes}}
    for found in (
        parse({"inputs": [{**tensor, "data": values.tolist()}]}, specs=specs),
        parse({"inputs": [{**tensor, **size}]}, values.tobytes(), specs),
    ):
        assert found.feeds["x"].dtype == dtype.numpy
        np.testing.assert_array_equal(found.feeds["x"], values)
        for binary in (False, True):
            asked = InferRequest({}, {"x": binary}, "me")
            encoded = encode_response("m", "1", asked, {"x": found.feeds["x"]})
            length = int(encoded.headers.get("Inference-Header-Content-Length", "0"))
            document = json.loads(encoded.content[: length or None])
            (output,) = document["outputs"]
            assert (document["id"], output["datatype"]) == ("me", NAMES[dtype])
            data = output.get("data")
            back = np.array(data) if data else np.frombuffer(encoded.content[length:], dtype.numpy)
            np.testing.assert_array_equal(back, values)
    wrong = [2, 0, 0, 0] if dtype is DType.BOOL else ["1", 0, 0, 0]
    if dtype.numpy.kind in "iu":
        wrong = [int(np.iinfo(dtype.numpy).max) + 1, 0, 0, 0]
    with pytest.raises(Refused):
        parse({"inputs": [{**tensor, "data": wrong}]}, specs=specs)


def test_a_bool_is_zero_or_one() -> None:
    tensor = {**BINARY, "datatype": "BOOL", "shape": [2], "parameters": {"binary_data_size": 2}}
    with pytest.raises(Refused, match="0 or 1"):
        parse({"inputs": [tensor]}, b"\x00\x02", {"x": TensorSpec((2,), DType.BOOL)})


def test_text_in_the_place_of_numbers_takes_no_memory() -> None:
    """NumPy would make every element as long as the longest."""
    data = ["x" * 10**6, *["y"] * 10**6]
    with pytest.raises(Refused, match="takes numbers"):
        parse(changed(X, shape=[len(data)], data=data))


def test_what_is_no_number_passes_both_ways() -> None:
    found = parse(changed(X, data=[float("nan"), float("inf"), 1])).feeds["x"]
    encoded = encode_response("m", "1", InferRequest({}, {"y": False}, None), {"y": found})
    assert json.loads(encoded.content)["outputs"][0]["data"][1] == float("inf")
