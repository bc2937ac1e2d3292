"""`ImageNetwork`: the base of the networks, features of the picture and a classifier behind them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seqloom.nn.arguments import check_size
from seqloom.nn.images.field import output_length
from seqloom.nn.images.layers import check_picture, dense, pair_of
from seqloom.nn.receptive_field import Field
from seqloom_runtime.errors import SettingError

__all__ = ["ImageNetwork"]


class ImageNetwork(nn.Module):
    """Base of the networks: `features`, whose outputs have places, then `classifier`, which ends in a linear layer.

    classes: outputs; None leaves the last linear layer out, and the network gives `width` features. size: the height
    and width of the pictures, fixed where the classifier has weights by place.
    """

    def __init__(
        self, features: nn.Sequential, *, channels: int, size: int | tuple[int, int], least: int, free: bool = False
    ) -> None:
        super().__init__()
        self.channels, self.size = check_size("channels", channels), pair_of("size", size, 1)
        self.features, self.classifier, self.width, self._free = features, nn.Sequential(), 0, free
        self.map = output_length(features, self.size)
        if min(self.map) < 1:
            raise SettingError(
                f"size: {type(self).__name__} needs pictures of at least {least} by {least} pixels, not "
                f"{self.size[0]} by {self.size[1]}."
            )

    def finish(self, layers: list[nn.Module], width: int, classes: int | None, generator: torch.Generator) -> None:
        """Put the classifier behind the features: `layers`, which give `width` numbers, and the last linear layer."""
        if classes is not None:
            layers = [*layers, dense(width, check_size("classes", classes), generator, relu=False)]
        self.classifier = nn.Sequential(*layers)
        self.width = width

    def fields(self) -> tuple[Field, Field]:
        """Of the outputs, which see the whole picture; of a place of the maps, ask for that of `features`."""
        return Field(math.inf, math.inf), Field(math.inf, math.inf)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, classes), scores without a softmax; raises SettingError for another shape."""
        check_picture(type(self).__name__, x, self.channels, None if self._free else self.size)
        return self.classifier(self.features(x))
