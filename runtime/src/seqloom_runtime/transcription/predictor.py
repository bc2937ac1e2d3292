"""A fitted transcriber: sounds in, what is said in them out, and where in them each token stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import language as language_models
from ..errors import FormatError, SettingError, shown
from ..language import LanguagePredictor
from ..saved_fields import array_of, field_of, is_number, refuse_stray, texts_of
from ..translation.tokens import Tokens
from ..untrained import Predictor
from .decoding import align, greedy, prefix_beam_search, without_unknown
from .frames import frames_of, standardised
from .language import scorer, spelled
from .nearest import STRETCHES, Nearest
from .network import TranscriptionNetwork, TranscriptionSpec, outputs
from .sounds import checked_sounds

__all__ = ["Heard", "TranscriptionPredictor", "read"]

_RATES = (1_000, 384_000)
_MOST_BEAMS = 10_000


class Heard(NamedTuple):
    """What is said in a sound: its words one space apart, the ids of its tokens, and ln P (S, V) that they were read
    from; of the baseline no ids and None."""

    text: str
    ids: list[int]
    log_p: np.ndarray | None


@dataclass(frozen=True, eq=False, repr=False)
class TranscriptionPredictor(Predictor):
    """What predicts for a fitted transcriber; its methods take what `seqloom.Transcriber`'s take.

    symbols_: the tokens. rate_: samples a second, None where frames are given. mean, scale (F,): what frames are
    brought to. predicts: a network, or the texts of known sounds. language: the language model of the search or None.
    mels, shift, convert: how frames are made. beams, weight, bonus: of the search.
    """

    symbols_: Tokens
    rate_: int | None
    mean: np.ndarray
    scale: np.ndarray
    predicts: TranscriptionNetwork | Nearest | Any
    language: LanguagePredictor | None = None
    mels: int = 40
    shift: float = 0.01
    convert: bool = False
    beams: int = 8
    weight: float = 0.3
    bonus: float = 0.0

    def predict(self, sounds: Sequence[Any]) -> list[str]:
        """What is said in each sound; raises DataError for one that is empty, too short or of another sample rate."""
        return [heard.text for heard in self.read(self.frames(checked_sounds(sounds, "sounds")))]

    def align(self, sound: Any) -> list[tuple[str, float, float]]:
        """Each token of what is said in a sound, and where: the first and the last second, of frames their numbers."""
        (heard,) = self.read(self.frames(checked_sounds([sound], "sound")))
        if heard.log_p is None:
            raise SettingError("model: nearest compares whole sounds and aligns nothing; fit a network.")
        unit = 1.0 if self.rate_ is None else self.shift
        return [(token, low * unit, high * unit) for token, low, high in self.spans(heard)]

    def frames(self, sounds: Sequence[Any]) -> list[np.ndarray]:
        """The frames of sounds as the model reads them."""
        made = frames_of(sounds, self.rate_, mels=self.mels, shift=self.shift, convert=self.convert)
        return standardised(made, self.mean, self.scale)

    def read(self, frames: Sequence[np.ndarray]) -> list[Heard]:
        """What is said in frames as the model reads them."""
        if isinstance(self.predicts, Nearest):
            return [Heard(text, [], None) for text in self.predicts.texts_of(frames)]
        return [self._heard(without_unknown(log_p, self.symbols_.unknown)) for log_p in outputs(self.predicts, frames)]

    def spans(self, heard: Heard) -> list[tuple[str, int, int]]:
        """Each token and its (first frame, frame after the last), of the most likely path that gives the text."""
        assert heard.log_p is not None
        network: Any = self.predicts
        stride = network.spec.stride
        tokens = self.symbols_.plain(self.symbols_.vocabulary.spell(heard.ids))
        found = align(heard.log_p, heard.ids)
        return [(token, stride * low, stride * high) for token, (low, high) in zip(tokens, found)]

    def _heard(self, log_p: np.ndarray) -> Heard:
        if self.beams == 1 and self.language is None:
            ids = greedy(log_p)
        else:
            scored = None if self.language is None else scorer(self.language, self.symbols_)
            found = prefix_beam_search(log_p, self.beams, language=scored, weight=self.weight, bonus=self.bonus)
            ids = found[0].ids
        return Heard(" ".join(self.symbols_.text(ids).split()), ids, log_p)


def read(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TranscriptionPredictor:
    """The predictor of a model folder's fields and arrays; raises FormatError where they don't fit together."""
    parameters = field_of(header, "parameters", dict)
    model = field_of(parameters, "model", str)
    nearest = model == "nearest"
    refuse_stray(arrays, ["frames.", "nearest." if nearest else "network.", "language."])
    symbols, rate = Tokens.from_json(header["tokens"]), header["rate"]
    if symbols.level not in ("char", "word"):
        raise FormatError("model.json: expected tokens of characters or words.")
    low, high = _RATES
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int) or not low <= rate <= high):
        raise FormatError(
            f"model.json: expected {low:,} to {high:,} samples a second under 'rate', found {shown(rate)}."
        )
    mean, scale = (array_of(arrays, f"frames.{name}", np.float32, 1) for name in ("mean", "scale"))
    # The first models named the beams among the parameters alone.
    own = _parameters({**parameters, "beams": header.get("beams", parameters.get("beams"))})
    wanted = len(mean) if rate is None else own["mels"]
    sound = len(mean) == len(scale) == wanted > 0 and np.isfinite(mean).all() and np.isfinite(scale).all()
    if not sound or (scale <= 0).any():
        raise FormatError(f"model.safetensors: expected a mean and a scale above 0 for each of {wanted} numbers.")
    predicts: Nearest | TranscriptionNetwork
    if nearest:
        summaries, texts = array_of(arrays, "nearest.summaries", np.float32, 2), texts_of(header, "texts")
        if not texts or summaries.shape != (len(texts), STRETCHES * len(mean)) or not np.isfinite(summaries).all():
            raise FormatError("model.json: expected a text for each of the summaries, at least one.")
        predicts = Nearest(summaries, texts)
    else:
        spec = TranscriptionSpec.from_json(header.get("network"))
        if (spec.name, spec.inputs, spec.symbols) != (model, len(mean), len(symbols.vocabulary)):
            raise FormatError("model.json: the network differs from what the other fields say.")
        predicts = TranscriptionNetwork(spec, arrays)
    language = _language(header, arrays, symbols)
    return TranscriptionPredictor(symbols, rate, mean, scale, predicts, language, **own)


def _parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """How frames are made, and the search."""
    counts = {"mels": 10**5, "beams": _MOST_BEAMS}
    found: dict[str, Any] = {name: field_of(parameters, name, int) for name in counts}
    for name, most in counts.items():
        if isinstance(found[name], bool) or not 1 <= found[name] <= most:
            raise FormatError(f"model.json: expected 1 to {most:,} under {name!r}, found {shown(found[name])}.")
    names = {"shift": "frame_shift", "weight": "language_weight", "bonus": "token_bonus"}
    for ours, name in names.items():
        value: Any = parameters.get(name)
        if not is_number(value) or (name == "frame_shift" and value <= 0):
            raise FormatError(f"model.json: expected a number under {name!r}, found {shown(value)}.")
        found[ours] = float(value)
    return {**found, "convert": field_of(parameters, "convert_rate", bool)}


def _language(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], symbols: Tokens) -> LanguagePredictor | None:
    """The language model that was saved with the network."""
    own = {name.removeprefix("language."): array for name, array in arrays.items() if name.startswith("language.")}
    if "language" not in header:
        if own:
            raise FormatError("model.json: the file holds arrays of a language model, which it doesn't describe.")
        return None
    found = language_models.read(field_of(header, "language", dict), own)
    lacking = found.vocabulary_.unknown_id is None
    if found.level != symbols.level or (lacking and any(token not in found.vocabulary_ for token in spelled(symbols))):
        raise FormatError("model.json: its language model has other tokens than the transcriber.")
    return found
