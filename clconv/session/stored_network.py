"""A network in a file: what it takes and gives, its plans by input shapes, their programs and packed weights; in a compiled
network the model itself, too. Everything but the weights and tables is one text of JSON."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.lowering.model.call import StoredKernel, StoredProgram
from clconv.runtime.stored.stored_plan import Data, PlanReader, StoredPlan, read_spec, spec_data
from clconv.runtime.stored.stored_weights import WEIGHT, StoredWeights
from clconv.store.container import Blob, Blobs, write_blobs
from clconv.store.files import Unusable

if TYPE_CHECKING:
    from clconv.runtime.bound import BoundPlan

FORMAT = 4
_NETWORK, MODEL = "network", "model"
# What probing finds out about a device for a network, see clconv.probes.
_PROBED = (
    "matrix", "matrix_verified", "shuffle", "shuffle_verified", "vector_width", "wide_verified",
)  # fmt: skip

_LEFT_OUT = ("index", "global_memory", "largest_allocation")

Specs = Mapping[str, TensorSpec]
Objection = Callable[[Path, os.stat_result], str | None]


class StoredNetwork:
    """What write_network() wrote. Raises FileNotFoundError, and Unusable for what is no such file.

    facts: what the plans were made with and for. face: the graph's name, inputs and outputs, without nodes. specs: of the
    fed inputs of each plan, in the order in which the plans were made.
    """

    def __init__(self, path: Path, objection: Objection | None = None) -> None:
        self.blobs = Blobs(path, objection)
        self.weights = StoredWeights(self.blobs)
        try:
            self.data: Data = json.loads(self.blobs.read(_NETWORK))
            if self.data["format"] != FORMAT:
                raise Unusable(f"has format {self.data['format']}, this version reads {FORMAT}")
            self.facts: Data = dict(self.data["facts"])
            self.face = _read_face(self.data["face"])
            self._probed = _read_probed(self.data["probed"])
            self._plans: dict[str, Data] = {key: plan for key, plan in self.data["plans"]}
            self.specs = [*map(_read_key, self._plans)]
            self._kernels = {
                symbol: StoredKernel.in_program(symbol, template, pieces, program)
                for entry in self.data["programs"]
                for program in [self._program(entry)]
                for symbol, template, pieces in entry["kernels"]
            }
        except (
            LookupError,
            TypeError,
            ValueError,
            ArithmeticError,
            AttributeError,
            RecursionError,
        ) as reason:
            raise Unusable(f"is no network of clconv's ({type(reason).__name__})") from None

    def _program(self, entry: Data) -> StoredProgram:
        blobs, binary = self.blobs, entry["binary"]  # not self: programs may be kept for longer
        source = blobs.read(entry["source"]).decode()
        return StoredProgram(source, None if binary is None else lambda: blobs.read(binary))

    def probed(self, device: DeviceInfo) -> DeviceInfo:
        """The device with what was found out about it."""
        return dataclasses.replace(device, **self._probed)

    def plan(self, specs: Specs, device: DeviceInfo) -> StoredPlan | None:
        """The plan for these specs, if there is one. Raises Unusable."""
        data = self._plans.get(_key(specs))
        if data is None:
            return None
        return PlanReader(self.blobs.read, self._kernels, self.weights).plan(data, device)

    def nbytes(self, specs: Specs) -> int:
        """Device memory that a plan takes, its weights among it."""
        plan = self._plans[_key(specs)]
        weights = [name for name in self.blobs.names if name.startswith(WEIGHT)]
        return sum(plan["arenas"]) + sum(map(self.blobs.nbytes, weights))


def write_network(
    file: IO[bytes],
    head: Data,
    plans: Sequence[tuple[Specs, BoundPlan]],
    *,
    before: StoredNetwork | None = None,
    model: bytes | None = None,
    binaries: bool = False,
) -> None:
    """Writes a network. Raises NotStorable for a plan that a file cannot hold.

    head: of head_data(). before: whose plans come before these. model: the ONNX file. binaries: with the programs' machine
    code, which the device's compiler may have to make.
    """
    from clconv.runtime.stored.plan_data import PlanPacker

    packer = PlanPacker()
    listed = [[_key(specs), packer.data(bound)] for specs, bound in plans]
    blobs, programs = {}, []
    if before is not None:
        listed = [*before.data["plans"], *listed]
        programs = list(before.data["programs"])
        blobs = {name: _copied(before.blobs, name) for name in before.blobs.names}
        del blobs[_NETWORK]
    known = {entry["source"] for entry in programs}
    for source, (program, kernels) in packer.programs.items():
        text = source.encode()
        name = packer.named("source", text)
        if name in known:
            (entry,) = (e for e in programs if e["source"] == name)
            entry["kernels"] += [list(k) for k in kernels if list(k) not in entry["kernels"]]
            continue
        binary = packer.named("binary", program.binary()) if binaries else None
        programs.append({"source": name, "binary": binary, "kernels": kernels})
    network = {
        "format": FORMAT,
        **head,
        "plans": listed,
        "programs": programs,
    }
    text = json.dumps(network, separators=(",", ":")).encode()
    blobs = {_NETWORK: Blob(_NETWORK, len(text), lambda: text), **blobs, **packer.blobs}
    if model is not None:
        blobs[MODEL] = Blob(MODEL, len(model), lambda: model)
    write_blobs(file, list(blobs.values()))


def _copied(blobs: Blobs, name: str) -> Blob:
    return Blob(name, blobs.nbytes(name), lambda: blobs.array(name))


def _key(specs: Specs) -> str:
    return json.dumps(sorted([n, list(s.shape), s.dtype.value] for n, s in specs.items()))


def _read_key(key: str) -> dict[str, TensorSpec]:
    return {name: read_spec([shape, dtype, 1]) for name, shape, dtype in json.loads(key)}


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def head_data(facts: Data, face: Data, device: DeviceInfo) -> Data:
    """What stands before the plans. face: of face_data(). device: as it was probed."""
    probed = {name: _plain(getattr(device, name)) for name in _PROBED}
    return {"facts": facts, "face": face, "probed": probed}


def _read_probed(data: Data) -> Data:
    return {n: frozenset(v) if isinstance(v, list) else v for n, v in data.items() if n in _PROBED}


def face_data(graph: Graph) -> Data:
    """What a session tells of its graph without looking into it."""
    unranked: Mapping[str, DType] = graph.metadata.get("unranked", {})
    declared: Mapping[str, TensorSpec | None] = graph.metadata.get("output_specs", {})
    return {
        "name": graph.name,
        "inputs": list(graph.fed),
        "outputs": list(graph.returned),
        "specs": {n: spec_data(graph.specs[n]) for n in graph.fed if n in graph.specs},
        "unranked": {n: unranked[n].value for n in graph.fed if n not in graph.specs},
        "output_specs": {n: s and spec_data(s) for n, s in declared.items()},
        "defaults": {n: spec_data(s) for n, s in graph.metadata.get("defaults", {}).items()},
    }


def _read_face(data: Data) -> Graph:
    unranked = {n: DType(value) for n, value in data["unranked"].items()}
    metadata = {
        "unranked": unranked,
        "output_specs": {n: s and read_spec(s) for n, s in data["output_specs"].items()},
        "defaults": {n: read_spec(s) for n, s in data["defaults"].items()},
    }
    specs = {n: read_spec(s) for n, s in data["specs"].items()}
    inputs, outputs = tuple(data["inputs"]), tuple(data["outputs"])
    if not all(n in specs or n in unranked for n in inputs):
        raise KeyError("an input without a spec")
    return Graph(data["name"], (), inputs, outputs, specs, metadata=metadata)


def device_facts(device: DeviceInfo) -> Data:
    """All that is known of a device but its place in the list and its memory, which is asked for when a plan is to be used:
    that of a virtual machine or a container may be another each time."""
    fields = (f.name for f in dataclasses.fields(device))
    return {name: _plain(getattr(device, name)) for name in fields if name not in _LEFT_OUT}
