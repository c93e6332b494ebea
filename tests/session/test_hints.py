"""What an error about shapes proposes, and that it is so."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.errors import InputError
from clconv.graph.ir import TensorSpec
from clconv.session.hints import hint
from clconv.session.inputs import conform

NCHW, NHWC = TensorSpec((1, 3, 224, 200)), TensorSpec((1, 224, 200, 3))

CURES = [
    (NCHW, (3, 224, 200), "the batch axis is missing: x[None]"),
    (NCHW, (224, 200, 3), "this is HWC, the input takes NCHW: x.transpose(2, 0, 1)[None]"),
    (NCHW, (1, 224, 200, 3), "this is NHWC, the input takes NCHW: x.transpose(0, 3, 1, 2)"),
    (NHWC, (1, 3, 224, 200), "this is NCHW, the input takes NHWC: x.transpose(0, 2, 3, 1)"),
    (NHWC, (3, 224, 200), "this is CHW, the input takes NHWC: x.transpose(1, 2, 0)[None]"),
    (TensorSpec(("N", 3, "H", "W")), (7, 9, 9, 3), "x.transpose(0, 3, 1, 2)"),
    (TensorSpec(("N", 1, 28, 28)), (28, 28), "missing: x[None, None]"),
    (TensorSpec(("N", 28, 28, 1)), (28, 28), "missing: x[None, ..., None]"),
    (TensorSpec(("N", 1, 28, 28)), (7, 28, 28), "the channel axis is missing: x[:, None]"),
    (TensorSpec(("N", 28, 28, 1)), (7, 28, 28), "the channel axis is missing: x[..., None]"),
    (TensorSpec((3, 8, 8)), (1, 3, 8, 8), "there is one axis too many: x[0]"),
    (TensorSpec(("N", 784)), (784,), "x[None]"),
    (TensorSpec(("N", 784)), (5, 1, 28, 28), "the input takes rows: x.reshape(len(x), -1)"),
]


@pytest.mark.parametrize(("spec", "shape", "words"), CURES)
def test_the_cure_that_is_named_works(spec: TensorSpec, shape: tuple[int, ...], words: str) -> None:
    x = np.zeros(shape, np.float32)
    with pytest.raises(InputError) as caught:
        conform({"data": spec}, {"data": x})
    message = str(caught.value)
    assert message.startswith(f"input 'data' takes {spec}, got shape {shape}; ")
    assert message.endswith(words)
    cured = eval(message.rpartition(": ")[2], {"x": x})
    assert conform({"data": spec}, {"data": cured})["data"].size == x.size


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        (NCHW, (8, 3, 224, 200), "the batch is fixed at 1: run_batches() takes any number"),
        (NCHW, (1, 3, 224, 224), "; axis 3 is 224, the input has 200"),
        (
            NCHW,
            (1, 4, 100, 200),
            "; axis 1 is 4, the input has 3; axis 2 is 100, the input has 224",
        ),
        (NCHW, (3,), "; it has 1 axes, the input 4"),
        (TensorSpec((4,)), (5,), "; axis 0 is 5, the input has 4"),
    ],
)
def test_what_no_turn_of_axes_cures(spec: TensorSpec, shape: tuple[int, ...], words: str) -> None:
    assert words in hint(spec, shape)
