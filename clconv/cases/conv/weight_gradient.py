"""Cases of ConvWeightGradient: every padding, stride and dilation, one pixel, primes, groups, 1-D to 3-D."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, data, window


def weight_gradient(
    label: str,
    x: tuple[int, ...],
    filters: int,
    kernel: tuple[int, ...],
    cut: tuple[int, ...] = (),
    constant: bool = False,
    **attrs: Any,
) -> Case:
    """cut: by how many pixels dy is smaller than windows fit. constant: whether dy is known, as for a sum of all results."""
    at = window(len(kernel), **attrs)
    n = len(kernel)
    sizes = [
        (x[2 + i] + at["pads"][i] + at["pads"][i + n] - at["dilations"][i] * (kernel[i] - 1) - 1)
        // at["strides"][i]
        + 1
        for i in range(n)
    ]
    sizes = [size - less for size, less in zip(sizes, cut or (0,) * n, strict=True)]
    operands = (data(*x), data(x[0], filters, *sizes, constant=constant))
    return Case("ConvWeightGradient", label, operands, {"kernel_shape": kernel, **at})


ONE, TWO = (1, 1, 1, 1), (2, 2)
CASES = (
    weight_gradient("3x3", (2, 19, 9, 7), 23, (3, 3), pads=ONE),
    weight_gradient("full blocks", (2, 32, 8, 10), 64, (3, 3), pads=ONE),
    weight_gradient("many images", (11, 5, 4, 3), 7, (3, 3), pads=ONE),
    weight_gradient("one result of many images", (37, 5, 3, 3), 9, (3, 3)),
    weight_gradient("few results of many images", (29, 4, 4, 3), 17, (3, 3), pads=(0, 1, 1, 0)),
    weight_gradient("1-D window of 40", (3, 4, 61), 9, (40,), pads=(7, 5)),
    weight_gradient("known gradient", (2, 18, 6, 7), 17, (3, 3), pads=ONE, constant=True),
    weight_gradient(
        "known gradient, depthwise", (1, 18, 6, 7), 18, (3, 3), group=18, pads=ONE, constant=True
    ),
    weight_gradient("long sums", (7, 1, 13, 17), 2, (3, 3), pads=ONE),
    weight_gradient("no padding", (1, 17, 7, 11), 13, (3, 2)),
    weight_gradient("one pixel", (3, 5, 1, 1), 7, (1, 1)),
    weight_gradient("one pixel in padding", (1, 3, 1, 1), 2, (3, 3), pads=ONE),
    weight_gradient("one channel, one filter", (2, 1, 6, 5), 1, (3, 3), pads=ONE),
    weight_gradient("1x1", (3, 37, 5, 7), 41, (1, 1)),
    weight_gradient("1x1 blocks", (2, 48, 13, 9), 96, (1, 1)),
    weight_gradient("1x1 stride 2", (2, 21, 9, 8), 18, (1, 1), strides=TWO),
    weight_gradient("1x1 padded", (1, 9, 5, 4), 6, (1, 1), pads=(1, 0, 2, 1)),
    weight_gradient("3x3 stride 2", (2, 16, 9, 12), 24, (3, 3), strides=TWO, pads=ONE),
    weight_gradient("stride 3", (1, 11, 14, 13), 9, (3, 3), strides=(3, 3), pads=(1, 0, 0, 1)),
    weight_gradient("stride wider than window", (1, 6, 13, 9), 5, (2, 1), strides=(3, 2)),
    weight_gradient("dilated", (1, 18, 11, 13), 16, (3, 3), dilations=(2, 3), pads=(2, 3, 2, 3)),
    weight_gradient(
        "asymmetric all", (2, 7, 12, 11), 9, (3, 2), strides=(2, 3), pads=(0, 1, 2, 0), dilations=(2, 1)
    ),
    weight_gradient("wide padding", (1, 4, 5, 4), 3, (3, 3), pads=(4, 3, 5, 6)),
    weight_gradient("window as large as image", (2, 3, 5, 7), 6, (5, 7)),
    weight_gradient("fewer gradients than windows", (1, 5, 9, 8), 4, (3, 3), (1, 2), pads=ONE),
    *(
        weight_gradient(mode, (2, 17, 7, 9), 18, (3, 5), pads=(1, 2, 1, 2), pad_mode=mode)
        for mode in ("reflect", "edge", "wrap")
    ),
    *(
        weight_gradient(
            f"{mode} stride 2",
            (1, 6, 8, 7),
            5,
            (3, 3),
            strides=TWO,
            pads=(2, 1, 0, 2),
            pad_mode=mode,
        )
        for mode in ("reflect", "edge", "wrap")
    ),
    *(
        weight_gradient(f"{mode} repeated", (1, 3, 3, 2), 4, (3, 3), pads=(4, 3, 5, 4), pad_mode=mode)
        for mode in ("reflect", "wrap")
    ),
    weight_gradient("stem", (2, 3, 23, 29), 40, (7, 7), strides=TWO, pads=(3, 3, 3, 3)),
    weight_gradient("stem of one channel", (3, 1, 14, 13), 6, (5, 5), pads=(2, 2, 2, 2)),
    weight_gradient("11x11 stride 4", (1, 3, 35, 31), 17, (11, 11), strides=(4, 4)),
    weight_gradient("wide rows", (1, 8, 3, 150), 16, (3, 3), pads=ONE),
    weight_gradient("groups", (2, 12, 6, 7), 15, (3, 3), group=3, pads=ONE),
    weight_gradient("groups of blocks", (1, 64, 6, 5), 32, (3, 3), group=2, pads=ONE),
    weight_gradient("groups of four", (1, 32, 5, 6), 32, (3, 3), group=8, pads=ONE),
    weight_gradient("1x1 groups", (2, 32, 5, 6), 48, (1, 1), group=2),
    weight_gradient("depthwise", (2, 35, 9, 8), 35, (3, 3), group=35, pads=ONE),
    weight_gradient(
        "depthwise stride 2", (2, 16, 9, 12), 16, (3, 3), group=16, strides=TWO, pads=ONE
    ),
    weight_gradient("depthwise 5x5", (1, 19, 8, 11), 19, (5, 5), group=19, pads=(2, 2, 2, 2)),
    weight_gradient(
        "depthwise reflect", (1, 17, 9, 7), 17, (3, 3), group=17, pads=ONE, pad_mode="reflect"
    ),
    weight_gradient(
        "depthwise dilated", (1, 8, 11, 9), 8, (3, 3), group=8, dilations=TWO, pads=(2, 2, 2, 2)
    ),
    weight_gradient("depthwise with multiplier", (1, 9, 7, 6), 18, (3, 3), group=9, pads=ONE),
    weight_gradient("1-D", (2, 6, 37), 8, (5,), strides=(3,), pads=(1, 2)),
    weight_gradient("1-D wrap", (1, 19, 23), 17, (3,), pads=(2, 0), pad_mode="wrap"),
    weight_gradient("1-D depthwise", (2, 20, 31), 20, (4,), group=20, pads=(3, 0)),
    weight_gradient(
        "3-D", (1, 5, 4, 5, 3), 6, (3, 2, 3), strides=(2, 1, 1), pads=(1, 0, 1, 0, 1, 1)
    ),
    weight_gradient(
        "3-D edge groups", (2, 4, 3, 4, 3), 6, (2, 2, 3), group=2, pads=(1,) * 6, pad_mode="edge"
    ),
)  # fmt: skip
