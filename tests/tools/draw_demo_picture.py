"""Draws the picture that `clconv demo` reads: a departure board, photographed a little askew.

    python -m tests.tools.draw_demo_picture

The font is the one that Pillow carries. Pillow's version may change single pixels.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from clconv.demo import FOOTER, HEADING, LINES, PICTURE

WIDTH, HEIGHT = 960, 540
INK, PAPER, BAND = (24, 30, 42), (243, 239, 228), (26, 74, 122)
COLUMNS = (60, 220, 700)


def draw() -> Image.Image:
    board = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(board)
    pen.rectangle((0, 0, WIDTH, 112), fill=BAND)
    pen.text((COLUMNS[0], 30), HEADING, fill=PAPER, font=ImageFont.load_default(56))
    for row, texts in enumerate(LINES):
        top = 148 + row * 76
        for left, text in zip(COLUMNS, texts, strict=True):
            pen.text((left, top), text, fill=INK, font=ImageFont.load_default(36))
        pen.line((COLUMNS[0], top + 58, WIDTH - 60, top + 58), fill=(196, 190, 174), width=2)
    pen.text((COLUMNS[0], 470), FOOTER, fill=(120, 40, 36), font=ImageFont.load_default(30))
    return photographed(board)


def photographed(board: Image.Image) -> Image.Image:
    """Turned by a degree, lit from the left, a little soft, with sensor noise."""
    turned = board.rotate(1.2, Image.Resampling.BICUBIC, fillcolor=(90, 84, 76))
    soft = turned.filter(ImageFilter.GaussianBlur(0.6))
    values = np.asarray(soft, np.float64)
    light = np.linspace(1.05, 0.78, WIDTH)[np.newaxis, :, np.newaxis]
    noise = np.random.default_rng(11).normal(0, 1.5, values.shape)
    return Image.fromarray(np.clip(values * light + noise, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    # A palette keeps the file small; the text survives it.
    draw().quantize(80, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(PICTURE, PICTURE.stat().st_size, "bytes")
