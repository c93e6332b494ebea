"""Restricted Boltzmann machines, and what is built from them: the autoencoder and the acoustic model."""

from __future__ import annotations

import itertools

import acoustic
import deep_belief
import numpy as np
import pytest

import clconv
from clconv import optim


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("gaussian", ["", "visible", "hidden"])
def test_the_energys_gradient_is_contrastive_divergence(gaussian: str) -> None:
    rng = np.random.default_rng(0)
    graph = deep_belief.rbm(12, 7, gaussian)
    weights = graph.constants["weights"].array
    v0, chance = rng.random((20, 12), np.float32), rng.random((20, 7), np.float32)
    trainer = clconv.Trainer(graph, "energy", optim.SGD(lr=1.0))
    found = trainer.gradients({"v0": v0, "chance": chance})
    h0 = v0 @ weights if gaussian == "hidden" else logistic(v0 @ weights)
    sample = h0 + chance if gaussian == "hidden" else (chance < h0).astype(np.float32)
    v1 = sample @ weights.T if gaussian == "visible" else logistic(sample @ weights.T)
    v1 = np.rint(v1 * 4096) / 4096
    h1 = v1 @ weights if gaussian == "hidden" else logistic(v1 @ weights)
    np.testing.assert_allclose(found["weights"], (v1.T @ h1 - v0.T @ h0) / 20, atol=1e-5)
    np.testing.assert_allclose(found["hidden"], (h1 - h0).mean(0), atol=1e-5)
    np.testing.assert_allclose(found["visible"], (v1 - v0).mean(0), atol=1e-5)


def bars(count: int, seed: int) -> np.ndarray:
    """Pictures of 8 x 8 pixels, each of some rows and columns that are lit."""
    rng = np.random.default_rng(seed)
    lit = rng.random((count, 2, 8)) < 0.2
    return (lit[:, 0, :, np.newaxis] | lit[:, 1, np.newaxis]).reshape(count, 64).astype(np.float32)


@pytest.mark.slow
def test_a_pre_trained_autoencoder_beats_the_same_without() -> None:
    x, held, sizes = bars(1000, 0), bars(100, 1), (64, 48, 32, 16)
    stack = deep_belief.pretrain(x, sizes[1:], 15, {2: "hidden"}, batch=20)
    assert [layer.weights.shape for layer in stack] == [(64, 48), (48, 32), (32, 16)]
    _, pre_trained = deep_belief.fine_tune(deep_belief.autoencoder(sizes, stack), x, held, 5)
    _, random = deep_belief.fine_tune(deep_belief.autoencoder(sizes), x, held, 5)
    assert pre_trained[0] < random[0] / 2 and pre_trained[-1] < random[-1] / 2


def test_an_unrolled_stack_goes_up_and_back_down() -> None:
    rng = np.random.default_rng(0)
    layers = [
        deep_belief.Layer(*(rng.normal(0, 1, s).astype(np.float32) for s in ((a, b), b, a)))
        for a, b in ((6, 5), (5, 3))
    ]
    x = rng.random((4, 6), np.float32)
    first, second = layers
    code = logistic(x @ first.weights + first.hidden) @ second.weights + second.hidden
    back = logistic(code @ second.weights.T + second.visible)
    back = logistic(back @ first.weights.T + first.visible)
    session = clconv.Session(deep_belief.autoencoder((6, 5, 3), layers), clconv.devices()[0])
    np.testing.assert_allclose(session.run({"input": x})["output"], back, atol=1e-5)


# acoustic


def test_frames_are_logarithms_of_mel_energies() -> None:
    rng = np.random.default_rng(0)
    sound = rng.uniform(-0.5, 0.5, 1000).astype(np.float32)
    (word,) = acoustic.heard([(sound, 7, "nobody", 3)], batch=2)
    assert (word.digit, word.speaker, word.take) == (7, "nobody", 3)
    starts = range(0, 1000 - acoustic.FRAME + 1, acoustic.HOP)
    cut = np.stack([sound[s : s + acoustic.FRAME] for s in starts])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(acoustic.FRAME) / acoustic.FRAME)
    energies = np.abs(np.fft.rfft(cut * hann)) ** 2
    mel = 700 * (
        10 ** (np.linspace(*(2595 * np.log10(1 + f / 700) for f in (100, 4000)), 26) / 2595) - 1
    )
    places = ((acoustic.FRAME + 1) * mel // acoustic.RATE).astype(int)
    wanted = np.empty((len(cut), acoustic.BINS))
    for i, (low, middle, high) in enumerate(zip(places, places[1:], places[2:], strict=False)):
        if i < acoustic.BINS:
            corners = np.interp(np.arange(129), [low, middle, high], [0, 1, 0], left=0, right=0)
            wanted[:, i] = np.log(energies @ corners + 1e-5)
    np.testing.assert_allclose(word.frames, wanted - wanted.mean(0), atol=2e-3)


def test_viterbi_finds_the_best_of_all_ways() -> None:
    frames, words, states = 6, 2, 3
    scores = np.random.default_rng(0).normal(size=(frames, words, states))
    best, ways = acoustic.viterbi(scores)
    possible = [
        way
        for way in itertools.product(range(states), repeat=frames)
        if way[0] == 0 and way[-1] == states - 1 and set(np.diff(way)) <= {0, 1}
    ]
    for word in range(words):
        sums = [scores[range(frames), word, way].sum() for way in possible]
        assert best[word] == pytest.approx(max(sums))
        assert tuple(ways[word]) == possible[int(np.argmax(sums))]


def words(count: int, seed: int) -> list[acoustic.Word]:
    """Made-up words: each digit is four sounds, which last for a while."""
    sounds = np.random.default_rng(99).normal(0, 1, (10, acoustic.STATES, acoustic.BINS))
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        lengths = rng.integers(3, 9, acoustic.STATES)
        frames = sounds[i % 10].repeat(lengths, 0)
        frames = frames + rng.normal(0, 1.0, frames.shape)
        found.append(acoustic.Word(frames.astype(np.float32), i % 10, "nobody", i))
    return found


def test_windows_and_equal_parts() -> None:
    frames = np.arange(8, dtype=np.float32)[:, np.newaxis].repeat(acoustic.BINS, 1)
    word = acoustic.Word(frames, 3, "nobody", 0)
    x = acoustic.windows([word, word])
    assert x.shape == (16, 11 * acoustic.BINS)
    assert x[0, :: acoustic.BINS].tolist() == [0] * 6 + [1, 2, 3, 4, 5]
    assert x[8 + 7, :: acoustic.BINS].tolist() == [2, 3, 4, 5, 6] + [7] * 6
    assert acoustic.uniform([word]).tolist() == [12, 12, 13, 13, 14, 14, 15, 15]


@pytest.mark.slow
def test_words_are_recognised_and_aligned() -> None:
    recogniser = acoustic.train(words(100, 0), hidden=(64, 64), epochs=4)
    held = words(40, 1)
    assert recogniser.right(held) > 0.9
    for way, word in zip(
        np.split(recogniser.aligned(held), np.cumsum([len(w.frames) for w in held])[:-1]),
        held,
        strict=True,
    ):
        assert set(way) == {word.digit * 4 + s for s in range(4)} and (np.diff(way) >= 0).all()
