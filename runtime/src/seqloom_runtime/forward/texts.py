"""The bodies that texts alone have: embedded words in, one vector for each text out.

They map x (B, T, E), zero behind each text's end, and a mask (B, T) of words at the front to (B, F), as
`seqloom.tasks.text.encoders`: B texts, T words, E numbers for each word. What a text gives does not depend on how far
it was padded, nor on the texts beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .activations import relu
from .arrays import Arrays
from .bodies import WholeBody, lengthened, make_recurrent
from .linear import Matrix
from .pooling import AttentionPooling, weighted_sum
from .registry import BodyKind, register_body
from .spec import BodySpec

__all__ = ["Attention", "HierarchicalBody", "first_occurrences", "running_pool"]

_WIDTHS = (3, 5, 7)  # taps of the convolutions side by side
_TOGETHER = 128  # sentences of like length in one run
_NUMBERS = 1 << 22  # of the windows that a convolution lays out at once: 16 MiB


class BagBody(WholeBody):
    """A dense layer over which words a text holds: the sum of its different words' rows and a bias, then relu."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        self.bias = arrays.take("bias", spec.inputs)

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """(B, T, E), zero where a word came before → (B, E)."""
        return relu(_summed(x) + self.bias)


class MeanBody(WholeBody):
    """The mean of a text's words."""

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """(B, T, E) → (B, E)."""
        return _summed(x) / np.maximum(_lengths(x, mask), 1).astype(np.float32)[:, None]


class ConvMaxBody(WholeBody):
    """Convolution, maximum of every 5 steps, convolution, maximum over the text; both with relu and no padding."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        self.first = _Convolution(arrays.at("first."), spec.inputs, spec.units, spec.kernel_size)
        self.second = _Convolution(arrays.at("second."), spec.units, spec.units, spec.kernel_size)

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """(B, T, E) → (B, filters)."""
        y, lengths = self.first(x, _lengths(x, mask))
        y, lengths = _max_pool(y, lengths, 5)
        return self.second(y, lengths)[0].max(axis=1)


class InceptionBody(WholeBody):
    """Convolutions of several widths side by side, each followed by relu and the maximum over the text; joined."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        self.branches = [
            _Convolution(arrays.at(f"branches.{number}."), spec.inputs, spec.units, width)
            for number, width in enumerate(_WIDTHS)
        ]

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """(B, T, E) → (B, filters · widths)."""
        long, lengths = lengthened(x, max(_WIDTHS)), _lengths(x, mask)
        return np.concatenate([branch(long, lengths)[0].max(axis=1) for branch in self.branches], axis=1)


