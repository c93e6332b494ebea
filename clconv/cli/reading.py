"""RapidOCR with clconv in the place of onnxruntime."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import clconv.compat.onnxruntime as stand_in
from clconv import config
from clconv.ahead import Precompiling
from clconv.api import Shapes
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvError, ConfigError

if TYPE_CHECKING:
    from PIL import Image

_NETWORKS = {"text_det": "detection", "text_cls": "direction", "text_rec": "recognition"}
# What RapidOCR gives the networks that follow detection, by a part of their files' names: six lines of text at a time.
_AHEAD: dict[str, Shapes] = {"cls": {"x": (6, 3, 48, 192)}, "rec": {"x": (6, 3, 48, 320)}}


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of text, how sure the network is (0..1), and the four corners of its box in pixels."""

    text: str
    confidence: float
    corners: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Reading:
    """What was read, and for each network the seconds in all its runs and how many there were."""

    lines: tuple[Line, ...]
    seconds: dict[str, float]
    calls: dict[str, int]


class ModelReader:
    """RapidOCR on one device. progress(done, all) is called while kernels are compiled.

    For the rest of the process `import onnxruntime` means clconv. Raises ConfigError if rapidocr is not
    installed.
    """

    def __init__(self, device: DeviceInfo, progress: Callable[[int, int], None]) -> None:
        self._ahead = Precompiling(_ahead(), device, busy=1)
        sys.modules["onnxruntime"] = stand_in
        os.environ[config.DEVICE.name] = str(device.index)
        stand_in.InferenceSession.progress = staticmethod(progress)
        try:
            from rapidocr import RapidOCR
        except ImportError as reason:
            raise ConfigError(
                f"the demo needs rapidocr ({reason}): pip install 'clconv[demo]'"
            ) from None
        self._ocr: Any = RapidOCR(params={"Global.log_level": "critical"})
        self._seconds: dict[str, float] = {}
        self._calls: dict[str, int] = {}
        self._watched: set[str] = set()

    def __enter__(self) -> ModelReader:
        return self

    def __exit__(self, *reason: object) -> None:
        self._ahead.__exit__(*reason)

    def read(self, picture: Image.Image) -> Reading:
        """The text in a picture. The first reading of a size compiles, and its times say so."""
        self._watch()
        self._seconds = dict.fromkeys(_NETWORKS.values(), 0.0)
        self._calls = dict.fromkeys(_NETWORKS.values(), 0)
        try:
            found = self._ocr(np.asarray(picture)[:, :, ::-1])  # it takes BGR, as OpenCV does
        except Exception as reason:
            if isinstance(reason.__cause__, ClconvError):  # RapidOCR wraps what an engine raises
                raise reason.__cause__ from None
            raise
        if getattr(found, "txts", None) is None:
            return Reading((), self._seconds, self._calls)
        lines = tuple(
            Line(str(text), float(score), tuple((float(x), float(y)) for x, y in box))
            for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True)
        )
        return Reading(lines, self._seconds, self._calls)

    def _watch(self) -> None:
        """Times the runs of the networks that RapidOCR has made by now."""
        for attribute, name in _NETWORKS.items():
            part = getattr(self._ocr, attribute, None)
            session = getattr(getattr(part, "session", None), "session", None)
            if session is not None and name not in self._watched:
                session.run = self._timed(name, session.run, session._model_path)
                self._watched.add(name)

    def _timed(self, name: str, run: Callable[..., Any], path: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            self._ahead.wait(path)
            try:
                return run(*arguments, **options)
            finally:
                self._seconds[name] += time.perf_counter() - started
                self._calls[name] += 1

        return timed


def _ahead() -> dict[Path, Shapes]:
    """The networks that follow detection, where RapidOCR has their files already, and the shape of their input."""
    package = importlib.util.find_spec("rapidocr")
    if package is None or package.origin is None:
        return {}
    folder = Path(package.origin).parent / "models"
    found = {kind: [*folder.glob(f"*_{kind}_*.onnx")] for kind in _AHEAD}
    return {files[0]: _AHEAD[kind] for kind, files in found.items() if len(files) == 1}
