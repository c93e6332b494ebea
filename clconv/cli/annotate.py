"""A picture with the boxes of what was read, and beside it the text."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from clconv.cli.reading import Line

_BOX = (214, 58, 46)
_INK = (20, 20, 20)
_FAINT = (120, 120, 120)


def annotated(picture: Image.Image, lines: Sequence[Line]) -> Image.Image:
    """The picture with numbered boxes on the left; on the right each text where it was found.

    The font is Pillow's own, which has Latin letters only.
    """
    both = Image.new("RGB", (2 * picture.width, picture.height), "white")
    both.paste(picture, (0, 0))
    pen = ImageDraw.Draw(both)
    thick = max(1, picture.width // 480)
    for number, line in enumerate(lines, 1):
        xs = [x for x, _ in line.corners]
        ys = [y for _, y in line.corners]
        pen.polygon(list(line.corners), outline=_BOX, width=thick)
        height = max(10.0, (max(ys) - min(ys)) * 0.62)
        left, top = min(xs) + picture.width, min(ys)
        font = _fitting(line.text, max(xs) - min(xs), height)
        small = ImageFont.load_default(max(9.0, height * 0.32))
        pen.text((left, top), line.text, fill=_INK, font=font)
        remark = f"{number}: {line.confidence:.1%}"
        pen.text((left, top + height), remark, fill=_FAINT, font=small)
        pen.text((min(xs), min(ys)), str(number), fill=_BOX, font=small, anchor="ls")
    return both


def _fitting(
    text: str, width: float, height: float
) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's font at that height, smaller if the text would be wider than its box."""
    font = ImageFont.load_default(height)
    needed = font.getlength(text)
    if needed <= width or not needed:
        return font
    return ImageFont.load_default(max(8.0, height * width / needed))
