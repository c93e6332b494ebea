"""A small network whose names are as bad as a model's may be, and a profile that needs no device."""

from __future__ import annotations

from onnx import helper

from clconv.graph.ir import Graph
from clconv.profiling.ceilings import Ceilings
from clconv.profiling.profile import Event, Profile, Row
from tests.graph.graph_builder import Builder
from tests.runtime.control_flow import BOOL, FLOAT, INT64, WEIGHT, graph, model, value

NASTY = (
    "</script><script>window.planted = 1</script><img src=x onerror='window.planted = 1'>&\u2028\"'"
)


def network(batch: int | str = "n") -> Graph:
    """Two convolutions and a pool, of 16 pixels."""
    b = Builder()
    x = b.input(batch, 3, 16, 16)
    y = b.node("Relu", b.conv(x, 8, 3, 3, pads=(1, 1, 1, 1)))
    z = b.node(
        "MaxPool", y, kernel_shape=(2, 2), strides=(2, 2), dilations=(1, 1), pads=(0, 0, 0, 0)
    )
    return b.graph(b.conv(z, 4, 8, 1, out="result"))


def growing_loop() -> bytes:
    """A Loop of convolutions, of input "m" trips, whose condition the host has to look at: a model's file."""
    body = graph(
        [
            helper.make_node("Conv", ["v", "w"], ["v2"], pads=[1, 1, 1, 1]),
            helper.make_node("ReduceMean", ["v2"], ["mean"], keepdims=0),
            helper.make_node("Less", ["mean", "limit"], ["go"]),
        ],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, [1, 3, 8, 8])],
        [value("go", BOOL), value("v2")],
        "body",
    )
    loop = helper.make_node("Loop", ["m", "", "x"], ["y"], "the loop", body=body)
    inputs = [value("x", FLOAT, [1, 3, 8, 8]), value("m", INT64, []), value("limit", FLOAT, [])]
    main = graph([loop], inputs, [value("y", FLOAT, [1, 3, 8, 8])], w=WEIGHT)
    return model(main).SerializeToString()


def planted() -> Profile:
    """As measured: three launches of two layers."""
    rows = (
        Row(NASTY, "Conv+Relu", "winograd4", "winograd_input", 1, 1e-3, 0, 4000),
        Row(NASTY, "Conv+Relu", "winograd4", "winograd_product", 1, 3e-3, 6_000_000, 8000),
        Row("pool", "MaxPool", "blocked", "pool_blocked", 2, 2e-3, 1000, 2_000_000),
    )
    bars = (
        Event("load", "import", 0.0, 0.25),
        Event("host", "write inputs", 0.0, 1e-4),
        Event("worker 0", NASTY, 1e-4, 4e-3, "winograd_product"),
        Event("worker 10", "pool", 4e-3, 6e-3, "pool_blocked"),
        Event("worker 9", "pool", 4e-3, 6e-3, "pool_blocked"),
    )
    return Profile(
        model=f"{NASTY}.onnx",
        device="a device",
        driver="1.0",
        precision="float32",
        inputs={NASTY: "float32[1x3x8x8]"},
        method="joined",
        runs=5,
        run=6.9e-3,
        profiled=7e-3,
        load={"import": 0.25, "build": 0.75},
        outside={"write inputs": 1e-3, "around": 3e-3},
        launches=rows,
        ceilings=Ceilings(4e9, 2e9, "2026-11-28"),
        timeline=bars,
        clconv="0.1",
    )
