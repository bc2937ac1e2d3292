"""Frames that a model writes: the same as asking it again for the whole piece, drawn with its probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom import FrameModel, load
from seqloom.errors import DataError, SettingError


def _pieces(keys: int = 6) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pieces that go round: after key k sounds key k + 1."""
    pieces = [np.eye(keys)[(start + np.arange(14)) % keys] for start in range(12)]
    return [piece[:-1] for piece in pieces], [piece[1:] for piece in pieces]


def _fitted(**options: Any) -> FrameModel:
    settings = {"kind": "keys", "units": 8, "epochs": 25, "learning_rate": 0.03, "scaling": "none", "batch_size": 4}
    return FrameModel(**{**settings, **options}).fit(*_pieces())


@pytest.mark.parametrize("model", ["gru", "lstm", "tcn"])
def test_each_frame_is_the_model_s_own(model: str) -> None:
    made = _fitted(model=model, kernel_size=2, levels=2, epochs=8)
    prompt = _pieces()[0][0][:3]
    written = made.generate(prompt, 9, temperature=0, seed=4)
    whole = np.concatenate([prompt, written])
    # Asked for the whole piece at once, the model says yes where it wrote a key.
    answers = np.asarray(made.predict([whole])[0])
    np.testing.assert_array_equal(answers[2:-1], written)


def test_a_learned_round_goes_on() -> None:
    made = _fitted()
    written = made.generate(_pieces()[0][0][:2], 10, temperature=0)
    assert written.argmax(axis=1).tolist() == [(2 + step) % 6 for step in range(10)]
    assert (written.sum(axis=1) == 1).all()


def test_answers_are_drawn_with_their_probabilities() -> None:
    made = FrameModel(model="mean", kind="keys").fit(*_pieces())
    written = made.generate(None, 4000, temperature=1.0, seed=2)
    np.testing.assert_allclose(written.mean(axis=0), 1 / 6, atol=0.02)
    # Half the temperature doubles every logit: 1/6 is odds of 1 to 5, squared 1 to 25.
    np.testing.assert_allclose(made.generate(None, 4000, temperature=0.5).mean(axis=0), 1 / 26, atol=0.015)
    np.testing.assert_array_equal(made.generate(None, 50, seed=3), made.generate(None, 50, seed=3))
    assert (made.generate(None, 50, seed=3) != made.generate(None, 50, seed=4)).any()
    assert made.generate(None, 0).shape == (0, 6)


def test_a_saved_model_writes_the_same(tmp_path: Path) -> None:
    made = _fitted(epochs=2)
    made.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again, FrameModel)
    np.testing.assert_array_equal(again.generate(None, 20, seed=5), made.generate(None, 20, seed=5))


def test_what_is_written_is_kept_for_the_report() -> None:
    made = _fitted(epochs=2)
    music = made.evaluate(*_pieces()).details["music"]
    assert [piece["settings"]["temperature"] for piece in music] == [0.7, 1.0]
    assert all(len(piece["steps"]) == 100 for piece in music)
    assert "music" not in _fitted(epochs=1, kind="binary").evaluate(*_pieces()).details


def test_models_that_write_nothing() -> None:
    x, y = _pieces()
    with pytest.raises(SettingError, match="in both directions"):
        _fitted(bidirectional=True, epochs=1).generate()
    with pytest.raises(SettingError, match="kind 'value' writes nothing"):
        FrameModel(epochs=1).fit(x, y).generate()
    narrow = FrameModel(kind="keys", epochs=1).fit(x, [frames[:, :2] for frames in y])
    with pytest.raises(SettingError, match="answers 2 questions about 6 channels"):
        narrow.generate()
    made = FrameModel(model="mean", kind="keys").fit(x, y)
    with pytest.raises(DataError, match="prompt: expected frames"):
        made.generate(np.zeros((3, 5)))
    wrong: list[tuple[str, Any]] = [("temperature", -1.0), ("length", -1), ("seed", -1)]
    for name, value in wrong:
        with pytest.raises(SettingError, match=name):
            made.generate(**{name: value})
