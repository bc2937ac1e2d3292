"""Greedily or by a beam search: chosen by the errors on validation, as a network that has hardly learned gives a search
long texts that nobody said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqloom_runtime.transcription.decoding import greedy, prefix_beam_search
from seqloom_runtime.translation.tokens import Tokens

from ...diagnostics.edit_distance import error_rate

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = ["BEAMS", "chosen_beams"]

BEAMS = 8
"""Of a search where no number was given."""
_JUDGED = 100  # sounds: a search takes a tenth of a second for each


def chosen_beams(
    model: Transcriber, log_p: Sequence[np.ndarray], texts: Sequence[str], symbols: Tokens, notes: list[str]
) -> int:
    """1, which is greedy, or `BEAMS`: what makes fewer mistakes on validation, `BEAMS` where both make as many.

    log_p: ln P (S, V) of each sound, its unknown symbol never the likeliest. The choice is noted.
    """
    held = list(zip(log_p, texts))[:_JUDGED]
    actual = [" ".join(text.split()) for _, text in held]
    rates = []
    for beams in (1, BEAMS):
        found = []
        for p, _ in held:
            ids = greedy(p) if beams == 1 else prefix_beam_search(p, beams, bonus=float(model.token_bonus))[0].ids
            found.append(" ".join(symbols.text(ids).split()))
        wer = error_rate([text.split() for text in actual], [text.split() for text in found])
        rates.append((wer, error_rate(actual, found)))
    greedily, searched = (f"{wer:.3f} of words and {cer:.3f} of characters" for wer, cer in rates)
    if rates[0] < rates[1]:
        notes.append(
            f"Texts are read greedily, with an error rate on validation of {greedily}: a search with {BEAMS} beams has "
            f"{searched}; say beams={BEAMS} for the search."
        )
        return 1
    notes.append(
        f"Texts are read by a search with {BEAMS} beams, with an error rate on validation of {searched}: without it "
        f"{greedily}; say beams=1 to read greedily."
    )
    return BEAMS
