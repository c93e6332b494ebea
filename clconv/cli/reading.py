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

from clconv import config
from clconv.api import Shapes
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvError, ConfigError
from clconv.loading import Loading

if TYPE_CHECKING:
    from PIL import Image

_NETWORKS = {"text_det": "detection", "text_cls": "direction", "text_rec": "recognition"}
_DETECTION = "det"  # in the names of files, as those below
# What RapidOCR gives the networks that follow detection, in their order, six lines at a time: while the last one is compiled,
# the others run.
_FOLLOWING: dict[str, Shapes] = {"cls": {"x": (6, 3, 48, 192)}, "rec": {"x": (6, 3, 48, 320)}}
_LEAST, _MOST, _STEP = 736, 2000, 32  # of the pixels that detection is given


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
    """RapidOCR on one device, whose networks are compiled from now on. progress(done, all) is called while this process
    compiles. size: width and height of the pictures, as far as they are known: others are planned when they come.

    For the rest of the process `import onnxruntime` means clconv. Raises ConfigError if rapidocr is not
    installed.
    """

    def __init__(
        self, device: DeviceInfo, progress: Callable[[int, int], None], size: tuple[int, int]
    ) -> None:
        models = _models(size)
        # Detection comes first, and what follows it is compiled meanwhile.
        first = next((path for path in models if _is_detection(path)), Path())
        self._ahead = Loading(models.items(), device, first, progress)
        self._ahead.wait_until_busy()
        import clconv.compat.onnxruntime as stand_in  # only now, as RapidOCR: it takes a while

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
                session.run = self._timed(name, session.run)
                self._watched.add(name)

    def _timed(self, name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return run(*arguments, **options)
            finally:
                self._seconds[name] += time.perf_counter() - started
                self._calls[name] += 1

        return timed


def _models(size: tuple[int, int]) -> dict[Path, Shapes]:
    """The networks in the order in which they are to be compiled, where RapidOCR has their files already, and the shape of
    their input."""
    package = importlib.util.find_spec("rapidocr")
    if package is None or package.origin is None:
        return {}
    folder = Path(package.origin).parent / "models"
    shapes = {_DETECTION: {"x": (1, 3, *_detected(size))}, **_FOLLOWING}
    found = {kind: [*folder.glob(f"*_{kind}_*.onnx")] for kind in shapes}
    return {files[0]: shapes[kind] for kind, files in found.items() if len(files) == 1}


def _is_detection(path: Path) -> bool:
    return f"_{_DETECTION}_" in path.name


def _detected(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of what RapidOCR looks for text in: the picture, no smaller and no larger than it takes them."""
    width, height = size
    if max(size) > _MOST:
        width, height = _scaled(width, height, _MOST / max(size))
    width, height = _scaled(width, height, max(1.0, _LEAST / min(width, height)))
    return height, width


def _scaled(width: int, height: int, ratio: float) -> tuple[int, int]:
    return round(int(width * ratio) / _STEP) * _STEP, round(int(height * ratio) / _STEP) * _STEP
