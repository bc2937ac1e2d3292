"""What predicts frames, from a model folder; what it relies on is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..pixel_range import Range
from ..saved_fields import field_of, refuse_stray, texts_of
from .network import FrameNetwork
from .predictor import Advection, Ahead, FramesPredictor, NetworkAhead, Persistence

__all__ = ["BASELINES", "advection_from", "frames_from", "read"]

BASELINES = ("persistence", "advection")
_MOST_BLOCKS, _MOST_FRAMES = 4, 10_000


def read(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> FramesPredictor:
    """The predictor that a model folder describes; raises FormatError where fields and arrays don't fit together."""
    parameters = field_of(header, "parameters", dict)
    name = field_of(parameters, "model", str)
    refuse_stray(arrays, [] if name in BASELINES else ["network."])
    size, plain, scale = frames_from(header)
    found: Ahead
    if name == "persistence":
        found = Persistence()
    elif name == "advection":
        found = advection_from(header, size, _whole(parameters, "reach", 0))
    else:
        network = FrameNetwork(header.get("network"), arrays)
        if (network.shape.height, network.shape.width, network.shape.channels) != size:
            raise FormatError("model.json: the network's frames are not of the size under 'size'.")
        found = NetworkAhead(network, scale)
    lengths = _whole(parameters, "lookback", 1), _whole(parameters, "horizon", 1)
    return FramesPredictor(found, size, plain, *lengths, tuple(texts_of(header, "notes")))


def frames_from(header: Mapping[str, Any]) -> tuple[tuple[int, int, int], bool, Range]:
    """The size of a frame, whether frames came without channels, and the range of their pixels."""
    size, ends, plain = field_of(header, "size", list), field_of(header, "range", list), field_of(header, "plain", bool)
    if len(size) != 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in size):
        raise FormatError(f"model.json: expected height, width and channels under 'size', found {size}.")
    if plain and size[2] != 1:
        raise FormatError(f"model.json: frames of {size[2]} channels can't be 'plain'.")
    return (size[0], size[1], size[2]), plain, Range.from_json(ends)


def advection_from(header: Mapping[str, Any], size: tuple[int, int, int], reach: int) -> Advection:
    """The baseline that carries the last frame along."""
    blocks = field_of(header, "blocks", int)
    if isinstance(blocks, bool) or not 1 <= blocks <= _MOST_BLOCKS or blocks > min(size[:2]):
        raise FormatError(f"model.json: expected 1 to {_MOST_BLOCKS} 'blocks' a side, found {blocks}.")
    return Advection(blocks, max(1, reach))


def _whole(parameters: Mapping[str, Any], name: str, least: int) -> int:
    value = field_of(parameters, name, int)
    if isinstance(value, bool) or not least <= value <= _MOST_FRAMES:
        raise FormatError(f"model.json: expected {least} to {_MOST_FRAMES:,} under {name!r}, found {shown(value)}.")
    return value
