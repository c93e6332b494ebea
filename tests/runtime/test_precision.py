"""precision: how it is asked for, and what it changes in a session."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import clconv.compat.onnxruntime as stand_in
from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import ConfigError
from clconv.graph.ir import DType
from clconv.session.session import Session
from tests.compat.models import classifier

BYTES = classifier().SerializeToString()


def dtypes(session: Session) -> set[DType]:
    """Of what the kernels of a session write."""
    specs = {name: spec.shape for name, spec in session.inputs.items()}
    plan = session.prepare(
        {n: [d if isinstance(d, int) else 1 for d in s] for n, s in specs.items()}
    ).plan
    return {plan.lowered.specs[o].dtype for node in plan.graph.nodes for o in node.outputs if o}


def test_float32_stays_float32(device: DeviceInfo) -> None:
    assert dtypes(load(BYTES, device)) == {DType.FLOAT32}


def test_asked_for_by_argument_variable_or_provider(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DType.FLOAT16 in dtypes(load(BYTES, device, precision="float16"))
    options = {"device": device.index, "precision": "float16"}
    given = stand_in.InferenceSession(BYTES, providers=[("OpenCLExecutionProvider", options)])
    assert given.session.precision == "float16"
    monkeypatch.setenv("CLCONV_PRECISION", "FLOAT16")
    assert DType.FLOAT16 in dtypes(load(BYTES, device))
    assert dtypes(load(BYTES, device, precision="float32")) == {DType.FLOAT32}


def convolution(group: int = 1) -> bytes:
    """A network that takes Winograd's transforms as usual, and with groups those that count as one."""
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((32, 32 // group, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4, group=group),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Add", ["r", "x"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 32, 20, 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


@pytest.mark.parametrize("group", [1, 8])
def test_strict_keeps_outliers_where_they_are(
    device: DeviceInfo, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = load(convolution(group), device, precision="strict")
    x = np.random.default_rng(4).standard_normal((2, 32, 20, 24)).astype(np.float32)
    usual = session.run({"x": x})["y"]
    channels = slice(4, 8) if group == 8 else slice(None)  # of the group that reads channel 5
    for value in (np.nan, np.inf, -np.inf, 1e30, 1e6, 1e4):
        hostile = x.copy()
        hostile[1, 5, 9, 10] = value
        found = session.run({"x": hostile})["y"]
        read = np.zeros(found.shape, bool)
        read[1, channels, 8:11, 9:12] = True
        np.testing.assert_array_equal(found[~read], usual[~read])
    monkeypatch.setenv("CLCONV_PRECISION", "strict")
    assert load(convolution(), device).precision == "strict"
    options = {"device": device.index, "precision": "strict"}
    given = stand_in.InferenceSession(
        convolution(), providers=[("OpenCLExecutionProvider", options)]
    )
    assert given.session.precision == "strict"


def test_strict_takes_neither_winograd_nor_matrix_instructions(device: DeviceInfo) -> None:
    able = dataclasses.replace(device, matrix=frozenset({"tf32", "emulated"}), matrix_verified=True)
    session = load(convolution(), able, precision="strict")
    plan = session.prepare({"x": (1, 32, 20, 24)}).plan
    entries = {call.kernel.entry for call in plan.calls}
    assert not any("winograd" in entry for entry in entries), entries
    assert all(dict(call.kernel.parameters).get("kind") is None for call in plan.calls)


def test_an_unknown_precision_is_an_error(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"precision='float8'.*float16"):
        load(BYTES, device, precision="float8")
    monkeypatch.setenv("CLCONV_PRECISION", "bfloat16")
    with pytest.raises(ConfigError, match="CLCONV_PRECISION"):
        load(BYTES, device)


def test_inputs_and_outputs_stay_what_the_model_declares(device: DeviceInfo) -> None:
    wide, narrow = load(BYTES, device), load(BYTES, device, precision="float16")
    feeds = {
        name: np.random.default_rng(0).random(
            [d if isinstance(d, int) else 1 for d in spec.shape], np.float32
        )
        for name, spec in wide.inputs.items()
    }
    assert narrow.inputs == wide.inputs
    expected, found = wide.run(feeds), narrow.run(feeds)
    for name, reference in expected.items():
        assert found[name].dtype == reference.dtype
        scale = float(np.abs(reference).max())
        np.testing.assert_allclose(found[name], reference, rtol=0, atol=1e-2 * scale)


def test_plans_of_a_session_share_narrowed_weights(device: DeviceInfo) -> None:
    session = load(BYTES, device, precision="float16")
    ((name, spec),) = session.inputs.items()
    shape = [d if isinstance(d, int) else 1 for d in spec.shape]
    session.prepare({name: [2, *shape[1:]]})
    once = session._shared.prepared.constants.nbytes
    session.prepare({name: [3, *shape[1:]]})
    assert session._shared.prepared.constants.nbytes == once
