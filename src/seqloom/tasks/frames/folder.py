"""Saving and loading a fitted `FramePredictor` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.frames.folder import BASELINES, advection_from, frames_from
from seqloom_runtime.saved_fields import (
    field_of,
    implied,
    refuse_stray,
    same_spec,
    texts_of,
)

from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, frame_spec
from .network import FrameNetwork, FrameSpec, build_frame_network
from .simple import Advection, Persistence

if TYPE_CHECKING:
    from .model import FramePredictor

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


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
    network = model.model not in BASELINES
    refuse_stray(arrays, ["network."] if network else [])
    size, plain, scale = frames_from(header)
    found: Any
    if network:
        spec = FrameSpec.from_json(header["network"])
        same_spec(spec, frame_spec(model, size))
        found = load_network(lambda: build_frame_network(spec, 0), arrays)
        count = weights_of(found)
    elif model.model == "advection":
        found, count = advection_from(header, size, int(model.reach)), 0
    else:
        found, count = Persistence(), 0
    count = implied(header, "n_parameters", count)
    return Fitted(size, plain, scale, found, None, count, texts_of(header, "notes"))
