"""ONNX's own test cases: made in memory or shipped inside the onnx package; nothing is downloaded."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from tests.conformance.node_cases import node_cases

FOLDERS = ("simple", "pytorch-converted", "pytorch-operator")
_PACKAGE = Path(onnx.__file__).parent

DataSet = tuple[Sequence[Any], Sequence[Any]]  # inputs in order, outputs in order


@dataclasses.dataclass(frozen=True)
class OnnxCase:
    """A model, what to feed it and what must come out, within rtol and atol."""

    kind: str
    name: str
    rtol: float
    atol: float
    model: Callable[[], onnx.ModelProto]
    data_sets: Callable[[], Sequence[DataSet]]

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"


def with_open_sizes(case: OnnxCase) -> OnnxCase:
    """The case with every size of its inputs open until they are fed: each has a name of its own."""

    def opened() -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(case.model())
        constant = {tensor.name for tensor in model.graph.initializer}
        for value in model.graph.input:
            if value.name not in constant and value.type.HasField("tensor_type"):
                for axis, size in enumerate(value.type.tensor_type.shape.dim):
                    size.dim_param = f"{value.name}_{axis}"
        for value in model.graph.output:
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
        del model.graph.value_info[:]
        return model

    return dataclasses.replace(case, model=opened)


@functools.cache
def all_cases() -> tuple[OnnxCase, ...]:
    """Every case: node, light, simple, pytorch-converted and pytorch-operator, in a fixed order."""
    found = [*_node_cases(), *_light_cases()]
    for kind in FOLDERS:
        found += _folder_cases(kind)
    return tuple(sorted(found, key=lambda case: case.id))


def _node_cases() -> list[OnnxCase]:
    return [
        OnnxCase(
            "node", t.name, t.rtol, t.atol, lambda t=t: t.model, lambda t=t: _arrays(t.data_sets)
        )
        for t in node_cases()
    ]


def _arrays(data_sets: Any) -> list[DataSet]:
    return [([_array(v) for v in ins], [_array(v) for v in outs]) for ins, outs in data_sets]


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _light_cases() -> list[OnnxCase]:
    """Classic networks whose weights are ConstantOfShape nodes; the input is a ramp, as in onnx's runner."""
    cases = []
    for test in load_model_tests(kind="real"):
        assert test.url is not None
        path = _PACKAGE.parent / test.url

        def data_sets(path: Path = path) -> list[DataSet]:
            graph = onnx.load(path).graph
            constant = {tensor.name for tensor in graph.initializer}
            inputs = [Runner.generate_dummy_data(v) for v in graph.input if v.name not in constant]
            files = sorted(path.parent.glob(f"{path.stem}_output_*.pb"), key=_number)
            return [(inputs, [_read(f, v.type) for f, v in zip(files, graph.output, strict=True)])]

        cases.append(
            OnnxCase(
                "light", test.name, test.rtol, test.atol, lambda p=path: onnx.load(p), data_sets
            )
        )
    return cases


def _folder_cases(kind: str) -> list[OnnxCase]:
    cases = []
    for test in load_model_tests(kind=kind):
        folder = Path(str(test.model_dir))
        path = folder / "model.onnx"

        def data_sets(folder: Path = folder, path: Path = path) -> list[DataSet]:
            graph = onnx.load(path).graph
            return [
                (_read_all(place, "input", graph.input), _read_all(place, "output", graph.output))
                for place in sorted(folder.glob("test_data_set*"))
            ]

        cases.append(
            OnnxCase(kind, test.name, test.rtol, test.atol, lambda p=path: onnx.load(p), data_sets)
        )
    return cases


def _read_all(folder: Path, what: str, values: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    files = sorted(folder.glob(f"{what}_*.pb"), key=_number)
    return [_read(file, value.type) for file, value in zip(files, values, strict=False)]


def _number(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])


def _read(path: Path, kind: onnx.TypeProto) -> Any:
    if kind.HasField("sequence_type"):
        sequence = onnx.SequenceProto()
        sequence.ParseFromString(path.read_bytes())
        return numpy_helper.to_list(sequence)
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)
