"""Training pictures as they come, or shifted, mirrored, cropped and with noise: drawn anew in every epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .prepared import Batch, Examples, Scale, TrainingBatches

__all__ = ["Augmentation", "PictureBatches"]


@dataclass(frozen=True)
class Augmentation:
    """What is done to training pictures; see `PictureClassifier`. All at 0 does nothing."""

    shift: int = 0
    flip: bool = False
    crop: float = 0.0
    noise: float = 0.0

    @property
    def on(self) -> bool:
        """Whether anything is done."""
        return self != Augmentation()

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)

    def applied(self, x: Tensor, draw: np.random.Generator) -> Tensor:
        """Pictures (B, H, W, C) changed, each by draws of its own: cropped, shifted, mirrored, then the noise added.

        >>> x = torch.arange(6.0).reshape(1, 2, 3, 1)
        >>> Augmentation(shift=1).applied(x, np.random.default_rng(2))[0, :, :, 0].tolist()
        [[3.0, 3.0, 4.0], [3.0, 3.0, 4.0]]
        """
        count, height, width, _ = x.shape
        if self.crop:
            x = _cropped(x, draw.uniform(0, self.crop, (count, 2)), draw.uniform(-1, 1, (count, 2)))
        if self.shift or self.flip:
            moved = draw.integers(-self.shift, self.shift + 1, (count, 2))
            rows = np.clip(np.arange(height) + moved[:, :1], 0, height - 1)
            columns = np.clip(np.arange(width) + moved[:, 1:], 0, width - 1)
            if self.flip:
                turned = draw.random(count) < 0.5
                columns[turned] = columns[turned, ::-1]
            each = np.arange(count)[:, None, None]
            x = x[torch.from_numpy(each), torch.from_numpy(rows[:, :, None]), torch.from_numpy(columns[:, None].copy())]
        if self.noise:
            x = x + torch.from_numpy((self.noise * draw.standard_normal(tuple(x.shape))).astype(np.float32))
        return x


def _cropped(x: Tensor, cut: np.ndarray, place: np.ndarray) -> Tensor:
    """A part of each picture, 1 − cut of its sides, at a place from −1 (first) to 1 (last), scaled back."""
    left = 1 - cut
    # Rows of (scale, 0, shift) along x, then along y, as torch counts: −1 and 1 are the picture's edges.
    matrix = np.zeros((len(x), 2, 3), np.float32)
    matrix[:, 0, 0], matrix[:, 1, 1] = left[:, 1], left[:, 0]
    matrix[:, 0, 2], matrix[:, 1, 2] = (place * cut)[:, 1], (place * cut)[:, 0]
    first = x.permute(0, 3, 1, 2)
    grid = functional.affine_grid(torch.from_numpy(matrix), list(first.shape), align_corners=False)
    return functional.grid_sample(first, grid, padding_mode="border", align_corners=False).permute(0, 2, 3, 1)


class PictureBatches(TrainingBatches):
    """Batches of pictures, augmented.

    The draws of a batch are a function of the seed and its place in the order, so that a checkpoint needs no more than
    that place.
    """

    def __init__(
        self, examples: Examples, scale: Scale, batch_size: int, seed: int, augmentation: Augmentation
    ) -> None:
        super().__init__(examples, scale, batch_size, seed)
        self._augmentation = augmentation

    def __next__(self) -> Batch:
        place = self._order.state()
        x, mask, y, w = super().__next__()
        picture = self._examples.sequences.picture
        assert picture is not None
        key = np.array([place["seed"], (place["epoch"] << 32) + place["position"]], dtype=np.uint64)
        draw = np.random.Generator(np.random.Philox(key=key))
        changed = self._augmentation.applied(x.reshape(len(x), *picture, x.shape[2]), draw)
        return changed.reshape(x.shape), mask, y, w
