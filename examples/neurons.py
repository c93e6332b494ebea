"""What neurons look for: pictures that make a channel of a trained network answer most, found by gradient ascent
(Erhan, Bengio, Courville and Vincent, 2009; Zeiler and Fergus, 2013).

    python examples/neurons.py MODEL.onnx

Low layers look for edges and colours, middle ones for textures and parts, the last for what its classes are made of.
Without MODEL.onnx it is MobileNetV2 from CLCONV_DATA, else the ConvNet of convnet.py, which learns first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from data import imagenet_model, options

import clconv
from clconv import visualize
from clconv.api import read_model

COLUMNS = 6
# Classes of ImageNet that a person knows at sight.
IMAGENET = {
    107: "jellyfish", 130: "flamingo", 340: "zebra", 417: "balloon", 980: "volcano", 985: "daisy",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Neuron:
    """A channel of a layer, the picture that it likes best, and its mean answer to noise and to that picture."""

    layer: str
    channel: int
    picture: np.ndarray
    noise: float
    answer: float


def three_levels(model: clconv.Graph) -> tuple[str, str, str]:
    """The first, a middle and the last layer with weights, each with the activation behind it.

    The mean of a convolution over all places says only how bright it likes the picture; that of what it answers when it
    counts above zero only, which pattern it likes.
    """
    names = [n for n, op in visualize.layers(model).items() if op in ("Conv", "Gemm", "MatMul")]
    first, middle, last = (
        _with_activation(model, name) for name in (names[0], names[len(names) // 2], names[-1])
    )
    return first, middle, last


def _with_activation(model: clconv.Graph, layer: str) -> str:
    value = next(n.outputs[0] for n in model.nodes if n.name == layer)
    behind = [n for n in model.nodes if value in n.inputs]
    return behind[0].name if len(behind) == 1 and behind[0].op in ("Relu", "Clip") else layer


def look(
    model: clconv.Graph,
    layer: str,
    count: int = COLUMNS,
    steps: int = 128,
    first: Sequence[int] = (),
) -> list[Neuron]:
    """So many channels of a layer of those that answer to faint noise: where a channel is zero everywhere, there is no
    slope to climb. The first of `first`, else evenly spaced ones."""
    value = next(n.outputs[0] for n in model.nodes if layer in (n.name, n.outputs[0]))
    session = clconv.Session(model.replace(outputs=(value,)), clconv.devices()[0])
    (spec,) = session.inputs.values()
    shape = [d if isinstance(d, int) else 1 for d in spec.shape]
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * 0.1
    heard = _answers(session, noise)
    alive = np.flatnonzero(heard)
    channels = [c for c in first if c in alive][:count]
    channels = channels or list(alive[np.linspace(0, len(alive) - 1, count).astype(int)])
    found = []
    for channel in channels:
        picture = visualize.maximize(model, layer, int(channel), steps=steps)
        answer = _answers(session, picture[np.newaxis])[channel]
        found.append(Neuron(layer, int(channel), picture, float(heard[channel]), float(answer)))
    return found


def patterned(model: clconv.Graph) -> list[int]:
    """The filters of the first convolution, those that look least at mere colour first."""
    node = next(n for n in model.nodes if n.op == "Conv")
    filters = model.constants[node.inputs[1]].array
    change = filters - filters.mean((2, 3), keepdims=True)
    return list(np.argsort(-change.std((1, 2, 3)) / filters.std((1, 2, 3))))


def classes(model: clconv.Graph) -> list[int]:
    """Of ImageNet's, those above; none of other networks'."""
    weights = [c.spec.shape for c in model.constants.values()]
    return list(IMAGENET) if (1000,) in weights else []


def _answers(session: clconv.Session, picture: np.ndarray) -> np.ndarray:
    """Each channel's mean."""
    (name,) = session.inputs
    (found,) = session.run({name: picture}).values()
    return found[0].reshape(found.shape[1], -1).mean(1)


def tile(neuron: Neuron, share: float, side: int = 168) -> np.ndarray:
    """The middle of its picture, so large a share of it, as side x side bytes."""
    whole = visualize.as_picture(neuron.picture)
    height = max(1, round(whole.shape[0] * share))
    top = (whole.shape[0] - height) // 2
    places = top + np.arange(side) * height // side
    found = whole[places][:, places]
    return found if found.shape[2] == 3 else found[:, :, :1].repeat(3, 2)


def save_picture(levels: Sequence[Sequence[Neuron]], path: str) -> None:
    """A row a level; of the lower ones a part, enlarged: they look at few pixels."""
    from PIL import Image

    small = levels[0][0].picture.shape[1] < 64
    shares = (0.5, 1, 1) if small else (0.125, 0.5, 1)
    tiles = [
        tile(neuron, share) for level, share in zip(levels, shares, strict=True) for neuron in level
    ]
    Image.fromarray(visualize.grid(tiles, columns=len(levels[0]), border=4)).save(path)


def chosen_model(named: Path | None) -> clconv.Graph:
    path = named or imagenet_model()
    if path is not None:
        print(f"network: {path}")
        return read_model(path)
    import convnet

    print("network: the ConvNet of convnet.py, which learns first")
    return convnet.learn(epochs=3)[0].graph()


def main() -> None:
    parser = options("neurons.png")
    parser.add_argument("model", nargs="?", type=Path, help="an ONNX file; by default MobileNetV2")
    given = parser.parse_args()
    path: Path = given.picture
    model = chosen_model(given.model)
    first = (patterned(model), (), classes(model))
    levels = [
        look(model, layer, first=channels)
        for layer, channels in zip(three_levels(model), first, strict=True)
    ]
    for name, neurons in zip(("low", "middle", "high"), levels, strict=True):
        print(f"{name}, {neurons[0].layer}: mean answer to noise -> to its own picture")
        for n in neurons:
            known = f" {IMAGENET[n.channel]}" if name == "high" and first[2] else ""
            print(f"    channel {n.channel}{known}: {n.noise:.2f} -> {n.answer:.2f}")
    save_picture(levels, str(path))
    print(f"{path}: a row a layer, from the first to the last")


if __name__ == "__main__":
    main()
