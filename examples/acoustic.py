"""An acoustic model (Hinton, Deng, Yu, Dahl et al., 2012): a deep network in the place of Gaussian mixtures.

Sound becomes frames of log mel energies on the device. From eleven of them the network, pre-trained as in deep_belief.py,
says how likely each state of each word is; a word is the best way through its states from left to right (Viterbi).
Here the words are the ten digits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from data import picture_option, spoken_digits
from deep_belief import Layer, pretrain

import clconv
from clconv import layers as L
from clconv import optim
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node

RATE, FRAME, HOP, BINS = 8000, 256, 80, 23  # hertz, samples, samples, mel bins
AROUND = 5  # frames before and after
STATES = 4  # of each digit
HIDDEN = (256, 256, 256)


@dataclasses.dataclass(frozen=True)
class Word:
    """A recording: its frames (n, BINS), the digit, who said it, and which time it was."""

    frames: np.ndarray
    digit: int
    speaker: str
    take: int


def log_mel() -> Graph:
    """Sound (batch, samples) -> (batch, frames, BINS): STFT, energies, mel bins, logarithm."""
    nodes = (
        make_node("STFT", ["sound", "hop", "hann", "length"], ["spectra"]),
        make_node("Mul", ["spectra", "spectra"], ["squares"]),
        make_node("ReduceSum", ["squares", "last"], ["energies"], keepdims=0),
        make_node("MelWeightMatrix", ["bins", "length", "rate", "low", "high"], ["mel"]),
        make_node("MatMul", ["energies", "mel"], ["binned"]),
        make_node("Add", ["binned", "least"], ["heard"]),
        make_node("Log", ["heard"], ["frames"]),
    )
    values = {
        "hop": np.array(HOP),
        "length": np.array(FRAME),
        "hann": np.hanning(FRAME + 1)[:-1].astype(np.float32),
        "last": np.array([-1]),
        "bins": np.array(BINS),
        "rate": np.array(RATE),
        "low": np.array(100, np.float32),
        "high": np.array(RATE / 2, np.float32),
        "least": np.array(1e-5, np.float32),
    }
    constants = {name: Constant(value) for name, value in values.items()}
    specs = {"sound": TensorSpec(("batch", "samples"))}
    return Graph("log mel", nodes, ("sound",), ("frames",), specs, constants)


def heard(recordings: Sequence[tuple[np.ndarray, int, str, int]], batch: int = 50) -> list[Word]:
    """The frames of each recording, less their mean, which is the microphone's and the room's."""
    session = clconv.Session(log_mel(), clconv.devices()[0])
    longest = max(FRAME, *(len(sound) for sound, *_ in recordings))
    words = []
    for start in range(0, len(recordings), batch):
        part = recordings[start : start + batch]
        sounds = np.zeros((batch, longest), np.float32)
        for row, (sound, *_) in zip(sounds, part, strict=False):
            row[: len(sound)] = sound
        found = session.run({"sound": sounds})["frames"]
        for frames, (sound, *facts) in zip(found, part, strict=False):
            own = frames[: max(STATES, 1 + (len(sound) - FRAME) // HOP)]
            words.append(Word(own - own.mean(0), *facts))
    return words


def windows(words: Sequence[Word]) -> np.ndarray:
    """Each frame of all words with those around it, (frames, 11 BINS); the ends are repeated."""
    rows = []
    for word in words:
        n = len(word.frames)
        places = np.arange(n)[:, np.newaxis] + np.arange(-AROUND, AROUND + 1)
        rows.append(word.frames[places.clip(0, n - 1)].reshape(n, -1))
    return np.concatenate(rows)


def uniform(words: Sequence[Word]) -> np.ndarray:
    """A state for each frame of all words: each word's frames in equal parts."""
    parts = [w.digit * STATES + np.arange(len(w.frames)) * STATES // len(w.frames) for w in words]
    return np.concatenate(parts)


def viterbi(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (frames, words, states) of one recording -> the best way's score for each word, and that way (words, frames).

    A way begins in the first state, ends in the last, and stays or goes on by one at each frame.
    """
    best = np.full(scores.shape[1:], -np.inf)
    best[:, 0] = scores[0, :, 0]
    moved = np.zeros(scores.shape, bool)
    for t in range(1, len(scores)):
        before = np.pad(best[:, :-1], ((0, 0), (1, 0)), constant_values=-np.inf)
        moved[t] = before > best
        best = np.maximum(before, best) + scores[t]
    ways = np.zeros((scores.shape[1], len(scores)), np.int64)
    ways[:, -1] = scores.shape[2] - 1
    everywhere = np.arange(scores.shape[1])
    for t in range(len(scores) - 1, 0, -1):
        ways[:, t - 1] = ways[:, t] - moved[t, everywhere, ways[:, t]]
    return best[:, -1], ways


class Recogniser:
    """The network, what it takes for normal, and how often each state is."""

    def __init__(self, words: Sequence[Word], hidden: Sequence[int], epochs: int) -> None:
        x = windows(words)
        self.mean, self.deviation = x.mean(0), x.std(0) + 1e-6
        stack = pretrain(self._normal(x), hidden, epochs, {0: "visible"}, batch=200)
        self.trainer = clconv.Trainer(
            deep_network(x.shape[1], stack), optimizer=optim.Adam(lr=1e-3)
        )
        self.often = np.full(10 * STATES, 0.1 / STATES)

    def _normal(self, x: np.ndarray) -> np.ndarray:
        return ((x - self.mean) / self.deviation).astype(np.float32)

    def learn(self, words: Sequence[Word], states: np.ndarray, epochs: int) -> dict[str, float]:
        self.often = (np.bincount(states, minlength=10 * STATES) + 1) / (len(states) + 10 * STATES)
        x = self._normal(windows(words))
        return self.trainer.fit(x, states, epochs=epochs, batch_size=200)[-1]

    def scores(self, words: Sequence[Word]) -> list[np.ndarray]:
        """log p(frame | state) but for what is the same for all states, by Bayes' rule: (frames, 10, STATES) a word."""
        sums = self.trainer.predict(self._normal(windows(words)), batch_size=1000).astype(
            np.float64
        )
        top = sums.max(1, keepdims=True)
        posteriors = sums - top - np.log(np.exp(sums - top).sum(1, keepdims=True))
        ends = np.cumsum([len(w.frames) for w in words])[:-1]
        found = (posteriors - np.log(self.often)).reshape(-1, 10, STATES)
        return np.split(found, ends)

    def aligned(self, words: Sequence[Word]) -> np.ndarray:
        """A state for each frame of all words: the best way through the states of what was said."""
        parts = [
            w.digit * STATES + viterbi(s[:, w.digit : w.digit + 1])[1][0]
            for w, s in zip(words, self.scores(words), strict=True)
        ]
        return np.concatenate(parts)

    def recognise(self, words: Sequence[Word]) -> np.ndarray:
        """The digit of each recording."""
        return np.array([viterbi(s)[0].argmax() for s in self.scores(words)])

    def right(self, words: Sequence[Word]) -> float:
        return float((self.recognise(words) == [w.digit for w in words]).mean())


def deep_network(inputs: int, stack: Sequence[Layer]) -> Graph:
    """Sigmoid layers with the weights of the stack, and a new one of all states."""
    steps: list[L.Layer] = []
    for i, layer in enumerate(stack):
        steps += [L.Dense(len(layer.hidden), name=f"dense_{i + 1}"), L.Sigmoid()]
    network = L.Sequential(*steps, L.Dense(10 * STATES, name="states"))
    graph = network.build((inputs,), batch=None)
    values = {f"dense_{i + 1}.weight": layer.weights.T for i, layer in enumerate(stack)}
    values |= {f"dense_{i + 1}.bias": layer.hidden for i, layer in enumerate(stack)}
    constants = {n: Constant(np.ascontiguousarray(v)) for n, v in values.items()}
    return graph.replace(constants={**graph.constants, **constants})


def train(words: Sequence[Word], hidden: Sequence[int] = HIDDEN, epochs: int = 6) -> Recogniser:
    """Equal parts first; then twice the states are found anew by what was learned so far."""
    recogniser = Recogniser(words, hidden, epochs)
    states = uniform(words)
    for number in range(3):
        figures = recogniser.learn(words, states, epochs)
        print(f"alignment {number + 1}: {figures['accuracy']:.1%} of the frames are in their state")
        states = recogniser.aligned(words)
    return recogniser


def save_picture(word: Word, recogniser: Recogniser, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    (scores,) = recogniser.scores([word])
    joint = scores.reshape(len(scores), -1) + np.log(recogniser.often)
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(8, 6))
    above.imshow(word.frames.T, origin="lower", aspect="auto")
    above.set(title=f"log mel frames of a '{word.digit}'", ylabel="mel bin")
    below.imshow(np.exp(joint).T, origin="lower", aspect="auto", cmap="gray_r", vmin=0, vmax=1)
    below.plot(word.digit * STATES + viterbi(scores)[1][word.digit], color="tab:red")
    below.set(title="posteriors of the states, and the best way", xlabel="frame", ylabel="digit")
    below.set_yticks(np.arange(10) * STATES + (STATES - 1) / 2, labels=range(10))
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(stranger: str = "theo") -> None:
    path = picture_option("acoustic.png")
    words = heard(spoken_digits())
    known = [w for w in words if w.speaker != stranger]
    learned, held = [w for w in known if w.take >= 4], [w for w in known if w.take < 4]
    print(f"{len(learned)} recordings of {len({w.speaker for w in known})} speakers are learned")
    recogniser = train(learned)
    print(f"{recogniser.right(held):.1%} of {len(held)} other takes by the same speakers are right")
    others = [w for w in words if w.speaker == stranger]
    print(f"{recogniser.right(others):.1%} of {len(others)} by a speaker who was never heard")
    save_picture(held[len(held) // 2], recogniser, str(path))
    print(f"{path}: a word, and where the network says that it is in it")


if __name__ == "__main__":
    main()
