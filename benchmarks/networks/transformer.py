"""Transformers that come with convolutional networks, as ONNX nodes the way PyTorch exports them; seeded weights."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

_EPSILON = 1e-6
_OPSET = 21


class _Nodes:
    """Nodes and weights of a network as it grows."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[object] = []
        self.weights: list[TensorProto] = []
        self._rng = np.random.default_rng(seed)

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        """A node; the name of its result."""
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, values: object, dtype: str = "float32") -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def random(self, *shape: int, scale: float) -> str:
        return self.constant(scale * self._rng.standard_normal(shape))

    def normalised(self, x: str, size: int) -> str:
        ones, zeros = self.constant(np.ones(size)), self.constant(np.zeros(size))
        return self.add("LayerNormalization", x, ones, zeros, axis=-1, epsilon=_EPSILON)

    def dense(self, x: str, rows: int, columns: int) -> str:
        product = self.add("MatMul", x, self.random(rows, columns, scale=rows**-0.5))
        return self.add("Add", self.random(columns, scale=0.02), product)

    def block(self, x: str, words: int, size: int, heads: int) -> str:
        """Attention, then two dense layers with GELU between them, each behind a norm and around a shortcut."""
        head = size // heads
        qkv = self.dense(self.normalised(x, size), size, 3 * size)
        split = self.add("Reshape", qkv, self.constant([-1, words, 3, heads, head], "int64"))
        parts = self.add("Transpose", split, perm=[2, 0, 3, 1, 4])
        q, k, v = (self.add("Gather", parts, self.constant(i, "int64"), axis=0) for i in range(3))
        scaled = self.add("Mul", q, self.constant(head**-0.5))
        turned = self.add("Transpose", k, perm=[0, 1, 3, 2])
        weights = self.add("Softmax", self.add("MatMul", scaled, turned), axis=-1)
        mixed = self.add("Transpose", self.add("MatMul", weights, v), perm=[0, 2, 1, 3])
        joined = self.add("Reshape", mixed, self.constant([-1, words, size], "int64"))
        x = self.add("Add", x, self.dense(joined, size, size))
        hidden = self.dense(self.normalised(x, size), size, 4 * size)
        erf = self.add("Erf", self.add("Div", hidden, self.constant(2**0.5)))
        gate = self.add("Mul", hidden, self.add("Add", erf, self.constant(1.0)))
        return self.add(
            "Add", x, self.dense(self.add("Mul", gate, self.constant(0.5)), 4 * size, size)
        )

    def model(self, name: str, shape: list[int], result: str) -> ModelProto:
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)],
            self.weights,
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10
        )


def vit_tiny(batch: int = 1) -> ModelProto:
    """ViT-Ti/16: Touvron et al., "Training data-efficient image transformers" (2021); 224x224, 1000 classes."""
    made, size, words = _Nodes(0), 192, 197
    patches = made.add(
        "Conv", "input", made.random(size, 3, 16, 16, scale=0.03), made.random(size, scale=0.02),
        kernel_shape=[16, 16], strides=[16, 16],
    )  # fmt: skip
    flat = made.add("Reshape", patches, made.constant([batch, size, words - 1], "int64"))
    x = made.add("Transpose", flat, perm=[0, 2, 1])
    first = made.constant(np.zeros((batch, 1, size)))
    x = made.add(
        "Add", made.add("Concat", first, x, axis=1), made.random(1, words, size, scale=0.02)
    )
    for _ in range(12):
        x = made.block(x, words, size, heads=3)
    word = made.add("Gather", made.normalised(x, size), made.constant(0, "int64"), axis=1)
    return made.model("vit_tiny", [batch, 3, 224, 224], made.dense(word, size, 1000))


def encoder(batch: int = 1, words: int = 64, size: int = 256, blocks: int = 4) -> ModelProto:
    """A small encoder of sequences, as behind a convolutional network that reads text."""
    made, x = _Nodes(1), "input"
    for _ in range(blocks):
        x = made.block(x, words, size, heads=4)
    return made.model("encoder", [batch, words, size], made.normalised(x, size))
