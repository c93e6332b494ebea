"""Gradient graphs on every device."""

from __future__ import annotations

import numpy as np

import clconv
from clconv.graph.derivatives import gradients
from clconv.graph.ir import TensorSpec
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from tests.graph.gradient.test_derivatives import dense


def test_on_a_device(device: clconv.DeviceInfo) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    backward = gradients(dense("N"), ["y"], ["x", "w"])
    found = clconv.Session(backward, device).run({"x": x})
    wanted = run_reference(specialise(backward, {"x": TensorSpec((2, 3))}).graph, {"x": x})
    for name in backward.outputs:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=1e-6)
