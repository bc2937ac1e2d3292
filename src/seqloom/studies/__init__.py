"""The field's published tables, each a small resumable program: `find_study` gives one by name, `run_study` runs it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from seqloom_runtime.errors import SettingError, shown, suggest
from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from .results import Results, RowResult
    from .running import RowFinished, RowStarted, run_study
    from .study import Column, Outcome, Prepared, Row, Study, StudySettings

# name → module of this package (after a colon: what its study is called there, `STUDY` by default), and what it shows
# in one line; a new study is a module and a line here.
STUDIES = {
    "jena": ("jena", "the temperature a day ahead: naive, dense, recurrent and convolutional networks"),
    "lstm-vs-conv": ("lstm_vs_conv", "LSTM against causal convolution: 10, 80 and 800 steps ahead"),
    "adding": ("adding", "the adding problem at length 600: TCN, LSTM, GRU, RNN"),
    "copy-memory": ("copy_memory", "recall of ten digits after 1,000 steps: TCN, LSTM, GRU, RNN"),
    "sequential-mnist": ("sequential_mnist", "digits read pixel by pixel: TCN, LSTM, GRU, RNN"),
    "permuted-mnist": ("sequential_mnist:PERMUTED", "the same pixels in one fixed random order: TCN, LSTM, GRU, RNN"),
    "lenet": ("digits", "digits looked at as pictures: LeNet-5, with shifted digits too, and a GRU over the rows"),
    "jsb": ("music:JSB", "the next chord of Bach's chorales: TCN, LSTM, GRU, RNN"),
    "nottingham": ("music:NOTTINGHAM", "the next frame of folk tunes: TCN, LSTM, GRU, RNN"),
    "piano-midi": ("music:PIANO_MIDI", "the next frame of classical piano music: TCN, LSTM, GRU, RNN"),
    "muse": ("music:MUSE", "the next frame of orchestral and piano music: TCN, LSTM, GRU, RNN"),
    "ptb-words": ("language:PTB_WORDS", "the next word of the Penn Treebank: TCN, LSTM, GRU, RNN"),
    "ptb-chars": ("language:PTB_CHARS", "the next character of the Penn Treebank: TCN, LSTM, GRU, RNN"),
    "text8": ("language:TEXT8", "the next character of 100 MB of Wikipedia: TCN, LSTM, GRU, RNN"),
    "wikitext-103": ("language:WIKITEXT", "the next of 103 million words of Wikipedia: TCN, LSTM, GRU, RNN"),
    "lambada": ("language:LAMBADA", "the last word of passages from novels: TCN, LSTM, GRU, RNN"),
    "sine": ("sine", "small recurrent networks on a sine wave, one step ahead and free-running"),
    "imdb": ("imdb", "film reviews: bag of words, convolutional, recurrent and attention networks"),
    "atis": ("atis", "slot filling: feed-forward, Elman, Jordan, LSTM and bidirectional LSTM taggers"),
    "dates": ("rewriting:DATES", "dates in twenty spellings to ISO: no, additive and multiplicative attention"),
    "sentences": ("rewriting:SENTENCES", "English to German by a made grammar, with names that have to be copied"),
    "sums": ("rewriting:SUMS", "sums of two numbers, the last digit first: no, additive and multiplicative attention"),
    "moving-digits": ("frames_ahead:MOVING_DIGITS", "the next frames of two bouncing digits: baselines, ConvGRU"),
    "rain": ("frames_ahead:RAIN", "made radar images of rain, an hour ahead: persistence, advection, ConvGRU"),
    "anomalies": ("anomalies", "anomalies of five kinds in seasonal series: autoencoders against two baselines"),
    "nab": ("anomalies:NAB", "series of the Numenta Anomaly Benchmark: the same autoencoders and baselines"),
    "captions": ("captions", "what a made scene shows: the nearest picture's caption, GRU with attention over places"),
    "records": (
        "irregular",
        "the onset of an event from irregular records: gaps as inputs against carried-forward values",
    ),
    "similar": ("similar:CURVES", "curves of kinds that training never sees: a Siamese network against distance"),
    "similar-digits": ("similar:DIGITS", "digits read row by row: is the nearest other one the same?"),
    "digits": (
        "speech:DIGITS",
        "spoken digits by unheard voices, made by espeak-ng: CTC with and without hidden bands",
    ),
    "commands": ("speech:COMMANDS", "spoken commands letter by letter by unheard voices: CTC with a language model"),
    "weather-stock": ("weather_stock", "stateful against stateless training of the same network"),
    "gradients": ("gradients", "vanishing and exploding gradients, and their cures side by side"),
    "dropout": ("step_dropout", "dropout with a new mask at every step against one per sequence"),
    "bptt": ("step_updates", "weights updated at every step of the sequence against once after it"),
    "compare-cells": ("compare_cells", "RNN, GRU and LSTM on one task: parameters, seconds per epoch, accuracy"),
}

_HOME = {
    "Column": "study",
    "Outcome": "study",
    "Prepared": "study",
    "Results": "results",
    "Row": "study",
    "RowFinished": "running",
    "RowResult": "results",
    "RowStarted": "running",
    "Study": "study",
    "StudySettings": "study",
    "run_study": "running",
}

__all__ = [
    "STUDIES",
    "Column",
    "Outcome",
    "Prepared",
    "Results",
    "Row",
    "RowFinished",
    "RowResult",
    "RowStarted",
    "Study",
    "StudySettings",
    "find_study",
    "run_study",
]


def find_study(name: str) -> Study:
    """The study of that name; raises SettingError for one that doesn't exist.

    >>> find_study("sine").name
    'sine'
    """
    if name not in STUDIES:
        raise SettingError(f"study: expected one of {', '.join(STUDIES)}, got {shown(name)}.{suggest(name, STUDIES)}")
    module, _, held = STUDIES[name][0].partition(":")
    return getattr(importlib.import_module(f".{module}", __name__), held or "STUDY")


__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
