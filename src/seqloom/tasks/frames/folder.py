"""Saving and loading a fitted `FramePredictor` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import FormatError
from seqloom_runtime.saved_fields import (
    field_of,
    implied,
    is_number,
    refuse_stray,
    same_spec,
    texts_of,
)

from ..memory import weights_of
from ..pixel_range import Range
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, frame_spec
from .network import FrameNetwork, FrameSpec, build_frame_network
from .simple import Advection, Persistence

if TYPE_CHECKING:
    from .model import FramePredictor

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]

_MOST_BLOCKS = 4


def write_fitted(model: FramePredictor, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    found, network = model.model_, None
    facts: dict[str, Any] = {
        "size": list(model.size_),
        "plain": model.plain_,
        "range": [model.range_.low, model.range_.high],
    }
    if isinstance(found, FrameNetwork):
        network = (found.spec, found)
    elif isinstance(found, Advection):
        facts["blocks"] = found.blocks
    write_estimator(model, path, "frames", facts, {}, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header; there are no older models that lack some."""
    return field_of(header, "parameters", dict)


def read_fitted(model: FramePredictor, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    network = model.model not in ("persistence", "advection")
    refuse_stray(arrays, ["network."] if network else [])
    size, ends, plain = field_of(header, "size", list), field_of(header, "range", list), field_of(header, "plain", bool)
    if len(size) != 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in size):
        raise FormatError(f"model.json: expected height, width and channels under 'size', found {size}.")
    if plain and size[2] != 1:
        raise FormatError(f"model.json: frames of {size[2]} channels can't be 'plain'.")
    if len(ends) != 2 or not all(map(is_number, ends)) or not ends[0] < ends[1]:
        raise FormatError("model.json: expected two rising numbers under 'range'.")
    found: Any
    if network:
        spec = FrameSpec.from_json(header["network"])
        same_spec(spec, frame_spec(model, (size[0], size[1], size[2])))
        found = load_network(lambda: build_frame_network(spec, 0), arrays)
        count = weights_of(found)
    elif model.model == "advection":
        blocks = field_of(header, "blocks", int)
        if isinstance(blocks, bool) or not 1 <= blocks <= _MOST_BLOCKS or blocks > min(size[:2]):
            raise FormatError(f"model.json: expected 1 to {_MOST_BLOCKS} 'blocks' a side, found {blocks}.")
        found, count = Advection(blocks, max(1, int(model.reach))), 0
    else:
        found, count = Persistence(), 0
    scale = Range(float(ends[0]), float(ends[1]))
    count = implied(header, "n_parameters", count)
    return Fitted((size[0], size[1], size[2]), plain, scale, found, None, count, texts_of(header, "notes"))
