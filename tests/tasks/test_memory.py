"""A network that doesn't fit into the memory is refused before anything is allocated, by the name of what is large."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqloom import Forecaster
from seqloom.errors import DataError, SettingError
from seqloom.tasks import (
    FrameModel,
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    TextClassifier,
)
from seqloom.tasks.memory import refuse_too_large
from seqloom_runtime import limits

WAVE = np.sin(np.arange(200.0))
TEXTS, LABELS = ["red blue", "one two"] * 10, ["a", "b"] * 10
SENTENCES, TAGS = [["red", "one"]] * 10, [["O", "B-x"]] * 10
X = np.random.default_rng(1).normal(size=(20, 6, 2)).astype(np.float32)

CASES = {
    "forecast units": lambda: Forecaster(model="gru", units=10**6, lookback=12).fit(WAVE, target="column_0"),
    "forecast layers": lambda: Forecaster(model="dense", units=10**5, layers=900, lookback=12).fit(
        WAVE, target="column_0"
    ),
    "forecast channels": lambda: Forecaster(model="tcn", channels=[10**6], lookback=12).fit(WAVE, target="column_0"),
    "forecast kernel": lambda: Forecaster(model="tcn", kernel_size=10**6, units=10**4, lookback=12).fit(
        WAVE, target="column_0"
    ),
    "sequences": lambda: SequenceClassifier(model="lstm", units=10**6).fit(X, [0, 1] * 10),
    "numbers": lambda: SequenceRegressor(model="tcn", units=10**6).fit(X, np.arange(20.0)),
    "frames": lambda: FrameModel(model="rnn", units=10**6).fit(X, np.zeros((20, 6))),
    "texts": lambda: TextClassifier(model="gru", units=10**6).fit(TEXTS, LABELS),
    "flat texts": lambda: TextClassifier(model="flat", max_length=10**9).fit(TEXTS, LABELS),
    "tags": lambda: SequenceTagger(model="gru", units=10**6).fit(SENTENCES, TAGS),
    "language": lambda: LanguageModel(model="tcn", units=10**6).fit("a b\n" * 100),
}


@pytest.mark.parametrize("case", CASES)
def test_networks_without_the_memory_for_them(case: str) -> None:
    with pytest.raises(
        SettingError, match=r"^\w+: training '[\w-]+' with [\d,]+ weights.* needs .*of memory, .* are free\. "
    ):
        CASES[case]()


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    large: dict[str, Any] = {"batch_size": 10**8, "epochs": 1}
    Forecaster(model="gru", units=2, lookback=12, **large).fit(WAVE, target="column_0")
    SequenceClassifier(model="gru", units=2, **large).fit(X, [0, 1] * 10)
    SequenceTagger(model="gru", units=2, embedding_size=2, **large).fit(SENTENCES, TAGS)
    TextClassifier(model="gru", units=2, embedding_size=2, **large).fit(TEXTS, LABELS)
    LanguageModel(model="gru", units=2, window=3, scored=2, **{**large, "batch_size": 10**6}).fit("a b\n" * 100)
    LanguageModel(model="gru", units=2, window=10**8, **{**large, "batch_size": 2}).fit("a b\n" * 100)


@pytest.mark.parametrize("lookback", [10**9, 10**12, "999999999d", "9" * 5000], ids=[1, 2, 3, 4])
def test_windows_longer_than_any_series(lookback: int | str) -> None:
    table = {"time": np.datetime64("2024-01-01") + np.arange(200).astype("timedelta64[D]"), "x": WAVE}
    import polars

    with pytest.raises((SettingError, DataError), match=r"^lookback: ") as caught:
        Forecaster(model="linear", lookback=lookback).fit(polars.DataFrame(table), target="x", time="time")
    assert len(str(caught.value)) < 300


def test_what_fits_is_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate is a lower bound: on a machine with exactly so much memory it passes."""
    monkeypatch.setattr(limits, "memory_left", lambda: 4 * 4 * 1000 + 4 * 8 * 10)
    refuse_too_large("gru", 1000, "adam", grows_with="units", batch_size=8, row=10)
    refuse_too_large("gru", 2000, "sgd", grows_with="units")
    with pytest.raises(SettingError, match=r"^units: training 'gru' with 1,001 weights and 8 rows in a batch needs "):
        refuse_too_large("gru", 1001, "adamw", grows_with="units", batch_size=8, row=10)
    with pytest.raises(SettingError, match=r"^batch_size: "):
        refuse_too_large("gru", 1, "adam", grows_with="units", batch_size=10**6, row=10)
