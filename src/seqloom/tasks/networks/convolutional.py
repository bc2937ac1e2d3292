"""Convolutional bodies: tcn, causal convolutions, and those that read only where a whole kernel fits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqloom_runtime.forward import MODELS
from seqloom_runtime.forward.convolutional import steps_needed, steps_read

from ... import nn as seqnn
from ...training import derive_seed
from .body import Body, Seed, ends_of, make_recurrent, read_at_ends
from .pooling import max_of_steps
from .registry import body_kind, register_body, register_models
from .spec import BodySpec

__all__ = [
    "ConvBody",
    "ConvRecurrentBody",
    "PooledConvBody",
    "PooledConvGruBody",
    "TcnBody",
    "dropped",
    "steps_needed",
    "steps_read",
]


class TcnBody(Body):
    """A temporal convolutional network: see `seqloom.nn.TCN`."""

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        self.tcn = seqnn.TCN(
            spec.inputs,
            list(spec.channels),
            spec.kernel_size,
            spec.dropout,
            dilations=list(spec.dilations),
            activation=spec.activation or "relu",
            seed=seed,
        )

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T, channels of the last level)."""
        return self.tcn(x, mask)

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, channels of the last level); "last" of whole rows runs the steps it needs alone."""
        # Rows with a mask end at different steps, so that all steps are needed.
        if self.spec.pooling == "last" and mask is None:
            return self.tcn(x, last_only=True)
        return super().summary(x, mask)

    def carry(self, x: Tensor, state: object = None) -> tuple[Tensor, object]:
        """The features of a piece, and what its convolutions still see."""
        return self.tcn.carry(x, state)

    def stream(self, batch_size: int = 1) -> seqnn.CausalStream:
        """One step at a time: see `seqloom.nn.CausalStream`."""
        return self.tcn.stream(batch_size)


class ConvBody(Body):
    """Causal convolutions one after the other, each with its activation; the largest of every few steps between two.

    With `pool_size` p there are ⌈T / p⌉ steps behind each pooling, and `steps` gives those of the last convolution.
    """

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        self.convolutions = nn.ModuleList(
            seqnn.CausalConv1d(
                inputs,
                outputs,
                spec.kernel_size,
                dilation=dilation,
                activation=spec.activation or "relu",
                dropout=spec.dropout,
                seed=generator,
            )
            for inputs, outputs, dilation in zip((spec.inputs, *spec.channels), spec.channels, spec.dilations)
        )
        self.causal = spec.pool_size == 1  # a pooled step holds the largest of steps that come after its first

    def features(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """x (B, T, inputs) → (B, T', channels) and its mask (B, T'), None where all of it counts."""
        for level, layer in enumerate(self.convolutions):
            if level:
                x, mask = max_of_steps(x, mask, self.spec.pool_size)
            x = layer(x, mask)
        return x, mask

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T', F); T' is T where pool_size is 1."""
        return self.forward(x, mask)[0]

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, F)."""
        return self.pooling(*self.features(x, mask))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T', F), and of the sequence (B, F)."""
        features, mask = self.features(x, mask)
        return features, self.pooling(features, mask)


class ConvRecurrentBody(ConvBody):
    """The convolutions of `ConvBody`, then a GRU over what they leave."""

    def __init__(self, spec: BodySpec, seed: int) -> None:
        super().__init__(spec, seed)
        self.recurrent = make_recurrent("gru", spec.channels[-1], spec, derive_seed(seed, "recurrent"))
        self.causal = self.causal and not spec.bidirectional

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, units · directions)."""
        features, mask = self.features(x, mask)
        if self.spec.pooling == "last":
            return self.recurrent(features, mask=mask, last_only=True)[0]
        return self.pooling(self.recurrent(features, mask=mask)[0], mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T', F), and of the sequence (B, F)."""
        features, mask = self.features(x, mask)
        steps = self.recurrent(features, mask=mask)[0]
        return steps, ends_of(steps, self.spec) if read_at_ends(self.spec) else self.pooling(steps, mask)


class _Pooled(nn.Module):
    """Valid convolutions over a window with a max-pooling between two of them.

    Where the pools don't come out even, the oldest steps are left out, so that the newest step is always read.
    """

    def __init__(self, spec: BodySpec, generator: torch.Generator) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            seqnn.Conv1d(inputs, outputs, spec.kernel_size, activation=spec.activation or "relu", seed=generator)
            for inputs, outputs in zip((spec.inputs, *spec.channels), spec.channels)
        )
        self.pool = seqnn.MaxPool(spec.pool_size)
        self.dropout, self.generator = spec.between_dropout, generator
        self.unread = spec.length - steps_read(spec, spec.length)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, I) → (B, L', C)."""
        x = x[:, self.unread :]  # max-pooling cuts at the end, where the newest steps stand
        for number, convolution in enumerate(self.convolutions):
            if number:
                x = self.pool(x)
                x = dropped(x, self.dropout, self.generator) if self.training else x
            x = convolution(x)
        return x


class PooledConvBody(Body):
    """Convolution, max-pooling, … convolution; of the sequence the features of the last step, or another pooling.

    With pooling "max", 32 channels, 5 taps and pools of 3 it is the convnet of Chollet, Deep Learning with
    Python, 1st edition, 6.4.3.
    """

    causal = False

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        self.pooled = _Pooled(spec, generator)

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, L, I) → (B, L', C); every row fills all steps."""
        return self.pooled(x)

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, L, I) → (B, C)."""
        return self.pooling(self.pooled(x))


class PooledConvGruBody(PooledConvBody):
    """Convolution, max-pooling, convolution, then a GRU over what is left, of the sequence its last output.

    With 32 channels, 5 taps and pools of 3 it is the network of Chollet, Deep Learning with Python, 1st edition, 6.4.4.
    """

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        self.recurrent = make_recurrent("gru", spec.channels[-1], spec, self.pooled.generator)

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, L, I) → (B, L', units · directions)."""
        return self.recurrent(self.pooled(x))[0]

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, L, I) → (B, units · directions)."""
        return self.recurrent(self.pooled(x), last_only=True)[0]


def dropped(x: Tensor, probability: float, generator: torch.Generator, shape: tuple[int, ...] | None = None) -> Tensor:
    """x with each number 0 with the probability, else divided by 1 − p; `shape`, one mask along its axes of size 1."""
    if not probability:
        return x
    keep = 1.0 - probability
    return x * torch.empty(x.shape if shape is None else shape).bernoulli_(keep, generator=generator).div_(keep).to(x)


for _kind in (
    body_kind(
        "tcn",
        "a temporal convolutional network: residual blocks of causal convolutions, further and further apart",
        "long memories of a known reach, trained on all steps at once",
        TcnBody,
    ),
    body_kind("conv", "causal convolutions one after the other", "local patterns", ConvBody),
    body_kind(
        "conv-gru",
        "causal convolutions, then a GRU",
        "long sequences: the convolutions find patterns, the GRU their order",
        ConvRecurrentBody,
    ),
    body_kind(
        "pooled-conv",
        "convolutions that read only where a whole kernel fits, with max-pooling between two",
        "patterns anywhere in a window of fixed length",
        PooledConvBody,
    ),
    body_kind(
        "pooled-conv-gru",
        "the convolutions of pooled-conv, then a GRU over what they leave",
        "long windows of fixed length",
        PooledConvGruBody,
    ),
):
    register_body(_kind)

register_models("sequences", MODELS["sequences"])
