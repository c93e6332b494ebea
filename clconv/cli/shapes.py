"""--size and --shape: a shape for every input of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clconv.cli.numbers import parse_sizes
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec


def settle_shapes(
    specs: Mapping[str, TensorSpec], size: tuple[int, int] | None, given: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """A shape for every input: --shape, else the model's with an open batch as 1 and an open size as --size.

    Raises ConfigError naming the axes that are still open, or an option that contradicts the model or says nothing.
    """
    asked = _asked_shapes(specs, given)
    sized = {n: _sized(s, size) for n, s in specs.items() if n not in asked}
    if size and all(shape == _sized(specs[n], None) for n, shape in sized.items()):
        listed = ", ".join(f"{name} {spec}" for name, spec in specs.items())
        raise ConfigError(f"--size: no input leaves its height or width open: {listed}")
    for name, shape in sized.items():
        if not all(isinstance(d, int) for d in shape):
            raise ConfigError(
                f"input '{name}' is {specs[name]}, its size is open: say --size HEIGHTxWIDTH or "
                f"--shape {name}={'x'.join('?' if not isinstance(d, int) else str(d) for d in shape)}"
            )
    settled = {n: tuple(d for d in s if isinstance(d, int)) for n, s in sized.items()}
    return {name: asked[name] if name in asked else settled[name] for name in specs}


def _asked_shapes(
    specs: Mapping[str, TensorSpec], given: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    asked: dict[str, tuple[int, ...]] = {}
    for text in given:
        name = shaped_input(specs, text)
        if name in asked:
            raise ConfigError(f"--shape {text}: the shape of '{name}' is given twice")
        asked[name] = shape_of(specs[name], name, text)
    return asked


def shaped_input(specs: Mapping[str, TensorSpec], text: str) -> str:
    """The input that a --shape is for. Raises ConfigError if there is none."""
    name, _, _ = text.rpartition("=")
    if not name and len(specs) == 1:
        name = next(iter(specs))
    if name not in specs:
        why = f"there is no input '{name}'" if name else "which input is it for? Say NAME=SHAPE"
        raise ConfigError(f"--shape {text}: {why}; the model takes {', '.join(specs)}")
    return name


def shape_of(spec: TensorSpec, name: str, text: str) -> tuple[int, ...]:
    """The shape that a --shape says. spec, name: of its input. Raises ConfigError for what is none, or does not fit."""
    shape = parse_sizes(text.rpartition("=")[2], "--shape")
    if not fits(spec, shape):
        raise ConfigError(f"--shape {text}: input '{name}' is {spec}")
    return shape


def fits(spec: TensorSpec, shape: Sequence[int]) -> bool:
    """Whether an input may have this shape."""
    return len(shape) == spec.rank and all(
        not isinstance(wanted, int) or wanted == size
        for wanted, size in zip(spec.shape, shape, strict=True)
    )


def _sized(spec: TensorSpec, size: tuple[int, int] | None) -> tuple[int | str | None, ...]:
    """The input's shape with 1 for an open batch, and the size for an open height and width."""
    shape = list(spec.shape)
    if shape and not isinstance(shape[0], int):
        shape[0] = 1
    open_axes = [i for i, d in enumerate(shape) if not isinstance(d, int)]
    if size and len(open_axes) <= 2 and spec.rank >= 3:
        spatial = (1, 2) if isinstance(shape[-1], int) and shape[-1] in (1, 3, 4) else (-2, -1)
        for axis, side in zip(spatial, size, strict=True):
            if not isinstance(shape[axis], int):
                shape[axis] = side
    return tuple(shape)
