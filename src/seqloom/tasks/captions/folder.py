"""Saving and loading a fitted `Captioner` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import FormatError
from seqloom_runtime.pixel_range import Range
from seqloom_runtime.saved_fields import (
    array_of,
    field_of,
    implied,
    is_number,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.translation.tokens import Tokens

from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, caption_spec, most_written
from .nearest import MOST_SIDE, Nearest
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
    nearest = model.model == "nearest"
    refuse_stray(arrays, ["pictures"] if nearest else ["network."])
    size, ends, longest = field_of(header, "size", list), field_of(header, "range", list), header.get("longest")
    if len(size) != 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in size):
        raise FormatError(f"model.json: expected height, width and channels under 'size', found {size}.")
    if len(ends) != 2 or not all(map(is_number, ends)) or not ends[0] < ends[1]:
        raise FormatError("model.json: expected two rising numbers under 'range'.")
    target = Tokens.from_json(header["target"])
    if target.level != model.level:
        raise FormatError("model.json: the tokens of 'target' and of the parameters differ.")
    if isinstance(longest, bool) or not isinstance(longest, int) or longest < 1:
        raise FormatError(f"model.json: expected a whole number of at least 1 under 'longest', found {longest}.")
    if not nearest and longest > most_written(model):
        raise FormatError(f"model.json: expected 1 to {most_written(model)} tokens under 'longest', found {longest}.")
    found: Any
    shape = (size[0], size[1], size[2])
    if nearest:
        kept, texts = array_of(arrays, "pictures", np.float32, 2), texts_of(header, "texts")
        width = min(size[0], MOST_SIDE) * min(size[1], MOST_SIDE) * size[2]
        if len(kept) != len(texts) or not texts or not all(texts) or kept.shape[1] != width:
            raise FormatError("model.safetensors: expected a picture of the saved size for each of 'texts'.")
        if not np.isfinite(kept).all():
            raise FormatError("model.safetensors: 'pictures' holds NaN or infinite values.")
        found, count = Nearest(kept, texts), int(kept.size)
    else:
        spec = CaptionSpec.from_json(header["network"])
        same_spec(spec, caption_spec(model, shape, len(target.vocabulary)))
        found = load_network(lambda: build_caption_network(spec, 0), arrays)
        count = weights_of(found)
    scale, count = Range(float(ends[0]), float(ends[1])), implied(header, "n_parameters", count)
    return Fitted(shape, scale, target, longest, found, None, count, texts_of(header, "notes"))
