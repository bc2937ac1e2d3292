"""The networks of frames ahead: a convolution that reads a frame, recurrent maps, and a read-out that moves the frame.

B films, L frames seen, K ahead, a frame (Y, X, C), maps (Y/p, X/p, F) for squares of p × p pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.errors import SettingError

from ... import nn as seqnn
from ...nn.frame_encoder import seeded_conv2d
from ...training import derive_seed
from ..networks import Spec

__all__ = ["NETWORKS", "FrameNetwork", "FrameSpec", "build_frame_network"]

_CELLS = {"conv-gru": seqnn.ConvGRU, "conv-lstm": seqnn.ConvLSTM}
NETWORKS: tuple[str, ...] = tuple(_CELLS)
_STAYS = 4.0  # of the first read-out: each pixel stays where it is


@dataclass(frozen=True)
class FrameSpec(Spec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded."""

    name: str
    height: int
    width: int
    channels: int
    units: int = 32
    layers: int = 1
    kernel_size: int = 3
    patch_size: int = 2
    reach: int = 3

    _least: ClassVar = {
        **dict.fromkeys(("height", "width", "channels", "units", "layers", "kernel_size", "patch_size"), 1),
        "reach": 0,
    }

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        if self.name not in _CELLS:
            raise SettingError(f"model: expected one of {', '.join(_CELLS)}, got {self.name!r}.")
        self.check_sizes()
        if self.kernel_size % 2 == 0:
            raise SettingError(
                f"kernel_size: expected an odd number, so that maps keep their size, got {self.kernel_size}."
            )

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of the maps: squares at the edge may reach beyond the frame."""
        return -(-self.height // self.patch_size), -(-self.width // self.patch_size)

    @property
    def ways(self) -> int:
        """The pixels that one may come from."""
        return (2 * self.reach + 1) ** 2 if self.reach else 0


class FrameNetwork(nn.Module):
    """e_t = relu(W ∗ x_t + b), h_t = cell(e_t, h_{t−1}); of each square q of pixels the weights k = softmax(V h_t(q)),
    and of each pixel p in it a gain g and a rest r, linear in h_t(q):
    x̂_{t+1}(p) = (1 + g(p)) Σ_d k_d(q) x_t(p + d) + r(p), d up to `reach` pixels away.

    Beyond the last frame seen the network reads its own prediction. The weights of d sum to 1, so that a frame is
    carried along sharply; what grows, fades or appears is the gain's and the rest's.
    Sources: Shi et al. 2015, arXiv 1506.04214; the moving of pixels: Finn et al. 2016, arXiv 1605.07157 (DNA).
    """

    def __init__(self, spec: FrameSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        own = torch.Generator().manual_seed(derive_seed(seed, "convolutions"))
        square = spec.patch_size**2
        self.read = seeded_conv2d(spec.channels * square, spec.units, 3, own)
        self.cell = _CELLS[spec.name](
            spec.units, spec.units, spec.layers, kernel_size=spec.kernel_size, seed=derive_seed(seed, "cell")
        )
        self.write = seeded_conv2d(spec.units, spec.ways + (1 + spec.channels) * square, 1, own)
        with torch.no_grad():
            self.write.weight.mul_(0.1)
            if spec.reach:
                assert self.write.bias is not None
                self.write.bias[spec.ways // 2] = _STAYS

    def forward(self, frames: Tensor, ahead: int) -> Tensor:
        """frames (B, L, Y, X, C), from 0 to 1 → what follows each but the first, and K = `ahead` beyond the last:
        (B, L − 1 + K, Y, X, C). Each is made of the frames before it alone."""
        x = frames.permute(0, 1, 4, 2, 3)
        count, seen = x.shape[:2]
        features = self._features(x.flatten(0, 1)).unflatten(0, (count, seen))
        outputs, state = self.cell(features)
        found = self._following(outputs.flatten(0, 1), x.flatten(0, 1)).unflatten(0, (count, seen))
        last, written = found[:, -1], [found]
        for _ in range(ahead - 1):
            outputs, state = self.cell(self._features(last)[:, None], state)
            last = self._following(outputs[:, 0], last)
            written.append(last[:, None])
        return torch.cat(written, dim=1).permute(0, 1, 3, 4, 2)

    def _features(self, x: Tensor) -> Tensor:
        """Frames (N, C, Y, X) → (N, Y/p, X/p, F)."""
        spec, (tall, wide) = self.spec, self.spec.places
        beyond = (0, wide * spec.patch_size - spec.width, 0, tall * spec.patch_size - spec.height)
        squares = functional.pixel_unshuffle(functional.pad(x, beyond), spec.patch_size)
        return functional.relu(self.read(squares)).permute(0, 2, 3, 1)

    def _following(self, h: Tensor, x: Tensor) -> Tensor:
        """Maps (N, Y/p, X/p, F) and the frames (N, C, Y, X) that they have read last → the next ones."""
        spec = self.spec
        out = self.write(h.permute(0, 3, 1, 2))
        pixels = functional.pixel_shuffle(out[:, spec.ways :], spec.patch_size)[:, :, : spec.height, : spec.width]
        carried = self._carried(out[:, : spec.ways], x) if spec.reach else x
        return (1 + pixels[:, :1]) * carried + pixels[:, 1:]

    def _carried(self, scores: Tensor, x: Tensor) -> Tensor:
        """Σ_d k_d(q) x(p + d), the edge's values beyond the edge; scores (N, ways, Y/p, X/p)."""
        spec, side, (tall, wide) = self.spec, self.spec.patch_size, self.spec.places
        reach, under, beside = spec.reach, tall * side - spec.height, wide * side - spec.width
        around = functional.pad(x, (reach, reach + beside, reach, reach + under), mode="replicate")
        near = functional.unfold(around, 2 * reach + 1)  # (N, C·ways, Y·X)
        near = near.view(len(x), spec.channels, spec.ways, tall, side, wide, side)
        weights = torch.softmax(scores, dim=1)[:, None, :, :, None, :, None]
        moved = (weights * near).sum(dim=2).view(len(x), spec.channels, tall * side, wide * side)
        return moved[:, :, : spec.height, : spec.width]

    def loss(self, frames: Tensor, ahead: int, kind: str) -> Tensor:
        """The error of every frame but the first, (B, L + K, Y, X, C) given whole: mean squared ("mse") or absolute."""
        found, actual = self(frames[:, :-ahead], ahead), frames[:, 1:]
        return functional.mse_loss(found, actual) if kind == "mse" else functional.l1_loss(found, actual)


def build_frame_network(spec: FrameSpec, seed: int) -> Any:
    """The network that `spec` names, weights drawn from `seed` alone."""
    return FrameNetwork(spec, seed)
