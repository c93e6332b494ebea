"""Cases of Resize: every mode and coordinate mode, up and down, odd scales, 1-D to 3-D."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, ints, weight
from clconv.graph.ops.sampling.resize import COORDINATE_MODES, NEAREST_MODES


def resize(
    label: str,
    shape: tuple[int, ...],
    *,
    scales: tuple[float, ...] | None = None,
    sizes: tuple[int, ...] | None = None,
    roi: tuple[float, ...] | None = None,
    dtype: str = "float32",
    **attrs: Any,
) -> Case:
    operands: list[Operand | None] = [
        data(
            *shape,
            dtype=dtype,
            low=0 if dtype != "float32" else -1,
            high=1 if dtype == "float32" else 200,
        ),
        None if roi is None else weight(len(roi), values=roi),
        None if scales is None else weight(len(scales), values=scales),
        None if sizes is None else ints(*sizes),
    ]
    return Case("Resize", label, tuple(operands), attrs)


NO_MORE: dict[str, Any] = {}
ROI = (0.0, 0.0, 0.1, -0.2, 1.0, 1.0, 0.8, 1.3)
CASES = (
    resize("nearest 2x", (1, 16, 5, 7), scales=(1, 1, 2, 2)),
    resize(
        "nearest 2x asymmetric floor",
        (1, 13, 5, 7),
        scales=(1, 1, 2, 2),
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    ),
    resize("linear 2x", (1, 16, 5, 7), scales=(1, 1, 2, 2), mode="linear"),
    resize("linear 4x", (1, 3, 4, 3), scales=(1, 1, 4, 4), mode="linear"),
    resize("cubic 2x", (1, 5, 6, 5), scales=(1, 1, 2, 2), mode="cubic"),
    *(
        resize(
            f"{mode} {coordinates} {way}",
            (1, 3, 7, 6),
            mode=mode,
            sizes=(1, 3, *out),
            coordinate_transformation_mode=coordinates,
            extrapolation_value=-7.0,
            roi=ROI if coordinates == "tf_crop_and_resize" else None,
        )
        for mode in ("nearest", "linear", "cubic")
        for coordinates in COORDINATE_MODES
        for way, out in (("up", (11, 13)), ("down", (3, 4)), ("to one", (1, 1)))
    ),
    *(
        resize(
            f"nearest {nearest} {scale}",
            (1, 2, 5, 9),
            scales=(1, 1, scale, scale),
            nearest_mode=nearest,
            coordinate_transformation_mode=coordinates,
        )
        for nearest in NEAREST_MODES
        for scale, coordinates in ((0.5, "half_pixel"), (1.6, "asymmetric"))
    ),
    *(
        resize(f"antialias {mode}", (1, 3, 13, 11), sizes=(1, 3, 5, 4), mode=mode, antialias=1)
        for mode in ("linear", "cubic")
    ),
    *(
        resize(
            f"antialias {label}", shape, sizes=sizes, mode=mode, antialias=1, dtype=dtype, **more
        )
        for label, shape, sizes, mode, dtype, more in (
            ("many channels", (2, 19, 41, 37), (2, 19, 5, 16), "cubic", "float32", NO_MORE),
            ("up and down", (1, 3, 5, 97), (1, 3, 11, 20), "linear", "float32", {}),
            ("to one row", (1, 2, 60, 45), (1, 2, 1, 45), "cubic", "float32", {}),
            ("to one column", (1, 2, 60, 45), (1, 2, 7, 1), "linear", "float32", {}),
            ("two columns", (1, 2, 33, 2), (1, 2, 4, 2), "linear", "float32", {}),
            ("1-D", (2, 3, 150), (2, 3, 19), "cubic", "float32", {}),
            ("3-D", (1, 2, 9, 11, 40), (1, 2, 4, 3, 18), "linear", "float32", {}),
            ("channels, too", (1, 8, 20, 20), (1, 3, 7, 7), "linear", "float32", {}),
            ("rank 2", (30, 40), (11, 9), "linear", "float32", {}),
            ("uint8", (1, 3, 50, 70), (1, 3, 12, 33), "linear", "uint8", {}),
            ("float64", (1, 3, 20, 30), (1, 3, 7, 17), "cubic", "float64", {}),
            (
                "align corners",
                (1, 2, 30, 30),
                (1, 2, 8, 21),
                "linear",
                "float32",
                {"coordinate_transformation_mode": "align_corners"},
            ),
        )
    ),
    resize(
        "exclude outside",
        (1, 2, 6, 5),
        sizes=(1, 2, 9, 4),
        mode="cubic",
        exclude_outside=1,
        cubic_coeff_a=-0.5,
    ),
    resize(
        "antialias exclude outside",
        (1, 2, 12, 10),
        sizes=(1, 2, 5, 4),
        mode="cubic",
        antialias=1,
        exclude_outside=1,
    ),
    resize("fractional scales", (1, 3, 7, 9), scales=(1, 1, 0.6, 1.7), mode="linear"),
    resize(
        "symmetric fractional",
        (1, 3, 7, 9),
        scales=(1, 1, 0.6, 1.7),
        mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric",
    ),
    resize("axes", (2, 3, 5, 4), sizes=(7, 9), axes=(3, 2), mode="linear"),
    resize(
        "not larger",
        (1, 3, 5, 7),
        sizes=(11, 11),
        axes=(2, 3),
        keep_aspect_ratio_policy="not_larger",
    ),
    resize(
        "not smaller",
        (1, 3, 5, 7),
        sizes=(11, 11),
        axes=(2, 3),
        mode="linear",
        keep_aspect_ratio_policy="not_smaller",
    ),
    resize("every axis", (2, 3, 4, 5), scales=(1.5, 2, 0.5, 3), mode="linear"),
    resize("1-D", (1, 3, 11), scales=(1, 1, 2.5), mode="linear"),
    resize("3-D", (1, 2, 3, 4, 5), scales=(1, 1, 2, 2, 2), mode="linear"),
    resize("3-D wide", (2, 19, 3, 4, 5), scales=(1, 1, 1.5, 2, 3), mode="linear"),
    resize("3-D cubic", (1, 9, 3, 4, 5), scales=(1, 1, 2, 1.5, 2), mode="cubic"),
    resize("3-D nearest wide", (1, 17, 3, 4, 5), scales=(1, 1, 2, 0.5, 3)),
    resize("few planes, many columns", (2, 3, 9, 41), scales=(1, 1, 0.6, 1.7), mode="linear"),
    resize(
        "antialias, many columns", (1, 2, 9, 61), sizes=(1, 2, 4, 35), mode="linear", antialias=1
    ),
    resize("nearest, many columns", (1, 3, 5, 21), scales=(1, 1, 1.5, 1.7)),
    resize("3-D nearest", (1, 2, 3, 4, 5), scales=(1, 1, 2, 1.5, 3)),
    resize("channels last", (1, 5, 7, 3), scales=(1, 2, 2, 1), mode="linear"),
    resize("one pixel", (1, 5, 1, 1), sizes=(1, 5, 4, 3), mode="cubic"),
    resize("wide linear", (2, 13, 6, 19), scales=(1, 1, 1.5, 2), mode="linear"),
    resize("1-D nearest", (2, 9, 11), scales=(1, 1, 3)),
    resize("uint8 linear", (1, 3, 4, 5), scales=(1, 1, 2, 2), dtype="uint8", mode="linear"),
    resize("float64 cubic", (1, 3, 4, 5), scales=(1, 1, 2, 3), dtype="float64", mode="cubic"),
    resize("float16 nearest", (1, 3, 4, 5), scales=(1, 1, 2, 3), dtype="float16"),
    resize("bool nearest", (1, 3, 4, 5), scales=(1, 1, 2, 3), dtype="bool"),
    resize(
        "uint8 crop",
        (1, 3, 7, 6),
        sizes=(1, 3, 5, 4),
        roi=ROI,
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=9.0,
        dtype="uint8",
    ),
    resize("nothing", (1, 3, 4, 5), scales=(1, 1, 1, 1), mode="linear"),
    resize("uint8 nearest", (1, 3, 4, 5), scales=(1, 1, 2, 2), dtype="uint8"),
    resize("int32 nearest", (1, 3, 4, 5), scales=(1, 1, 2, 2), dtype="int32"),
    resize("empty batch", (0, 3, 4, 5), scales=(1, 1, 2, 2), mode="linear"),
    resize("empty batch by sizes", (0, 3, 4, 5), sizes=(0, 3, 8, 9)),
)
