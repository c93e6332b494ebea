"""Picture files of every kind become the same 8-bit pictures, or are refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image

from clconv.cli.pictures.opening import on_white, open_picture
from clconv.errors import InputError
from tests.cli.conftest import Clconv

GREY = np.linspace(0, 65535, 12).reshape(3, 4).astype(">u2")
BYTES = np.round(GREY / 257).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1).astype(">u2")
COLOUR_BYTES = (COLOUR >> 8).astype(np.uint8)  # Pillow keeps the upper halves


def png(path: Path, depth: int, kind: int, values: np.ndarray, clear: bytes = b"") -> Path:
    """A PNG file from rows that are packed already; clear: the colour that is transparent."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width = 3, 4
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    more = chunk(b"tRNS", clear) if clear else b""
    content = head + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def seen(path: Path) -> np.ndarray:
    """What a network gets to see of a file, as bytes."""
    return np.asarray(on_white(open_picture(path).image)[0])


def test_sixteen_bits_of_grey_are_scaled(tmp_path: Path) -> None:
    stored = GREY.astype(np.uint16)
    files = [png(tmp_path / "grey.png", 16, 0, GREY)]
    for name in ("little.tif", "big.tif"):
        Image.fromarray(stored).save(tmp_path / name)
        files.append(tmp_path / name)
    files[2].write_bytes(tiff(GREY.tobytes(), 16, order=b"MM"))
    (tmp_path / "grey.pgm").write_bytes(b"P5\n4 3\n65535\n" + GREY.tobytes())
    files.append(tmp_path / "grey.pgm")
    for file in files:
        opened = open_picture(file)
        assert np.array_equal(np.asarray(opened.image), BYTES), file
        assert opened.remarks == ("values 0..65535 scaled to 0..255",)


def tiff(content: bytes, bits: int, order: bytes = b"II", white_is_zero: bool = False) -> bytes:
    """4 x 3 pixels of one channel, uncompressed."""
    pack = {b"II": "<", b"MM": ">"}[order]
    fields = [
        (256, 4), (257, 3), (258, bits), (259, 1), (262, 0 if white_is_zero else 1), (273, 122),
        (277, 1), (278, 3), (279, len(content)),
    ]  # fmt: skip
    entries = b"".join(struct.pack(f"{pack}HHIHH", tag, 3, 1, n, 0) for tag, n in fields)
    head = order + struct.pack(f"{pack}HI", 42, 8) + struct.pack(f"{pack}H", len(fields))
    return (head + entries + bytes(4)).ljust(122, b"\0") + content


def test_other_ranges_of_tiff_files(tmp_path: Path) -> None:
    twelve = "".join(f"{value:012b}" for value in (GREY >> 4).ravel())
    packed = bytes(int(twelve[i : i + 8], 2) for i in range(0, len(twelve), 8))
    (tmp_path / "twelve.tif").write_bytes(tiff(packed, 12))
    opened = open_picture(tmp_path / "twelve.tif")
    assert opened.remarks == ("values 0..4095 scaled to 0..255",)
    np.testing.assert_allclose(np.asarray(opened.image), BYTES, atol=1)
    stored = tiff(GREY.astype("<u2").tobytes(), 16, white_is_zero=True)
    (tmp_path / "negative.tif").write_bytes(stored)
    assert np.array_equal(seen(tmp_path / "negative.tif"), 255 - BYTES)


def test_sixteen_bits_of_colour(tmp_path: Path) -> None:
    assert np.array_equal(seen(png(tmp_path / "colour.png", 16, 2, COLOUR)), COLOUR_BYTES)
    clear = COLOUR[0, 1].tobytes()
    expected = COLOUR_BYTES.copy()
    expected[0, 1] = 255
    assert np.array_equal(seen(png(tmp_path / "clear.png", 16, 2, COLOUR, clear)), expected)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_what_has_no_known_range_is_refused(kind: Any, tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(kind)).save(tmp_path / "values.tif")
    with pytest.raises(InputError, match=r"no known range; .*16 bits, or pass them as a \.npy"):
        open_picture(tmp_path / "values.tif")


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    alpha = np.array([[0, 255, 51, 255]] * 3, np.uint8)
    blend = np.round(BYTES * (alpha / 255.0) + 255 - alpha).astype(np.uint8)
    grey = np.stack([BYTES, alpha], axis=-1)
    colour = np.stack([BYTES, BYTES, BYTES, alpha], axis=-1)
    Image.fromarray(grey, "LA").save(tmp_path / "grey.png")
    Image.fromarray(colour, "RGBA").save(tmp_path / "colour.png")
    Image.fromarray(colour, "RGBA").save(tmp_path / "colour.tif")
    Image.fromarray(colour, "RGBA").save(tmp_path / "colour.webp", lossless=True, exact=True)
    wide = np.stack([GREY, alpha.astype(">u2") * 257], axis=-1).astype(">u2")
    png(tmp_path / "wide.png", 16, 4, wide)
    for name in ("grey.png", "colour.png", "colour.tif", "colour.webp", "wide.png"):
        found = seen(tmp_path / name)
        assert found.shape == (3, 4, 3)
        np.testing.assert_allclose(found, np.stack([blend] * 3, -1), atol=2, err_msg=name)


