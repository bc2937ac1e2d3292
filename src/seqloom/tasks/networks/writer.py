"""The half of a network that writes: a recurrent decoder that reads what it has written, with attention over what was
read, be it tokens of a text or places of a picture.

B examples, T steps read, K tokens with the end behind them, H numbers of a step read, U units, V outputs: the
vocabulary's ids, and behind them the end of a text, which as an input is the start of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ...nn import Embedding
from .attention import make_attention
from .body import make_recurrent
from .convolutional import dropped
from .heads import seeded_linear
from .spec import BodySpec

__all__ = ["Encoded", "Writer", "WriterSpec"]


class WriterSpec(Protocol):
    """What the specification of a network says of the half that writes."""

    @property
    def targets(self) -> int: ...
    @property
    def units(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def attention(self) -> str: ...
    @property
    def dropout(self) -> float: ...
    @property
    def scheduled_sampling(self) -> float: ...
    @property
    def embedding_size(self) -> int: ...
    @property
    def decoder(self) -> BodySpec: ...


@dataclass(frozen=True)
class Encoded:
    """A batch of sources, read: outputs (B, T, H), mask (B, T), the attention's keys (B, T, U) or None."""

    outputs: Tensor
    mask: Tensor
    keys: Tensor | None

    def repeated(self, times: int) -> Encoded:
        """Each row `times` times, one behind the other."""
        return Encoded(
            self.outputs.repeat_interleave(times, 0),
            self.mask.repeat_interleave(times, 0),
            None if self.keys is None else self.keys.repeat_interleave(times, 0),
        )


class Writer(nn.Module):
    """From what was read, s_0 = tanh(W e + b) of each layer, the decoder; its read-out tanh(W [s_k; c_k] + b) (Luong et
    al. 2015) with attention, else s_k alone.

    In training the decoder reads the right tokens (teacher forcing). With `scheduled_sampling` that share of them,
    drawn anew for each, is what the network itself held most likely, from a first pass without gradients.
    Sources: Cho et al. 2014; Bengio et al. 2015, arXiv 1506.03099, in parallel as in Duckworth et al. 2019,
    arXiv 1906.04331.
    """

    spec: Any
    generator: torch.Generator
    target: Embedding
    attention: Any

    def write_with(
        self, spec: WriterSpec, width: int, own: torch.Generator, decoder_seed: int, attention_seed: int
    ) -> None:
        """Make the layers, behind those that read; width: H. A subclass calls it in its constructor."""
        self.bridge = seeded_linear(width, spec.layers * spec.units, own)
        self.decoder = make_recurrent(spec.decoder.kind, spec.embedding_size, spec.decoder, decoder_seed)
        if spec.attention == "none":
            self.attention, self.joined = None, None
        else:
            self.attention = make_attention(spec.attention, spec.units, attention_seed, width)
            self.joined = seeded_linear(spec.units + width, spec.units, own)
        self.output = seeded_linear(spec.units, spec.targets + 1, own)

    def begin(self, outputs: Tensor, mask: Tensor, ends: Tensor) -> tuple[Encoded, Any]:
        """outputs (B, T, H), their mask, and their summary (B, H) → what the decoder attends to, and its first
        state."""
        layers, units = self.spec.layers, self.spec.units
        start = torch.tanh(self.bridge(ends)).view(len(outputs), layers, units).transpose(0, 1).contiguous()
        keys = None if self.attention is None else self.attention.key(outputs)
        state = (start, torch.zeros_like(start)) if self.decoder.cell.pair else start
        return Encoded(outputs, mask, keys), state

    def taught(self, before: Tensor, encoded: Encoded, state: Any) -> Tensor:
        """before (B, K): the token before each one to write → scores (B, K, V)."""
        share = self.spec.scheduled_sampling
        if self.training and share:
            before = self._mixed(before, encoded, state, share)
        return self._written(before, encoded, state)[0]

    def step(self, before: Tensor, encoded: Encoded, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        """before (B,): the last token of each → log P (B, V) of the next, the state, attention (B, T)."""
        scores, state, weights = self._written(before[:, None], encoded, state)
        return torch.log_softmax(scores[:, 0], dim=1), state, None if weights is None else weights[:, 0]

    def _written(self, before: Tensor, encoded: Encoded, state: Any) -> tuple[Tensor, Any, Tensor | None]:
        features, state = self.decoder(self.target(before), state)
        weights = None
        if self.attention is not None:
            assert self.joined is not None
            weights = self.attention.weights(features, encoded.outputs, encoded.mask, encoded.keys)
            features = torch.tanh(self.joined(torch.cat([features, weights @ encoded.outputs], dim=2)))
        if self.training:
            features = dropped(features, self.spec.dropout, self.generator)
        return self.output(features), state, weights

    def _mixed(self, before: Tensor, encoded: Encoded, state: Any, share: float) -> Tensor:
        """The right tokens, a share of them replaced by the network's own choice; the start stays."""
        with torch.no_grad():
            chosen = self._written(before, encoded, state)[0][:, :-1].argmax(dim=2)
        drawn = torch.rand(chosen.shape, generator=self.generator) < share
        return torch.cat([before[:, :1], torch.where(drawn, chosen, before[:, 1:])], dim=1)
