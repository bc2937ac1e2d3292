"""The network of transcription: convolutions that shorten the frames, a recurrent network, symbols.

B sounds, T frames of F numbers, S ≤ T steps behind the poolings, V outputs: the blank, 0, and the ids of the symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.text import LengthSorted
from ..errors import FormatError, shown
from ..forward import Arrays, BodySpec, Linear, body_spec, build_body
from ..forward.adaptive import log_softmax
from ..forward.convolutional import ConvRecurrentBody
from ..layer_fields import LayersSpec, refuse_layers

__all__ = ["TranscriptionNetwork", "TranscriptionSpec", "outputs"]

_AT_ONCE = 32  # sounds that are read side by side
_NUMBERS = 1 << 23  # of the frames and features of a batch: 32 MiB


@dataclass(frozen=True)
class TranscriptionSpec(LayersSpec):
    """The shape of a network, as `seqloom.tasks.transcription.network.TranscriptionSpec`, which says what each field
    means."""

    name: str
    inputs: int
    symbols: int
    channels: tuple[int, ...]
    kernel_size: int
    pool_size: int
    units: int
    layers: int
    bidirectional: bool
    dropout: float
    input_dropout: float
    recurrent_dropout: float
    between_dropout: float
    band_mask: int
    frame_mask: int

    @property
    def body(self) -> BodySpec:
        """What reads the frames."""
        return body_spec(
            "transcription",
            self.name,
            self.inputs,
            channels=self.channels,
            kernel_size=self.kernel_size,
            pool_size=self.pool_size,
            units=self.units,
            layers=self.layers,
            bidirectional=self.bidirectional,
            **self.layer_values,
        )

    @property
    def stride(self) -> int:
        """Frames that one step of the outputs stands for."""
        body = self.body
        return body.pool_size ** max(0, len(body.channels) - 1)


class TranscriptionNetwork:
    """A body and a linear read-out: log P of each symbol and of the blank at every step."""

    def __init__(self, spec: TranscriptionSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises FormatError where the arrays don't fit the specification, SettingError for one that there isn't."""
        refuse_layers(spec.layers, arrays)
        refuse_layers(max(1, len(spec.channels)), arrays)
        if min(spec.inputs, spec.symbols, spec.kernel_size, spec.pool_size) < 1:
            raise FormatError(
                f"model.json: no network has {shown(spec.inputs)} inputs and {shown(spec.symbols)} symbols."
            )
        own = Arrays(arrays, "network.")
        self.spec = spec
        self.body: Any = build_body(spec.body, own, "body.")
        self.output = Linear(own.at("output."), self.body.output_size, spec.symbols)
        own.finish()

    def __call__(self, x: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, F), mask (B, T) bool, true where a row has frames → log P (B, S, V), and how many steps (B,)."""
        if isinstance(self.body, ConvRecurrentBody):
            x, left = self.body.features(x, mask)
            mask = mask if left is None else left
            features = self.body.recurrent(x, mask=mask)[0]
        else:
            features = self.body.steps(x, mask)
        return log_softmax(self.output(features)), mask.sum(axis=1)


def outputs(network: Any, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """ln P (S, V) of each sound."""
    found: list[Any] = [None] * len(frames)
    spec = network.spec
    width = max(spec.inputs, spec.units, *spec.channels)
    for batch in LengthSorted(list(map(len, frames)), _AT_ONCE):
        # A sound's outputs don't depend on those beside it, so long ones may go fewer at a time.
        longest = max(len(frames[place]) for place in batch)
        rows = max(1, _NUMBERS // (longest * width))
        for first in range(0, len(batch), rows):
            places = batch[first : first + rows]
            x = np.zeros((len(places), max(len(frames[place]) for place in places), spec.inputs), dtype=np.float32)
            mask = np.zeros(x.shape[:2], dtype=bool)
            for row, place in enumerate(places):
                x[row, : len(frames[place])], mask[row, : len(frames[place])] = frames[place], True
            p, steps = network(x, mask)
            for place, one, count in zip(places, p, steps.tolist()):
                found[place] = one[:count]
    return found