def test_one_colour_that_is_transparent(tmp_path: Path) -> None:
    at = (1, 2)
    expected = BYTES.copy()
    expected[at] = 255
    for file in (
        png(tmp_path / "wide.png", 16, 0, GREY, struct.pack(">H", GREY[at])),
        png(tmp_path / "grey.png", 8, 0, BYTES, struct.pack(">H", BYTES[at])),
    ):
        np.testing.assert_allclose(seen(file)[..., 0], expected, atol=1)
    bits = np.array([[0b10100000], [0b01010000], [0b11110000]], np.uint8)
    drawn = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]], np.uint8) * 255
    assert np.array_equal(seen(png(tmp_path / "bits.png", 1, 0, bits)), drawn)
    black = png(tmp_path / "clear.png", 1, 0, bits, struct.pack(">H", 0))
    assert (seen(black) == 255).all()


def test_palettes(tmp_path: Path) -> None:
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    picture.putpalette([value for i in range(256) for value in (i * 20 % 256, 0, i)])
    picture.save(tmp_path / "plain.png")
    picture.save(tmp_path / "clear.png", transparency=bytes([0, 128] + [255] * 254))
    picture.save(tmp_path / "clear.gif", transparency=2)
    plain = seen(tmp_path / "plain.png")
    assert plain[0].tolist() == [[0, 0, 0], [20, 0, 1], [40, 0, 2], [60, 0, 3]]
    found = seen(tmp_path / "clear.png")
    assert found[0, 0].tolist() == [255] * 3 and found[0, 2].tolist() == [40, 0, 2]
    np.testing.assert_allclose(found[0, 1], [137, 127, 128], atol=1)
    found = seen(tmp_path / "clear.gif")
    assert found[0, 2].tolist() == [255] * 3 and found[0, 1].tolist() == [20, 0, 1]


def test_other_colour_spaces(tmp_path: Path) -> None:
    grey = Image.fromarray(np.repeat(BYTES[..., None], 3, axis=2))
    made = [("CMYK", "cmyk.tif"), ("CMYK", "cmyk.jpg")]
    if int(PIL.__version__.split(".")[0]) >= 13:  # those before cannot read what they wrote
        made.append(("YCbCr", "luma.tif"))
    for mode, name in made:
        grey.convert(mode).save(tmp_path / name)
        found = seen(tmp_path / name)
        assert found.shape == (3, 4, 3)
        np.testing.assert_allclose(found[..., 1], BYTES, atol=8, err_msg=name)


@pytest.mark.parametrize("name", ["wide.png", "wide.tif", "grey.tif", "colour.tif", "colour.jpg"])
def test_the_camera_says_which_side_is_up(name: str, tmp_path: Path) -> None:
    values = np.kron(GREY if "wide" in name else BYTES, np.ones((8, 8), np.uint8))
    picture = Image.fromarray(values.astype(np.uint16 if "wide" in name else np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    (picture.convert("RGB") if "colour" in name else picture).save(tmp_path / name, exif=exif)
    found = seen(tmp_path / name)
    found = found if found.ndim == 2 else found[..., 0]
    expected = np.kron(np.rot90(BYTES, -1), np.ones((8, 8), np.uint8))
    np.testing.assert_allclose(found, expected, atol=8 if name.endswith("jpg") else 0)


def test_of_several_pictures_the_first(tmp_path: Path) -> None:
    first, second = (Image.fromarray(b) for b in (BYTES, 255 - BYTES))
    for name in ("moving.gif", "moving.png", "moving.webp", "pages.tif"):
        more: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {}
        first.convert("RGB").save(tmp_path / name, save_all=True, append_images=[second], **more)
        opened = open_picture(tmp_path / name)
        assert opened.remarks == ("the first of 2 pictures",), name
        np.testing.assert_allclose(np.asarray(opened.image)[..., 0], BYTES, atol=2, err_msg=name)


def test_damaged_and_oversized_files_are_one_line(tmp_path: Path, picture: Path) -> None:
    whole = Image.effect_noise((64, 64), 50)
    for name in ("cut.png", "cut.jpg", "cut.gif", "cut.bmp", "cut.webp", "cut.tif"):
        whole.convert("RGB").save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        for length in (1, 10, 30, 100, len(content) // 2):
            (tmp_path / name).write_bytes(content[:length])
            with pytest.raises(InputError) as raised:
                open_picture(tmp_path / name)
            assert name in str(raised.value) and "\n" not in str(raised.value)
    bomb = bytearray(picture.read_bytes())
    bomb[16:24] = struct.pack(">II", 30_000, 30_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bytes(bomb[12:29])))
    (tmp_path / "bomb.png").write_bytes(bytes(bomb))
    with pytest.raises(InputError, match="decompression bomb"):
        open_picture(tmp_path / "bomb.png")


def test_run_says_what_it_did(clconv: Clconv, models: Path, tmp_path: Path) -> None:
    png(tmp_path / "grey.png", 16, 0, GREY)
    said = clconv("run", models / "classifier.onnx", "-i", tmp_path / "grey.png").stderr
    assert "values 0..65535 scaled to 0..255" in said and "white" not in said
    Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    target = tmp_path / "seen.png"
    model = models / "brightener.onnx"
    said = clconv("run", model, "-i", tmp_path / "clear.png", "-o", target).stderr
    assert "what is transparent as on white" in said
    with Image.open(target) as halved:
        np.testing.assert_allclose(np.asarray(halved), 127, atol=1)


def test_postscript_is_refused_and_starts_no_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda *args, **named: started.append(args))
    path = tmp_path / "drawing.eps"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(InputError, match="no picture that Pillow can read"):
        open_picture(path)
    assert not started
