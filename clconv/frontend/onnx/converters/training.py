"""ONNX's operators for training (ai.onnx.preview.training): Gradient, Adagrad, Adam, Momentum.

The optimisers are said with element-wise operators, by the pseudo code of their schemas.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from clconv.frontend.onnx.build import Builder, Converter, Source

DOMAIN = "ai.onnx.preview.training"


def schema(op: str) -> onnx.defs.OpSchema:
    return onnx.defs.get_schema(op, 1, DOMAIN)


class _Steps:
    """Writes the steps of one node. Numbers take the dtype of the tensor that is optimised."""

    def __init__(self, source: Source, build: Builder, like: str) -> None:
        self._source, self._build, self._like = source, build, like

    def __call__(self, op: str, *operands: str | float) -> str:
        names = [
            o
            if isinstance(o, str)
            else self._build.scalar_like(self._source, o, self._like, "number")
            for o in operands
        ]
        return self._build.helper(self._source, op, names, op.lower())

    def result(self, name: str, index: int) -> None:
        output = self._source.output(index)
        if output:
            self._build.alias(name, output)

    def regularised(self, x: str, g: str) -> str:
        """The gradient with that of norm_coefficient / 2 * |x|^2."""
        norm = float(self._source.attrs.get("norm_coefficient", 0.0))
        return self("Add", self("Mul", x, norm), g) if norm else g

    def count(self, name: str) -> str:
        return self._build.helper(self._source, "CastLike", (name, self._like), "count")


def _groups(source: Source, build: Builder, kinds: int) -> list[tuple[_Steps, tuple[str, ...]]]:
    """The tensors that are optimised, each with what belongs to it: all of one kind stand side by side."""
    names = source.inputs[2:]
    if not names or len(names) % kinds or not all(names):
        source.fail(
            f"{len(names)} tensors behind R and T; it takes {kinds} for each that it optimises"
        )
    count = len(names) // kinds
    return [(_Steps(source, build, names[i]), names[i::count]) for i in range(count)]


def _adagrad(source: Source, build: Builder) -> None:
    epsilon = float(source.attrs.get("epsilon", 1e-6))
    decay = float(source.attrs.get("decay_factor", 0.0))
    groups = _groups(source, build, 3)
    for i, (step, (x, g, h)) in enumerate(groups):
        rate = step(
            "Div",
            source.input(0),
            step("Add", step("Mul", step.count(source.input(1)), decay), 1.0),
        )
        g = step.regularised(x, g)
        total = step("Add", h, step("Mul", g, g))
        root = step("Add", step("Sqrt", total), epsilon)
        step.result(step("Sub", x, step("Div", step("Mul", rate, g), root)), i)
        step.result(total, len(groups) + i)


def _adam(source: Source, build: Builder) -> None:
    at = source.attrs
    alpha, beta = float(at.get("alpha", 0.9)), float(at.get("beta", 0.999))
    epsilon, post = float(at.get("epsilon", 1e-6)), float(at.get("norm_coefficient_post", 0.0))
    groups = _groups(source, build, 4)
    for i, (step, (x, g, v, h)) in enumerate(groups):
        g = step.regularised(x, g)
        mean = step("Add", step("Mul", v, alpha), step("Mul", g, 1 - alpha))
        squares = step("Add", step("Mul", h, beta), step("Mul", step("Mul", g, g), 1 - beta))
        root = step("Add", step("Sqrt", squares), epsilon)
        rate = _adam_rate(step, source.input(0), step.count(source.input(1)), alpha, beta)
        new = step("Sub", x, step("Div", step("Mul", rate, mean), root))
        step.result(step("Mul", new, 1 - post) if post else new, i)
        step.result(mean, len(groups) + i)
        step.result(squares, 2 * len(groups) + i)


def _adam_rate(step: _Steps, rate: str, count: str, alpha: float, beta: float) -> str:
    """R sqrt(1 - beta^T) / (1 - alpha^T), R itself at T = 0."""
    power = step("Sqrt", step("Sub", 1.0, step("Pow", beta, count)))
    adjusted = step("Div", step("Mul", rate, power), step("Sub", 1.0, step("Pow", alpha, count)))
    return step("Where", step("Greater", count, 0.0), adjusted, rate)


def _momentum(source: Source, build: Builder) -> None:
    at = source.attrs
    alpha, beta, mode = float(at["alpha"]), float(at["beta"]), at["mode"]
    if mode not in ("standard", "nesterov"):
        source.fail(f"mode {mode!r} is neither standard nor nesterov")
    groups = _groups(source, build, 3)
    for i, (step, (x, g, v)) in enumerate(groups):
        g = step.regularised(x, g)
        started = step("Greater", step.count(source.input(1)), 0.0)
        gain = step("Where", started, step("Mul", step("CastLike", started, x), beta), 1.0)
        new = step("Add", step("Mul", v, alpha), step("Mul", g, gain))
        direction = new if mode == "standard" else step("Add", g, step("Mul", new, alpha))
        step.result(step("Sub", x, step("Mul", source.input(0), direction)), i)
        step.result(new, len(groups) + i)


def _gradient(source: Source, build: Builder) -> None:
    """The part of the graph between the tensors `xs` and `y`, computed anew where other values are given for those."""
    xs, zs, y = source.attrs["xs"], source.attrs.get("zs", ()), source.attrs["y"]
    if len(source.inputs) != len(xs) + len(zs):
        source.fail(f"{len(source.inputs)} inputs, xs and zs name {len(xs) + len(zs)}")
    made = {o for node in build.nodes for o in node.outputs}
    if y not in made:
        source.fail(f"y names '{y}', which no node before it computes")
    given = {
        name: value for name, value in zip((*xs, *zs), source.inputs, strict=True) if name != value
    }
    for node in list(build.nodes) if given else ():
        if given.keys() & set(node.inputs):
            outputs = [build.values.fresh(f"{o}/again") if o else "" for o in node.outputs]
            inputs = [given.get(n, n) for n in node.inputs]
            label = build.node_names.fresh(f"{node.name}/again")
            build.emit(node.op, inputs, outputs, label, node.attrs)
            given.update((o, n) for o, n in zip(node.outputs, outputs, strict=True) if o)
    outputs = [*source.outputs, *[""] * (len(xs) - len(source.outputs))]
    build.emit(
        "Gradient",
        (given.get(y, y), *source.inputs[: len(xs)]),
        outputs,
        source.name,
        {"results": 1},
    )


CONVERTERS: Mapping[str, Converter] = {
    "Adagrad": _adagrad,
    "Adam": _adam,
    "Gradient": _gradient,
    "Momentum": _momentum,
}
