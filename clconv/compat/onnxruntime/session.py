"""InferenceSession over clconv's Session."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from clconv.api import Source, load, read_model
from clconv.compat.onnxruntime.binding import IOBinding
from clconv.compat.onnxruntime.exceptions import InvalidArgument, InvalidProtobuf, NoSuchFile
from clconv.compat.onnxruntime.logs import logged
from clconv.compat.onnxruntime.options import RunOptions, SessionOptions
from clconv.compat.onnxruntime.ortvalue import OrtValue
from clconv.compat.onnxruntime.profiling import Profile
from clconv.compat.onnxruntime.surroundings import OPENCL_PROVIDER, PROVIDERS
from clconv.compat.onnxruntime.types import ModelMetadata, NodeArg, node_arg
from clconv.errors import InputError
from clconv.graph.ir import TensorSpec
from clconv.runtime.bound import Progress
from clconv.runtime.opencl import is_on_device
from clconv.session.elsewhere import placed
from clconv.session.wanted import Wanted

Provider = str | tuple[str, Mapping[str, Any]]
Callback = Callable[[list[np.ndarray], Any, str], object]

_ASYNC_THREADS = (
    4  # of run_async: a callback that waits for another run must not keep it from running
)


class InferenceSession:
    """onnxruntime's class: a model, ready to run.

    path_or_bytes: an ONNX file's path or its bytes. providers: execution providers; the options "device" and
    "precision" of OpenCLExecutionProvider choose as `clconv.load(device=..., precision=...)` does, all else is
    accepted and ignored.
    Raises NoSuchFile, InvalidProtobuf (ModelError) or NotImplemented (UnsupportedError, which lists every
    operator that is missing).
    """

    progress: Progress | None = None
    """Set on the class: called with (done, all) while any session compiles its kernels."""

    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: SessionOptions | None = None,
        providers: Sequence[Provider] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
        **ignored: Any,
    ) -> None:
        if not isinstance(path_or_bytes, str | bytes | os.PathLike):
            raise TypeError(f"Unable to load from type '{type(path_or_bytes)}'")
        if not isinstance(path_or_bytes, bytes):
            _expect_file(path_or_bytes)
        is_file = not isinstance(path_or_bytes, bytes)
        self._model_path = os.fspath(path_or_bytes) if is_file else None  # as onnxruntime has it
        self._threads: ThreadPoolExecutor | None = None
        self._starting = threading.Lock()
        self._options = SessionOptions() if sess_options is None else sess_options
        profiled = self._options.enable_profiling
        self._profile = Profile(self._options.profile_file_prefix) if profiled else None
        kind = "array" if isinstance(path_or_bytes, bytes) else "uri"
        source: Source = path_or_bytes  # a file's plans are kept, and it may not be read at all
        if profiled:
            with self._event(f"model_loading_{kind}"):
                source = read_model(path_or_bytes)
        severity = self._options.log_severity_level
        with logged(severity), self._event("session_initialization"):
            self._session = load(
                source,
                _option(providers, provider_options, "device"),
                progress=type(self).progress,
                precision=_option(providers, provider_options, "precision"),
            )
        if self._options.optimized_model_filepath:
            from clconv.frontend.onnx import (
                export_onnx,  # brings onnx, which a kept model needs not
            )

            export_onnx(self._session.imported, self._options.optimized_model_filepath)

    @property
    def session(self) -> Any:
        """clconv's own Session."""
        return self._session

    @property
    def output_names(self) -> list[str]:
        return list(self._output_names)

    @functools.cached_property
    def _output_names(self) -> tuple[str, ...]:
        return tuple(self._session.graph.outputs)

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[np.ndarray]:
        """The outputs named, all if none are, in order.

        input_feed: arrays, OrtValues or nested lists by input name; a list takes the input's type, an array
        must have it. Raises InvalidArgument (InputError, a ValueError) for wrong names, types or sizes.
        """
        names = list(output_names) if output_names else self.output_names
        values = self.run_to(dict.fromkeys(names, "host"), input_feed)
        return [values[name] for name in names]

    def run_to(self, places: Mapping[str, Any], input_feed: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name, each where `places` says, as for `outputs` of clconv's Session.run(). OrtValues among the
        inputs are read where they lie."""
        self._expect_inputs(input_feed)
        specs = self._session.inputs
        feeds = {
            name: value.placed(self._session)
            if isinstance(value, OrtValue)
            else _array(name, value, specs.get(name))
            for name, value in input_feed.items()
        }
        with logged(self._options.log_severity_level):
            if self._profile is None or self._profile.is_over:
                return self._session.run(feeds, places)
            values = self._profile.run(self._session, feeds, list(places))
        return placed(self._session._shared.prepared, values, Wanted(dict(places)))

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        callback: Callback,
        user_data: Any,
        run_options: RunOptions | None = None,
    ) -> None:
        """Starts run() in another thread, which then calls callback(results, user_data, error): the outputs and "", or no
        outputs and what went wrong. The arrays of `input_feed` must stay untouched until then.

        Raises InvalidArgument for missing inputs at once.
        """
        self._expect_inputs(input_feed)
        with self._starting:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_ASYNC_THREADS, "clconv run_async")
        feeds = dict(input_feed)
        self._threads.submit(self._run_and_tell, output_names, feeds, callback, user_data)

    def _run_and_tell(
        self,
        output_names: Sequence[str] | None,
        feeds: Mapping[str, Any],
        callback: Callback,
        user_data: Any,
    ) -> None:
        results: list[np.ndarray] = []
        error = ""
        try:
            results = self.run(output_names, feeds)
        except Exception as reason:
            error = str(reason) or type(reason).__name__
        try:
            callback(results, user_data, error)
        except Exception as reason:
            # The caller's: shown like that of any thread, and the next runs go on.
            shown = (type(reason), reason, reason.__traceback__, threading.current_thread())
            threading.excepthook(threading.ExceptHookArgs(shown))

    def _expect_inputs(self, input_feed: Mapping[str, Any]) -> None:
        missing = [name for name in self._session.inputs if name not in input_feed]
        if missing:
            raise InvalidArgument(
                f"Required inputs ({missing}) are missing from input feed ({list(input_feed)})."
            )

    def _event(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self._profile is None else self._profile.event(name)

    def end_profiling(self) -> str:
        """Writes when the model was loaded and run, and each node's time, into a file, and returns its name; "" unless
        `enable_profiling` was set, or if it ended before. Raises OSError."""
        return "" if self._profile is None else self._profile.end()

    def get_profiling_start_time_ns(self) -> int:
        return 0 if self._profile is None else self._profile.begin

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """run() with OrtValues, those on the device read there; the outputs lie in the host's memory."""
        return [OrtValue(array) for array in self.run(output_names, input_dict_ort_values)]

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(self, binding: IOBinding, run_options: RunOptions | None = None) -> None:
        binding.run()

    def get_inputs(self) -> list[NodeArg]:
        return self._node_args(self._session.inputs)

    def get_outputs(self) -> list[NodeArg]:
        return self._node_args(self._session.outputs)

    # Packages read these of onnxruntime's sessions, too.
    _inputs_meta = property(get_inputs)
    _outputs_meta = property(get_outputs)

    def _node_args(self, specs: Mapping[str, TensorSpec | None]) -> list[NodeArg]:
        return [node_arg(name, spec, self._options.named_sizes) for name, spec in specs.items()]

    def get_overridable_initializers(self) -> list[NodeArg]:
        defaults = self._session.graph.metadata.get("defaults", {})
        return self._node_args(defaults)

    def get_modelmeta(self) -> ModelMetadata:
        graph = self._session.graph
        known = graph.metadata
        return ModelMetadata(
            producer_name=str(known.get("producer_name", "")),
            graph_name=str(known.get("graph_name", graph.name)),
            domain=str(known.get("domain", "")),
            description=str(known.get("description", "")),
            graph_description=str(known.get("graph_description", "")),
            version=int(known.get("version", 0)),
            custom_metadata_map=dict(known.get("custom", {})),
        )

    def get_session_options(self) -> SessionOptions:
        return self._options

    def get_providers(self) -> list[str]:
        return list(PROVIDERS)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        device = str(self._session.device.index)
        return {name: {"device": device} if name == OPENCL_PROVIDER else {} for name in PROVIDERS}

    def set_providers(
        self,
        providers: Sequence[Provider] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Accepted: a session stays on the device it was made for."""

    def disable_fallback(self) -> None:
        """Accepted: clconv never falls back silently."""

    def enable_fallback(self) -> None:
        """Accepted: clconv never falls back silently."""


def _expect_file(path: str | os.PathLike[str]) -> None:
    try:
        there = Path(path).exists()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise NoSuchFile(f"Load model from {os.fspath(path)!r} failed: no such file")
    if Path(path).is_dir():
        raise InvalidProtobuf(f"Load model from {os.fspath(path)!r} failed: it is a folder")


def _option(
    providers: Sequence[Provider] | None, options: Sequence[Mapping[str, Any]] | None, key: str
) -> str | None:
    """An option of clconv's provider, in either of the two ways to give options."""
    given = list(providers or ())
    beside = list(options or [{}] * len(given))
    for provider, more in zip(given, beside, strict=False):
        name, own = (provider, {}) if isinstance(provider, str) else (provider[0], provider[1])
        if name == OPENCL_PROVIDER:
            chosen = {**(more or {}), **own}.get(key)
            if chosen is not None:
                return str(chosen)
    return None


def _array(name: str, value: Any, spec: TensorSpec | None) -> Any:
    if is_on_device(value):
        return value
    if isinstance(value, np.ndarray) or spec is None:
        return np.asarray(value)
    try:
        return np.asarray(value, spec.dtype.numpy)
    except (TypeError, ValueError, OverflowError) as reason:
        raise InputError(f"input '{name}' takes {spec}: {reason}") from None
