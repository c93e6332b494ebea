"""One `clconv run`: what fits the model is checked, the model loaded, and each input run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from clconv.cli.classes import check_labels, class_count, imagenet_names, scores
from clconv.cli.console import remark
from clconv.cli.feeds import Feeds, PictureOptions, check_feeds, read_feeds, separate
from clconv.cli.pictures.listing import pictures as listed
from clconv.cli.pixels import Pixels, channels_come_first, is_classifier
from clconv.cli.printing import Results
from clconv.cli.progress import steps
from clconv.cli.recipe import recipe_of
from clconv.cli.results import Target
from clconv.cli.running.answers import Answers
from clconv.cli.running.many import (
    Many,
    ManyOptions,
    digest_of_file,
    refuse_unless_many,
)
from clconv.cli.running.tiles import dense_scale
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec

if TYPE_CHECKING:
    from clconv.graph.ir import Graph
    from clconv.session.session import Session


@dataclasses.dataclass
class Job:
    """A run all of whose options make sense by themselves. many: whether they say that it is over many pictures."""

    model: str
    given: list[str]
    many: bool
    output: Path | None
    options: PictureOptions
    wanted: OutputOptions
    device: str | None
    precision: str

    def go(self, strict: bool, batch: int | None, out: Results) -> None:
        """Raises ConfigError or InputError for options that do not fit the model, before it is compiled."""
        from clconv.api import load, read_model

        started = time.perf_counter()
        with steps("loading the network") as shown:
            paths = listed(self.given) if self.many else []
            graph = read_model(self.model)
            specs = graph.input_specs()
            outputs = {n: graph.metadata.get("output_specs", {}).get(n) for n in graph.outputs}
            self._know(graph, outputs)
            if self._npz_of_several(len(specs)):
                self.many, paths = True, listed(self.given)
            if self.many:
                work = Many(specs, outputs, self.options, self._many_options(paths, strict, batch))
            else:
                refuse_unless_many({"--strict": strict, "--batch": batch is not None})
                runs, first = self._first(specs, outputs)
            session = load(
                self.model, self.device, precision=self.precision, progress=shown.compiling
            )
        devices = [str(device) for device in session.devices]
        remark(f"device: {', '.join(devices)}")
        out.value("devices", devices)
        answers = Answers(out)
        if self.many:
            work.go(session, answers)
            return
        for number, given in enumerate(runs):
            feeds = read_feeds(specs, given, self.options) if number else first
            answers.begin(given[0], heading=len(runs) > 1)
            _run_one(session, feeds, self.wanted, answers, started)
            started = time.perf_counter()

    def _npz_of_several(self, inputs: int) -> bool:
        return (
            not self.many
            and inputs == 1
            and len(self.given) > 1
            and self.output is not None
            and self.output.suffix.lower() == ".npz"
        )

    def _many_options(self, paths: Sequence[str], strict: bool, batch: int | None) -> ManyOptions:
        about = {"model": digest_of_file(self.model), "precision": self.precision}
        wanted = self.wanted
        return ManyOptions(
            paths, self.output, wanted.top, wanted.names, wanted.classes, strict, batch, about
        )

    def _first(
        self, specs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec | None]
    ) -> tuple[list[list[str]], Feeds]:
        """What each run is given, and the first one's feeds."""
        runs = separate(specs, self.given)
        if self.output is not None and len(runs) > 1:
            raise ConfigError(
                f"--output {self.output} is for one result, {len(runs)} inputs are given: leave out all but one, or make a "
                "table of them (.csv, .jsonl, .parquet, .npz)"
            )
        self.options.check_fit()
        check_feeds(specs, self.given, self.options)
        first = read_feeds(specs, runs[0], self.options)
        self.wanted.check(outputs, first.pixels)
        return runs, first

    def _know(self, graph: Graph, outputs: dict[str, TensorSpec | None]) -> None:
        """Where the user said nothing, what is in the file: preprocessing and labels; ImageNet's for its classifiers."""
        recipe = recipe_of(graph)
        known = None if recipe is None else recipe.pixels
        options = dataclasses.replace(
            self.options,
            classifier=is_classifier(outputs),
            known=known,
            dense=_dense(graph, outputs, self.options),
        )
        self.options = options
        names = self.wanted.names
        if names is None and recipe is not None:
            names = list(recipe.labels)
        if names is None:
            names = imagenet_names(_count(outputs))
        self.wanted = dataclasses.replace(self.wanted, names=names)


def _dense(
    graph: Graph, outputs: Mapping[str, TensorSpec | None], options: PictureOptions
) -> Fraction | None:
    """dense_scale() of a model with one picture input."""
    specs = graph.input_specs()
    spec = next(iter(specs.values()), None)
    if len(specs) != 1 or spec is None or spec.rank != 4:
        return None
    return dense_scale(spec, outputs, channels_come_first(spec, options.layout))


def _count(outputs: Mapping[str, TensorSpec | None]) -> int | None:
    try:
        return class_count(outputs)
    except ConfigError:
        return None


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What becomes of the outputs. classes: whether they must be those of a classifier."""

    target: Target | None
    names: list[str] | None
    top: int
    classes: bool

    def check(self, specs: Mapping[str, TensorSpec | None], pixels: Pixels | None = None) -> None:
        """Raises ConfigError or InputError if outputs with these specs cannot become that."""
        if self.target is not None:
            self.target.check(specs, pixels)
        if self.classes:
            count = class_count(specs)
            if count is not None and self.names is not None:
                check_labels(self.names, count)


def _run_one(
    session: Session, feeds: Feeds, wanted: OutputOptions, answers: Answers, started: float
) -> None:
    """One run, its remarks and its results. started: when what counts as loading began."""
    if feeds.tiling is None:
        shapes = {name: array.shape for name, array in feeds.arrays.items()}
        with steps("preparing"):
            session.prepare(shapes)
            known = session.output_specs(shapes)
        wanted.check({name: known.get(name) for name in session.outputs}, feeds.pixels)
    loaded = time.perf_counter() - started
    started = time.perf_counter()
    if feeds.tiling is None:
        outputs = session.run(feeds.arrays)
    else:
        (tiles,) = session.run_batches([feeds.arrays])
        outputs = feeds.tiling.join(tiles)
    ran = time.perf_counter() - started
    for line in (*feeds.remarks, f"loaded in {loaded:.2f} s, ran in {ran * 1e3:.1f} ms"):
        remark(line)
    classes = scores(outputs)
    if classes is not None and (wanted.target is None or wanted.classes):
        names = wanted.names or imagenet_names(classes.shape[1])
        if names is not None and len(names) < classes.shape[1]:
            check_labels(names, classes.shape[1])
        answers.classes(classes, wanted.top, names)
    elif wanted.target is None:
        answers.outputs(outputs)
    if wanted.target is not None:
        wanted.target.save(outputs, feeds.pixels or Pixels(1 / 255))
        answers.saved(wanted.target.path)
