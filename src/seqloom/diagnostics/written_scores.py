"""Scores of texts that a model writes: entries of the table in `scores`; they are computed where the texts are."""

from __future__ import annotations

from typing import Any

__all__ = ["WRITTEN"]

WRITTEN: tuple[dict[str, Any], ...] = (
    {
        "name": "bleu",
        "heading": "BLEU",
        "phrase": "BLEU",
        "meaning": "geometric mean of the precisions of 1 to 4 words in a row, times a penalty for short texts",
        "source": "Papineni et al. (2002); sacrebleu.corpus_bleu (Post 2018)",
    },
    {
        "name": "exact_match",
        "heading": "Exact match",
        "phrase": "exact match",
        "meaning": "share of texts that are written exactly, but for white space",
        "unit": "share",
        "source": "Rajpurkar et al. (2016), SQuAD",
    },
    {
        "name": "wer",
        "heading": "WER",
        "phrase": "word error rate",
        "meaning": "edit distance in words over the words of the actual texts",
        "unit": "share",
        "lower_is_better": True,
        "source": "Levenshtein (1966); jiwer: wer",
    },
    {
        "name": "cer",
        "heading": "CER",
        "phrase": "character error rate",
        "meaning": "edit distance in characters over the characters of the actual texts",
        "unit": "share",
        "lower_is_better": True,
        "source": "Levenshtein (1966); jiwer: cer",
    },
)
