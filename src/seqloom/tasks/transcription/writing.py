"""What a fitted `Transcriber` writes for sounds, and where in them each token stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqloom_runtime.errors import SettingError

from .decoding import align, greedy, prefix_beam_search
from .frames import frames_of, framing, standardised
from .language import scorer
from .learning import outputs, without_unknown
from .network import TranscriptionNetwork

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = ["Heard", "aligned", "frames_for", "read", "spans_of", "written"]


class Heard(NamedTuple):
    """What is said in a sound: its words one space apart, the ids of its tokens, and ln P (S, V) that they were read
    from; of the baseline no ids and None."""

    text: str
    ids: list[int]
    log_p: np.ndarray | None


def frames_for(model: Transcriber, sounds: Sequence[Any]) -> list[np.ndarray]:
    """The frames of sounds as the model reads them."""
    frames = frames_of(sounds, model.rate_, **framing(model))
    return standardised(frames, model.mean_, model.scale_)


def written(model: Transcriber, sounds: Sequence[Any]) -> list[Heard]:
    """What is said in each sound."""
    return read(model, frames_for(model, sounds))


def read(model: Transcriber, frames: Sequence[np.ndarray]) -> list[Heard]:
    """The same of frames as the model reads them."""
    if not isinstance(model.model_, TranscriptionNetwork):
        return [Heard(text, [], None) for text in model.model_.texts_of(frames)]
    symbols = model.symbols_
    found: list[Heard] = []
    for log_p in outputs(model.model_, frames):
        log_p = without_unknown(log_p, symbols.unknown)
        if model.beams_ == 1 and model.language_ is None:
            ids = greedy(log_p)
        else:
            language = None if model.language_ is None else scorer(model.language_, symbols)
            ids = prefix_beam_search(
                log_p,
                model.beams_,
                language=language,
                weight=float(model.language_weight),
                bonus=float(model.token_bonus),
            )[0].ids
        found.append(Heard(" ".join(symbols.text(ids).split()), ids, log_p))
    return found


def spans_of(model: Transcriber, heard: Heard) -> list[tuple[str, int, int]]:
    """Each token and its (first frame, frame after the last), of the most likely path that gives the text."""
    assert heard.log_p is not None
    stride = model.model_.spec.stride
    tokens = model.symbols_.plain(model.symbols_.vocabulary.spell(heard.ids))
    return [(token, stride * low, stride * high) for token, (low, high) in zip(tokens, align(heard.log_p, heard.ids))]


def aligned(model: Transcriber, sound: Any) -> list[tuple[str, float, float]]:
    """As `Transcriber.align`."""
    (heard,) = written(model, [sound])
    if heard.log_p is None:
        raise SettingError("model: nearest compares whole sounds and aligns nothing; fit a network.")
    unit = 1.0 if model.rate_ is None else float(model.frame_shift)
    return [(token, low * unit, high * unit) for token, low, high in spans_of(model, heard)]
