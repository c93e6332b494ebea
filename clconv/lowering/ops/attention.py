"""The variant of Attention: two batched matrix products, and between them one pass over the scores.

Heads of the queries that share keys are more rows of one product, so nothing is repeated.
"""

from __future__ import annotations

from collections.abc import Hashable

from clconv.graph.ir import DType
from clconv.graph.ops.attention_sizes import AttentionSizes
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.composite import Composite, Value
from clconv.lowering.shared.work_split import elements_per_item, items


def _sizes(problem: Problem) -> AttentionSizes:
    past = problem.input(4).shape[2] if problem.has(4) else 0
    q, k, v = (problem.input(i).shape for i in range(3))
    return AttentionSizes.of(problem.node.attrs, q, k, v, past)


class _Attention:
    def __init__(self, problem: Problem) -> None:
        self.problem, self.composite, self.sizes = problem, Composite(problem), _sizes(problem)
        names = problem.node.outputs
        named = [i for i, name in enumerate(names) if name]
        self.outputs = {i: self.composite.output(place) for place, i in enumerate(named)}

    def run(self) -> Lowered:
        s, composite = self.sizes, self.composite
        pairs, rows = s.batch * s.key_heads, s.heads // s.key_heads * s.queries
        query = self._by_head(0, s.heads)
        key = self._cache(1, 4)
        value = self._cache(2, 5)
        if 0 not in self.outputs and 3 not in self.outputs:
            return composite.lowered()
        turned = composite.emit("Transpose", [key.reshaped(pairs, s.keys, s.depth)], perm=(0, 2, 1))
        scores = composite.emit("MatMul", [query.reshaped(pairs, rows, s.depth), turned])
        self._softmax_weights(scores)
        if 0 not in self.outputs:
            return composite.lowered()
        operands = [scores, value.reshaped(pairs, s.keys, s.value_depth)]
        by_head = (s.batch, s.heads, s.queries, s.value_depth)
        if self.problem.x.rank == 4:
            composite.emit("MatMul", operands, self.outputs[0].reshaped(pairs, rows, s.value_depth))
        else:
            product = composite.emit("MatMul", operands).reshaped(*by_head)
            self._swap(product, self.outputs[0])
        return composite.lowered()

    def _swap(self, value: Value, target: Value | None = None) -> Value:
        """Heads and places of a sequence changed over."""
        a, b, c, d = value.shape
        if target is not None:
            target = target.reshaped(a, c, b, d)
        return self.composite.emit("Transpose", [value], target, perm=(0, 2, 1, 3))

    def _by_head(self, index: int, heads: int, target: Value | None = None) -> Value:
        """An input as (batch, heads, sequence, depth)."""
        value = self.composite.input(index)
        if len(value.shape) == 4:
            return value
        batch, length, width = value.shape
        return self._swap(value.reshaped(batch, length, heads, width // heads), target)

    def _cache(self, index: int, past: int) -> Value:
        """All keys or values, old and new; they are an output if that has a name."""
        s, composite, target = self.sizes, self.composite, self.outputs.get(index)
        if self.problem.has(past):
            fresh = self._by_head(index, s.key_heads)
            return composite.emit("Concat", [composite.input(past), fresh], target, axis=2)
        if target is None:
            return self._by_head(index, s.key_heads)
        if self.problem.input(index).rank == 3:
            return self._by_head(index, s.key_heads, target).reshaped(*target.shape)
        return composite.emit("Transpose", [composite.input(index)], target, perm=(0, 1, 2, 3))

    def _softmax_weights(self, scores: Value) -> None:
        problem, s, at = self.problem, self.sizes, self.problem.node.attrs
        if not scores.spec.size:
            return
        is_float = problem.x.dtype is DType.FLOAT32
        mask: list[tuple[str, Argument]] = []
        kind = ""
        if problem.has(3):
            given = problem.input(3)
            kind = "choose" if given.dtype is DType.BOOL else "add"
            shape = (1,) * (4 - given.rank) + given.shape
            steps = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3]]
            strides = [step if d > 1 else 0 for d, step in zip(shape, steps, strict=False)]
            mask = [("mask", problem.argument(3)), ("mask_keys", Scalar(shape[3]))]
            names = ("mask_batch", "mask_head", "mask_query")
            mask += [(n, Scalar(v, "long")) for n, v in zip(names, strides, strict=True)]
        shown = self.outputs.get(3)
        ctype = C_TYPES[problem.x.dtype.value]
        parameters: dict[str, Hashable] = {
            "type": ctype,
            "width": problem.device.vector_width if is_float and problem.device.is_cpu else 1,
            "mask": kind,
            "lengths": problem.has(6),
            "softcap": at.softcap > 0,
            "mode": at.qk_matmul_output_mode if shown is not None else -1,
        }
        # Further than any key: no bound. Lengths may be anything, so that places may be far away, too.
        free = 1 << 30
        right = at.right_window_size if at.right_window_size >= 0 else free
        rows = s.batch * s.heads * s.queries
        per_item = max(1, elements_per_item(problem.device, rows * s.keys) // s.keys)
        arguments: list[tuple[str, Argument]] = [
            ("scores", Write(scores.name)),
            *mask,
            *([("lengths", problem.argument(6))] if problem.has(6) else []),
            *([("shown", Write(shown.name))] if shown is not None else []),
            ("heads", Scalar(s.heads)),
            ("queries", Scalar(s.queries)),
            ("keys", Scalar(s.keys)),
            ("scale", Scalar(s.depth**-0.5 if at.scale is None else float(at.scale), ctype)),
            ("softcap", Scalar(float(at.softcap), ctype)),
            ("offset", Scalar(s.past)),
            ("left", Scalar(at.left_window_size if at.left_window_size >= 0 else free)),
            ("right", Scalar(min(right, 0) if at.is_causal else right)),
            ("rows", Scalar(rows)),
            ("per_item", Scalar(per_item)),
        ]
        kernel = Kernel.of("attention/weights.cl.mako", "attention_weights", **parameters)
        cost = Cost(15 * scores.spec.size, 2 * scores.spec.nbytes)
        self.composite.call(problem.call(kernel, arguments, (items(rows, per_item),), cost=cost))


def _lower(problem: Problem) -> Lowered:
    return _Attention(problem).run()


register(Variant("Attention", "products", arithmetic_obstacle, _lower))
