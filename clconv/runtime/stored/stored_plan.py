"""A plan from plain data: what a device has to do, without the network that it came from. See plan_data.py.

The data are numbers, texts and lists, to be written as JSON, and blobs: tables, programs and packed weights. Values have no
names any more but those that a run is given or gives back; all others are places in the arenas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.batch_split import BatchSplit
from clconv.graph.ir import DType, Graph, Layout, TensorSpec
from clconv.lowering.model.arguments import FunctionAddress, Local, Scalar, State, Table
from clconv.lowering.model.call import Kernel, KernelCall, StoredKernel
from clconv.lowering.model.lowered import LoweredGraph
from clconv.planning.memory import MemoryPlan, Slot
from clconv.planning.movable import InPlace, Site
from clconv.planning.plan import Plan
from clconv.records import record
from clconv.runtime.constants import DeviceConstants, Held
from clconv.runtime.stored.stored_weights import StoredWeights
from clconv.runtime.words import add_addresses
from clconv.store.files import Unusable

if TYPE_CHECKING:
    from clconv.runtime.bound import BoundPlan

Data = dict[str, Any]


@record(frozen=True)
class StoredPlan(Plan):
    """A plan that was read: its launches alone, over places in memory. What looks at nodes, calls or values inside needs
    the network to be planned again.

    wanted: names of the packed weights that its launches read. programs: its parts.
    """

    weights: StoredWeights | None = None
    wanted: tuple[str, ...] = ()
    in_place: InPlace | None = None
    programs: tuple[StoredKernel, ...] = ()

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return self.programs

    def read_weights(self, constants: DeviceConstants) -> Callable[[], list[Held]]:
        """Begins to read them, in a thread of its own; what it returns waits until they are on the device, and raises
        Unusable if the file is damaged."""
        assert self.weights is not None
        return self.weights.begin(self.wanted, constants)


@record(frozen=True)
class _Place:
    """Argument: a part of an arena."""

    slot: Slot

    def on(self, bound: BoundPlan) -> Any:
        return bound.part(self.slot)


@record(frozen=True)
class _Weight:
    """Argument: packed weights."""

    name: str
    weights: StoredWeights

    def on(self, bound: BoundPlan) -> Any:
        return self.weights.held(self.name).buffer


@record(frozen=True)
class _Words:
    """Argument: words of a persistent launch. places: rows of word and arena, whose beginning is added to the word.
    buffers: the words that other arguments' addresses are added to."""

    words: np.ndarray
    places: np.ndarray
    buffers: tuple[tuple[int, Any], ...]

    def on(self, bound: BoundPlan) -> Any:
        words = self.words.copy()
        arenas = sorted(set(self.places[:, 1].tolist()))
        begins = bound.device.addresses([bound.arenas[i] for i in arenas])
        by_arena = np.zeros(max(arenas, default=0) + 1, np.uint64)
        by_arena[arenas] = begins
        words[self.places[:, 0]] += by_arena[self.places[:, 1]]
        made = [(word, bound.argument(argument)) for word, argument in self.buffers]
        add_addresses(words, made, bound)
        return bound.upload(words)


