"""SessionOptions, RunOptions and the enumerations that go into them."""

from __future__ import annotations

import enum
from typing import Any

from clconv.errors import ConfigError, UnsupportedError


class GraphOptimizationLevel(enum.IntEnum):
    """onnxruntime's levels; clconv always runs all its passes."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    """onnxruntime's modes; they change nothing here."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(enum.IntEnum):
    """onnxruntime's orders; they change nothing here."""

    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class LogSeverity(enum.IntEnum):
    """From which severity on messages are logged."""

    VERBOSE = 0
    INFO = 1
    WARNING = 2
    ERROR = 3
    FATAL = 4


class _ConfigEntries:
    """Text settings by key, kept so that they can be read back."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    def _add(self, key: str, value: str) -> None:
        self._entries[str(key)] = str(value)

    def _get(self, key: str) -> str:
        try:
            return self._entries[key]
        except KeyError:
            raise ConfigError(f"no config entry {key!r} was added") from None


class SessionOptions(_ConfigEntries):
    """onnxruntime's options. Those that only steer its threads, memory and log change nothing here; those
    that would change a result and are not supported raise UnsupportedError.

    optimized_model_filepath: where the session writes the model as an ONNX file, as clconv has read it: what clconv does to
    make it faster has no form in ONNX.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enable_cpu_mem_arena = True
        self.enable_mem_pattern = True
        self.enable_mem_reuse = True
        self.enable_profiling = False
        self.execution_mode = ExecutionMode.ORT_SEQUENTIAL
        self.execution_order = ExecutionOrder.DEFAULT
        self.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
        self.inter_op_num_threads = 0
        self.intra_op_num_threads = 0
        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.named_sizes: dict[str, int] = {}
        self.optimized_model_filepath = ""
        self.profile_file_prefix = "onnxruntime_profile_"
        self.use_deterministic_compute = False
        self.use_per_session_threads = True

    def add_session_config_entry(self, key: str, value: str) -> None:
        self._add(key, value)

    def get_session_config_entry(self, key: str) -> str:
        return self._get(key)

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        """What get_inputs() and get_outputs() say in the name's place. Runs with other sizes work all the same: each gets a
        plan of its own."""
        self.named_sizes[name] = size

    def add_free_dimension_override_by_denotation(self, denotation: str, size: int) -> None:
        """Accepted: every size that a dynamic input can have gets a plan of its own anyway."""

    def add_provider(self, provider: str, options: dict[str, str] | None = None) -> None:
        """Accepted, like the providers of a session."""

    def add_initializer(self, name: str, value: Any) -> None:
        raise UnsupportedError("clconv's SessionOptions cannot replace a model's initializers")

    def add_external_initializers(self, names: Any, values: Any) -> None:
        raise UnsupportedError("clconv's SessionOptions cannot replace a model's initializers")

    def register_custom_ops_library(self, path: str) -> None:
        raise UnsupportedError(f"clconv cannot load onnxruntime's operator library {path}")


class RunOptions(_ConfigEntries):
    """onnxruntime's options of one run; none of them changes a result."""

    def __init__(self) -> None:
        super().__init__()
        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.only_execute_path_to_fetches = False
        self.terminate = False

    def add_run_config_entry(self, key: str, value: str) -> None:
        self._add(key, value)

    def get_run_config_entry(self, key: str) -> str:
        return self._get(key)
