"""The study of vanishing gradients: what theory says of a linear network, and what becomes of the two that fail."""

from __future__ import annotations

import numpy as np
import pytest

from seqloom.errors import SettingError
from seqloom.studies import StudySettings, find_study, run_study
from seqloom.studies.gradients import first_sign


def test_the_linear_network_explodes_by_its_factor_and_the_others_stand() -> None:
    settings = StudySettings(quick=True, length=16, epochs=1)
    results = run_study(find_study("gradients"), settings, rows=["tanh", "linear", "orthogonal"])
    tanh, linear, orthogonal = (results.outcomes(name)[0] for name in ("tanh", "linear", "orthogonal"))
    np.testing.assert_allclose(linear.details["before"], 1.25 ** np.arange(16), rtol=1e-4)
    assert linear.scores["rate"] == pytest.approx(1.25, rel=1e-4)
    left = [outcome.scores["left"] for outcome in (tanh, orthogonal)]
    assert left[0] is not None
    assert left[1] is not None
    assert left[0] < 0.5**15  # each step: σ of W_h, then a slope of at most 1
    assert left[1] > 100 * left[0]
    sentences = "\n".join(results.sentences())
    assert "tanh, σ = 0.5: before training the gradient vanishes" in sentences
    assert "linear, σ = 1.25: before training the gradient explodes (1.25 per step back" in sentences


def test_training_that_explodes_is_a_result_with_its_reason() -> None:
    results = run_study(find_study("gradients"), StudySettings(epochs=1), rows=["linear"])
    outcome = results.outcomes("linear")[0]
    assert "loss" not in outcome.scores
    assert outcome.notes[0].startswith("training exploded. The ")
    assert "training explodes." in results.sentences()[0]
    assert [panel.title for panel in results.study.draw(results)[0].panels] == ["Before training"]  # type: ignore[union-attr]


def test_sequences_of_one_step_are_refused() -> None:
    with pytest.raises(SettingError, match="length: expected at least 2 steps"):
        first_sign(2, 1, seed=0)
