"""Saving and loading a fitted `Seq2Seq` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import FormatError
from seqloom_runtime.saved_fields import (
    field_of,
    implied,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.translation.remembered import Memory
from seqloom_runtime.translation.tokens import Tokens

from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, most_written, translation_spec
from .network import TranslationNetwork, TranslationSpec, build_translation_network

if TYPE_CHECKING:
    from .model import Seq2Seq

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]

_LATER = {"encoder": "recurrent", "levels": 4, "kernel_size": 3}
"""Parameters that the first models had not, such as the zoo's, and what they did."""


def write_fitted(model: Seq2Seq, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    found, network = model.model_, None
    facts = {"source": model.source_.to_json(), "target": model.target_.to_json(), "longest": model.longest_}
    if isinstance(found, TranslationNetwork):
        network = (found.spec, found)
    else:
        facts |= {"sources": found.sources, "targets": found.targets}
    write_estimator(model, path, "translation", facts, {}, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header."""
    return {**_LATER, **field_of(header, "parameters", dict)}


def read_fitted(model: Seq2Seq, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    refuse_stray(arrays, [] if model.model == "memory" else ["network."])
    source, target = Tokens.from_json(header["source"]), Tokens.from_json(header["target"])
    longest = field_of(header, "longest", int)
    if source.level != target.level or model.level not in (None, source.level):
        raise FormatError("model.json: the tokens of 'source', of 'target' and of the parameters differ.")
    if isinstance(longest, bool) or longest < 1 or (model.model != "memory" and longest > most_written(model)):
        raise FormatError(f"model.json: expected 1 to {most_written(model)} tokens under 'longest', found {longest}.")
    found: Memory | TranslationNetwork
    if model.model == "memory":
        sides = texts_of(header, "sources"), texts_of(header, "targets")
        if not sides[0] or len(sides[0]) != len(sides[1]) or not all(map(all, sides)):
            raise FormatError("model.json: expected as many 'targets' as 'sources', at least one, none empty.")
        found, count = Memory(*sides), sum(map(len, sides[1]))
    else:
        spec = TranslationSpec.from_json(header["network"])
        same_spec(spec, translation_spec(model, len(source.vocabulary), len(target.vocabulary)))
        found = load_network(lambda: build_translation_network(spec, 0), arrays)
        count = weights_of(found)
    count = implied(header, "n_parameters", count)
    return Fitted(source.level, source, target, longest, found, None, count, texts_of(header, "notes"))