class ConvLstmBody(WholeBody):
    """Convolution with relu, maximum of every 4 steps, then an LSTM over the shorter sequence."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        self.convolution = _Convolution(arrays.at("convolution."), spec.inputs, spec.units, spec.kernel_size)
        self.recurrent = make_recurrent("lstm", spec.units, spec, arrays.at("recurrent."))

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """(B, T, E) → (B, units)."""
        y, lengths = self.convolution(x, _lengths(x, mask))
        y, lengths = _max_pool(y, lengths, 4)
        return self.recurrent(y, lengths=lengths, last_only=True)[0]


class Attention(NamedTuple):
    """How much each word of a sentence, (B, S, W), and each sentence of a text, (B, S), counted; 0 for padding."""

    words: np.ndarray
    sentences: np.ndarray


class HierarchicalBody(WholeBody):
    """A bidirectional GRU over the words of a sentence and attention; the same over the sentences of a text.

    Source: Yang et al., NAACL 2016.
    """

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        layer, size = replace(spec, between_dropout=0.0), self.output_size
        self.words = make_recurrent("gru", spec.inputs, layer, arrays.at("words."))
        self.word_attention = AttentionPooling(arrays.at("word_attention."), size)
        self.sentences = make_recurrent("gru", size, layer, arrays.at("sentences."))
        self.sentence_attention = AttentionPooling(arrays.at("sentence_attention."), size)

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, S, W, E), mask (B, S, W) of the words in each sentence, none behind a text's end: (B, 2U)."""
        return self.attend(x, np.ones(x.shape[:3], dtype=bool) if mask is None else mask)[0]

    def attend(self, x: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, Attention]:
        """The same, with the attention of words and sentences."""
        lengths = mask.sum(axis=2)
        real = lengths > 0  # (B, S): sentences stand at the front
        pooled, alpha = self._sentences_alone(x[real], lengths[real])
        sentences = np.zeros((*real.shape, self.output_size), dtype=np.float32)
        sentences[real] = pooled
        h, _ = self.sentences(sentences, lengths=real.sum(axis=1))
        beta = self.sentence_attention.weights(h, real)
        words = np.zeros((*real.shape, x.shape[2]), dtype=np.float32)
        words[real] = alpha
        return weighted_sum(beta, h), Attention(words, beta)

    def _sentences_alone(self, x: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (N, W, E), lengths (N,) at least 1: features (N, 2U) and attention (N, W) of the sentences.

        Sentences of like length run together, so that few steps go to padding.
        """
        features = np.zeros((len(x), self.output_size), dtype=np.float32)
        attention = np.zeros(x.shape[:2], dtype=np.float32)
        order = np.argsort(lengths, kind="stable")
        for first in range(0, len(order), _TOGETHER):
            rows = order[first : first + _TOGETHER]
            steps = int(lengths[rows[-1]])
            h, _ = self.words(np.ascontiguousarray(x[rows, :steps]), lengths=lengths[rows])
            alpha = self.word_attention.weights(h, np.arange(steps) < lengths[rows][:, None])
            features[rows], attention[rows, :steps] = weighted_sum(alpha, h), alpha
        return features, attention


class _Convolution:
    """A convolution without padding, then relu; outputs that begin behind the last whole window become 0."""

    def __init__(self, arrays: Arrays, inputs: int, filters: int, taps: int) -> None:
        """Takes "weight" (C, I, taps) and "bias" (C)."""
        self.matrix = Matrix(arrays.take("weight", filters, inputs, taps).reshape(filters, inputs * taps))
        self.bias, self.taps = arrays.take("bias", filters), taps

    def __call__(self, x: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, I) → y (B, T − taps + 1, C) and the number of windows of each text.

        A text shorter than the taps keeps one window, which sees zeros behind the text.
        """
        x = lengthened(x, self.taps)
        windows = np.lib.stride_tricks.sliding_window_view(x, self.taps, axis=1)  # (B, T − taps + 1, I, taps)
        y = np.empty((*windows.shape[:2], len(self.bias)), dtype=np.float32)
        rows = max(1, _NUMBERS // max(1, windows[0].size)) if len(x) else 1
        for first in range(0, len(x), rows):
            piece = windows[first : first + rows]
            y[first : first + rows] = self.matrix.of(piece.reshape(*piece.shape[:2], -1))
        y = relu(y + self.bias)
        # relu leaves nothing below 0, so that a 0 behind the text never wins a maximum.
        lengths = np.maximum(lengths - self.taps + 1, 1)
        y[np.arange(y.shape[1]) >= lengths[:, None]] = 0.0
        return y, lengths


def first_occurrences(ids: np.ndarray) -> np.ndarray:
    """The ids of each row in order, each but once; 0 for the rest.

    >>> first_occurrences(np.array([[3, 2, 3, 0]])).tolist()
    [[0, 2, 3, 0]]
    """
    ids = np.sort(ids, axis=1)
    ids[:, 1:][ids[:, 1:] == ids[:, :-1]] = 0
    return ids


def running_pool(y: np.ndarray, pool: str) -> np.ndarray:
    """What a pool gives for every beginning of a sequence: y (B, T, F) → (B, T, F).

    >>> running_pool(np.array([[[1.0], [3.0], [2.0]]], dtype=np.float32), "mean").flatten().tolist()
    [1.0, 2.0, 2.0]
    """
    if pool == "mean":
        count = np.arange(1, y.shape[1] + 1)[:, None]
        return (np.cumsum(y, axis=1, dtype=np.float64) / count).astype(np.float32)
    return np.maximum.accumulate(y, axis=1) if pool == "max" else y


def _lengths(x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """(B,) words of each text."""
    return np.full(len(x), x.shape[1]) if mask is None else mask.sum(axis=1)


def _summed(x: np.ndarray) -> np.ndarray:
    """(B, T, E) → (B, E), added up in float64: one step after the other would lose digits."""
    return x.sum(axis=1, dtype=np.float64).astype(np.float32)


def _max_pool(y: np.ndarray, lengths: np.ndarray, pool: int) -> tuple[np.ndarray, np.ndarray]:
    """The maximum of every `pool` steps, the last of them fewer; y ≥ 0, and 0 behind each text's end."""
    y = lengthened(y, y.shape[1] + -y.shape[1] % pool)
    return y.reshape(len(y), -1, pool, y.shape[2]).max(axis=2), (lengths + pool - 1) // pool


_DROPS = ("input_dropout", "recurrent_dropout")
for _kind in (
    BodyKind("bag", BagBody, width=lambda spec: spec.inputs),
    BodyKind("mean", MeanBody, width=lambda spec: spec.inputs),
    BodyKind("conv-max", ConvMaxBody, options=("units", "kernel_size")),
    BodyKind("inception", InceptionBody, options=("units",), width=lambda spec: len(_WIDTHS) * spec.units),
    BodyKind("conv-lstm", ConvLstmBody, options=("units", "kernel_size", *_DROPS)),
    BodyKind(
        "hierarchical",
        HierarchicalBody,
        options=("units", "bidirectional", "between_dropout", *_DROPS),
        width=lambda spec: 2 * spec.units,
    ),
):
    register_body(_kind)