@record(frozen=True)
class PlanReader:
    """Reads what Packer.data() made. tables: the bytes of a table by its name. kernels: by symbol."""

    tables: Callable[[str], bytes]
    kernels: Mapping[str, StoredKernel]
    weights: StoredWeights

    def plan(self, data: Data, device: DeviceInfo) -> StoredPlan:
        """Raises Unusable for data that are none."""
        try:
            return self._plan(data, device)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as reason:
            raise Unusable(f"has a plan that is none ({type(reason).__name__}: {reason})") from None

    def _plan(self, data: Data, device: DeviceInfo) -> StoredPlan:
        arenas = tuple(int(size) for size in data["arenas"])
        names: dict[str, None] = {}
        for launch in data["launches"]:
            for _, *given in launch["arguments"]:
                names.update(dict.fromkeys(_weights_in(given)))
        fed = {name: read_spec(spec) for name, spec in data["fed"].items()}
        specs = {name: read_spec(spec) for name, spec in data["specs"].items()}
        outputs = {name: specs[stored] for name, stored in data["stored"].items()}
        graph = Graph("", (), tuple(fed), tuple(outputs), {**outputs, **fed})
        slots = {name: _slot(values, arenas) for name, values in data["slots"].items()}
        return StoredPlan(
            device,
            graph,
            LoweredGraph((), specs, {}, {}, data["stored"], {}),
            MemoryPlan(slots, arenas),
            data["live"],
            tuple(self._launch(launch, arenas) for launch in data["launches"]),
            batch_split=_batch_split(data["split"], graph),
            weights=self.weights,
            wanted=tuple(names),
            in_place=_in_place(data["in_place"], data["launches"]),
            programs=tuple(self.kernels[symbol] for symbol in data["parts"]),
        )

    def _launch(self, launch: Data, arenas: tuple[int, ...]) -> KernelCall:
        given = [(name, self._argument(arenas, *rest)) for name, *rest in launch["arguments"]]
        local = launch["local"]
        kernel = self.kernels[launch["symbol"]]
        sizes = tuple(launch["global"]), None if local is None else tuple(local)
        return KernelCall(launch["node"], kernel, tuple(given), *sizes)

    def _argument(self, arenas: tuple[int, ...], kind: str, *rest: Any) -> Any:
        match kind:
            case "place":
                return _Place(_slot(rest, arenas))
            case "weight":
                return _Weight(str(rest[0]), self.weights)
            case "scalar":
                return Scalar(*rest)
            case "local":
                return Local(*rest)
            case "function":
                return FunctionAddress(self.kernels[str(rest[0])])
            case "state":
                return State(*rest)
            case "table":
                name, dtype, shape = rest
                return Table(np.frombuffer(self.tables(name), dtype).reshape(shape))
            case "words":
                words, _, places, count, buffers = rest
                placed = np.frombuffer(self.tables(places), np.int64).reshape(count, 2)
                if count and not 0 <= placed[:, 1].min() <= placed[:, 1].max() < len(arenas):
                    raise ValueError("a place outside all arenas")
                others = tuple((word, self._argument(arenas, *one)) for word, one in buffers)
                return _Words(np.frombuffer(self.tables(words), np.uint64), placed, others)
        raise ValueError(f"an argument of kind {kind}")


def _slot(values: Sequence[int], arenas: tuple[int, ...]) -> Slot:
    found = Slot(*map(int, values))
    if (
        found.arena < 0
        or not 0 <= found.offset <= found.offset + found.nbytes <= arenas[found.arena]
    ):
        raise ValueError("a place outside its arena")
    return found


def _in_place(data: Data, launches: Sequence[Data]) -> InPlace:
    def sites(by_name: Data) -> dict[str, tuple[Site, ...]]:
        return {name: tuple(map(site, listed)) for name, listed in by_name.items()}

    def site(values: Sequence[int | None]) -> Site:
        found = Site(*values)  # type: ignore[arg-type]
        kind, *rest = launches[found.launch]["arguments"][found.position][1:]
        if kind != ("place" if found.word is None else "words") or found.offset < 0:
            raise ValueError("a place that is no address")
        if found.word is not None and not 0 <= found.word < rest[1]:
            raise ValueError("a place outside its table")
        return found

    echoes = {name: (str(fed), int(begin)) for name, (fed, begin) in data["echoes"].items()}
    return InPlace(sites(data["inputs"]), sites(data["outputs"]), echoes)


def _batch_split(data: Data | None, graph: Graph) -> BatchSplit | None:
    if data is None:
        return None
    return BatchSplit(graph, data["count"], data["batch"], frozenset(data["inputs"]))


def _weights_in(argument: list[Any]) -> list[str]:
    if argument[0] == "weight":
        return [argument[1]]
    if argument[0] == "words":
        return [name for _, one in argument[5] for name in _weights_in(one)]
    return []


def spec_data(spec: TensorSpec) -> list[Any]:
    shape = [[] if d is ... else d for d in spec.shape]
    return [shape, spec.dtype.value, spec.layout.block]


def read_spec(data: list[Any]) -> TensorSpec:
    shape, dtype, block = data
    return TensorSpec(tuple(... if d == [] else d for d in shape), DType(dtype), Layout(int(block)))
