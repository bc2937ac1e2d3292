"""Whether a transcriber searches or reads greedily is chosen on validation, said, kept, and can be named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_transcription import SMALL, frames

import seqloom
from seqloom import Transcriber
from seqloom.errors import FormatError
from seqloom.tasks.transcription import learning, searching
from seqloom.tasks.transcription.searching import BEAMS, chosen_beams
from seqloom_runtime.translation.tokens import Tokens


def log_p(*rows: list[float]) -> np.ndarray:
    return np.log(np.array(rows) / np.sum(rows, axis=1, keepdims=True))


def test_what_makes_fewer_mistakes_on_validation_is_chosen() -> None:
    symbols = Tokens.fit(["go up"], "word")
    go, up = symbols.ids("go up")
    # A blank is the likeliest at every step, as of a network that has learned little; all paths to a word outweigh the
    # single path to none, and over more steps all paths to two words.
    row = np.full(len(symbols.vocabulary), 0.01)
    row[0], row[go] = 0.5, 0.45
    short, long = log_p(*[row.tolist()] * 3), log_p(*[row.tolist()] * 6)
    notes: list[str] = []
    assert chosen_beams(Transcriber(), [long], ["up"], symbols, notes) == 1
    assert notes[0].startswith(
        "Texts are read greedily, with an error rate on validation of 1.000 of words and 1.000 of"
    )
    assert notes[0].endswith("; say beams=8 for the search.")
    assert chosen_beams(Transcriber(), [short], ["go"], symbols, notes) == BEAMS
    assert "of 0.000 of words and 0.000 of characters: without it 1.000 of words" in notes[1]
    sure = np.full((2, len(symbols.vocabulary)), 0.01)
    sure[0, go], sure[1, up] = 0.9, 0.9
    assert chosen_beams(Transcriber(), [log_p(*sure.tolist())], ["go up"], symbols, notes) == BEAMS  # as many of both


def test_the_choice_is_kept_and_a_named_one_is_not_questioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds, texts = frames(30)
    seen: list[int] = []

    def choose(*given: Any) -> int:
        seen.append(len(given[1]))
        return 1

    monkeypatch.setattr(learning, "chosen_beams", choose)
    monkeypatch.setattr(searching, "BEAMS", 8)
    model = Transcriber(**SMALL, model="gru").fit(sounds, texts)
    assert (model.beams, model.beams_, seen) == (None, 1, [3])
    assert Transcriber(**SMALL, model="gru", beams=2).fit(sounds, texts).beams_ == 2
    assert seen == [3]
    model.save(tmp_path)
    loaded = seqloom.load(tmp_path)
    assert loaded.beams_ == 1
    assert loaded.predict(sounds[:4]) == model.predict(sounds[:4])
    header = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**header, "beams": 0}))
    with pytest.raises(FormatError):
        seqloom.load(tmp_path)
