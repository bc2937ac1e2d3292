"""Saving and loading a fitted `Transcriber` as a model folder, its language model within."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.model_folder import read_model
from seqloom_runtime.saved_fields import (
    array_of,
    field_of,
    implied,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.transcription.nearest import STRETCHES, Nearest
from seqloom_runtime.translation.tokens import Tokens

from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .language import check_language
from .learning import Fitted, transcription_spec
from .network import TranscriptionNetwork, TranscriptionSpec, build_transcription_network

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]

_OUTER = ("format", "schema", "files", "checksum")  # of the language model's own folder


def write_fitted(model: Transcriber, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    found, network = model.model_, None
    facts: dict[str, Any] = {"tokens": model.symbols_.to_json(), "rate": model.rate_, "beams": model.beams_}
    arrays = {"frames.mean": model.mean_, "frames.scale": model.scale_}
    if isinstance(found, TranscriptionNetwork):
        network = (found.spec, found)
    else:
        facts["texts"], arrays["nearest.summaries"] = found.texts, found.summaries
    if model.language_ is not None:
        with tempfile.TemporaryDirectory() as folder:
            model.language_.save(folder)
            inner, own = read_model(folder)
        facts["language"] = {name: value for name, value in inner.items() if name not in _OUTER}
        arrays |= {f"language.{name}": array for name, array in own.items()}
    write_estimator(model, path, "transcription", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header; there are no older models that lack some."""
    return field_of(header, "parameters", dict)


def read_fitted(model: Transcriber, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    nearest = model.model == "nearest"
    refuse_stray(arrays, ["frames.", "nearest." if nearest else "network.", "language."])
    if {name for name in arrays if name.startswith("frames.")} != {"frames.mean", "frames.scale"}:
        raise FormatError("model.safetensors: expected frames.mean and frames.scale, and no other frames.")
    symbols, rate = Tokens.from_json(header["tokens"]), header["rate"]
    if symbols.level not in ("char", "word") or model.level not in (None, symbols.level):
        raise FormatError("model.json: the tokens and the parameters differ in their level.")
    given = None if model.sample_rate is None else int(model.sample_rate)
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int) or not 1_000 <= rate <= 384_000):
        raise FormatError(f"model.json: expected 1,000 to 384,000 samples a second under 'rate', found {shown(rate)}.")
    if given is not None and given != rate:
        raise FormatError(f"model.json: 'rate' is {shown(rate)}, but the parameters say {given}.")
    mean, scale = (array_of(arrays, f"frames.{name}", np.float32, 1) for name in ("mean", "scale"))
    wanted = len(mean) if rate is None else int(model.mels)
    sound = len(mean) == len(scale) == wanted > 0 and np.isfinite(mean).all() and np.isfinite(scale).all()
    if not sound or (scale <= 0).any():
        raise FormatError(f"model.safetensors: expected a mean and a scale above 0 for each of {wanted} numbers.")
    found: Nearest | TranscriptionNetwork
    if nearest:
        found, count = _nearest(header, arrays, len(mean))
    else:
        spec = TranscriptionSpec.from_json(header["network"])
        same_spec(spec, transcription_spec(model, len(mean), len(symbols.vocabulary)))
        found = load_network(lambda: build_transcription_network(spec, 0), arrays)
        count = weights_of(found)
    language = _language(header, arrays, symbols, model)
    count = implied(header, "n_parameters", count)
    notes = texts_of(header, "notes")
    return Fitted(symbols.level, symbols, rate, mean, scale, found, language, _beams(header, model), None, count, notes)


def _beams(header: dict[str, Any], model: Transcriber) -> int:
    """Of the search; a folder of before it was chosen names it among the parameters alone."""
    if "beams" not in header and model.beams is not None:
        return int(model.beams)
    beams = header.get("beams")
    if isinstance(beams, bool) or not isinstance(beams, int) or not 1 <= beams <= 100:
        raise FormatError(f"model.json: expected 1 to 100 'beams', found {shown(beams)}.")
    if model.beams is not None and beams != int(model.beams) and model.model != "nearest":
        raise FormatError(f"model.json: it has {beams} 'beams', but the parameters say {int(model.beams)}.")
    return beams


def _nearest(header: dict[str, Any], arrays: dict[str, np.ndarray], width: int) -> tuple[Nearest, int]:
    summaries, texts = array_of(arrays, "nearest.summaries", np.float32, 2), texts_of(header, "texts")
    if not texts or summaries.shape != (len(texts), STRETCHES * width) or not all(text.strip() for text in texts):
        raise FormatError("model.json: expected a text for each of the summaries, at least one, none empty.")
    if not np.isfinite(summaries).all() or len([name for name in arrays if name.startswith("nearest.")]) != 1:
        raise FormatError("model.safetensors: expected finite summaries, and nothing beside them.")
    return Nearest(summaries, texts), summaries.size


def _language(header: dict[str, Any], arrays: dict[str, np.ndarray], symbols: Tokens, model: Transcriber) -> Any:
    """The language model that was saved with the network, where the parameters name one."""
    from ..loading import estimator_from

    own = {name.removeprefix("language."): array for name, array in arrays.items() if name.startswith("language.")}
    if model.language_model is None or model.model == "nearest":
        if own or "language" in header:
            raise FormatError("model.json: it holds a language model, which its parameters don't name.")
        return None
    inner = field_of(header, "language", dict)
    if inner.get("task") != "language":
        raise FormatError(f"model.json: expected a language model within, found {shown(inner.get('task'))}.")
    language = estimator_from("language", inner, own)
    check_language(language, symbols, "the saved model")
    return language
