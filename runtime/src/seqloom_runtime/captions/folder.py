"""What writes of pictures, from a model folder; what it relies on is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import FormatError
from ..pixel_range import Range
from ..saved_fields import array_of, field_of, is_number, refuse_stray, texts_of
from ..translation.tokens import Tokens
from .nearest import MOST_SIDE, Nearest
from .network import CaptionNetwork
from .predictor import CaptionPredictor

__all__ = ["BASELINE", "facts_from", "nearest_from", "read"]

BASELINE = "nearest"
_MOST_BEAMS, _MOST_TOKENS = 10_000, 1_000_000


def read(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> CaptionPredictor:
    """The predictor that a model folder describes; raises FormatError where fields and arrays don't fit together."""
    parameters = field_of(header, "parameters", dict)
    plain = field_of(parameters, "model", str) == BASELINE
    refuse_stray(arrays, ["pictures"] if plain else ["network."])
    size, scale, target, longest = facts_from(header, field_of(parameters, "level", str))
    beams, strength = field_of(parameters, "beams", int), parameters.get("length_penalty")
    if isinstance(beams, bool) or not 1 <= beams <= _MOST_BEAMS or not is_number(strength) or longest > _MOST_TOKENS:
        raise FormatError("model.json: expected beams, a length_penalty and a number of tokens that can be written.")
    if plain:
        found: Any = nearest_from(header, arrays, size)
    else:
        found = CaptionNetwork(header.get("network"), arrays)
        if found.shape.size != size or found.shape.targets != len(target.vocabulary):
            raise FormatError("model.json: the network's pictures and tokens are not those beside it.")
    notes = tuple(texts_of(header, "notes"))
    return CaptionPredictor(found, size, scale, target, longest, beams, float(strength), notes)


def facts_from(header: Mapping[str, Any], level: str) -> tuple[tuple[int, int, int], Range, Tokens, int]:
    """The pictures' size, the range of their pixels, the tokens that are written, and how many at most."""
    size, ends, longest = field_of(header, "size", list), field_of(header, "range", list), header.get("longest")
    if len(size) != 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in size):
        raise FormatError(f"model.json: expected height, width and channels under 'size', found {size}.")
    scale, target = Range.from_json(ends), Tokens.from_json(header["target"])
    if target.level != level:
        raise FormatError("model.json: the tokens of 'target' and of the parameters differ.")
    if isinstance(longest, bool) or not isinstance(longest, int) or longest < 1:
        raise FormatError(f"model.json: expected a whole number of at least 1 under 'longest', found {longest}.")
    return (size[0], size[1], size[2]), scale, target, longest


def nearest_from(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], size: tuple[int, int, int]) -> Nearest:
    """The baseline."""
    kept, texts = array_of(arrays, "pictures", np.float32, 2), texts_of(header, "texts")
    width = min(size[0], MOST_SIDE) * min(size[1], MOST_SIDE) * size[2]
    if len(kept) != len(texts) or not texts or not all(texts) or kept.shape[1] != width:
        raise FormatError("model.safetensors: expected a picture of the saved size for each of 'texts'.")
    if not np.isfinite(kept).all():
        raise FormatError("model.safetensors: 'pictures' holds NaN or infinite values.")
    return Nearest(kept, texts)
