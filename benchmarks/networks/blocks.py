"""What several of the benchmark networks are made of."""

from __future__ import annotations

from clconv.frontend.layers import BatchNorm2d, Conv2d, Layer, Sequential


def conv_bn(
    filters: int, window: int, stride: int = 1, groups: int = 1, activation: Layer | None = None
) -> Sequential:
    """Convolution without bias, batch normalisation, activation; padded to keep the size at stride 1."""
    layers: list[Layer] = [
        Conv2d(filters, window, stride, window // 2, groups=groups, bias=False, rounding="floor"),
        BatchNorm2d(),
    ]
    return Sequential(*layers, *([activation] if activation else []))
