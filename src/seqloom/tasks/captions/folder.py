"""Saving and loading a fitted `Captioner` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.captions.folder import BASELINE, facts_from, nearest_from
from seqloom_runtime.errors import FormatError
from seqloom_runtime.saved_fields import field_of, implied, refuse_stray, same_spec, texts_of

from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, caption_spec, most_written
from .network import CaptionNetwork, CaptionSpec, build_caption_network

if TYPE_CHECKING:
    from .model import Captioner

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(model: Captioner, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    found, network, arrays = model.model_, None, {}
    facts: dict[str, Any] = {
        "size": list(model.size_),
        "range": [model.range_.low, model.range_.high],
        "target": model.target_.to_json(),
        "longest": model.longest_,
    }
    if isinstance(found, CaptionNetwork):
        network = (found.spec, found)
    else:
        facts["texts"], arrays = found.texts, {"pictures": found.pictures}
    write_estimator(model, path, "captions", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header; there are no older models that lack some."""
    return field_of(header, "parameters", dict)


def read_fitted(model: Captioner, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    nearest = model.model == BASELINE
    refuse_stray(arrays, ["pictures"] if nearest else ["network."])
    shape, scale, target, longest = facts_from(header, model.level)
    if not nearest and longest > most_written(model):
        raise FormatError(f"model.json: expected 1 to {most_written(model)} tokens under 'longest', found {longest}.")
    found: Any
    if nearest:
        found = nearest_from(header, arrays, shape)
        count = int(found.pictures.size)
    else:
        spec = CaptionSpec.from_json(header["network"])
        same_spec(spec, caption_spec(model, shape, len(target.vocabulary)))
        found = load_network(lambda: build_caption_network(spec, 0), arrays)
        count = weights_of(found)
    count = implied(header, "n_parameters", count)
    return Fitted(shape, scale, target, longest, found, None, count, texts_of(header, "notes"))
