"""The sine study: its windows, the published baseline, and what the usual script misprints."""

from __future__ import annotations

import numpy as np
import pytest

from seqloom.nn import RNN
from seqloom.studies import StudySettings, find_study, run_study
from seqloom.studies.networks import Reader
from seqloom.studies.sine import _KINDS, _penalty, sine_data


def test_windows_and_persistence() -> None:
    data = sine_data()
    wave = np.sin(np.linspace(0, 100, 1000))
    x = data.train[0]
    assert (tuple(x.shape), tuple(data.test[0].shape)) == ((792, 10, 1), (198, 10, 1))
    np.testing.assert_allclose(x[3, :, 0].numpy(), wave[3:13], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(data.test[1][:, 0].numpy(), wave[802:], rtol=1e-6, atol=1e-7)
    scores = run_study(find_study("sine"), rows=["naive"]).found["naive", 0].outcome.scores  # type: ignore[union-attr]
    truth, last = wave[802:], wave[801:-1]
    assert scores["mse"] == pytest.approx(np.mean((truth - last) ** 2), rel=1e-5)
    assert round(float(scores["mse"] or 0), 4) == 0.0049
    assert scores["misprinted"] == pytest.approx(np.mean((last[:, None] - truth[None, :]) ** 2), rel=1e-5)


def test_the_lectures_networks_are_those_rows() -> None:
    """L2 of 0.01 on input and recurrent weights alone, one mask of 0.2 each; 131, 491 and 371 parameters."""
    regularised = _KINDS["rnn-regularised"]
    assert dict(regularised.options) == {"activation": "relu", "input_dropout": 0.2, "recurrent_dropout": 0.2}
    network = Reader(RNN(1, 10, **dict(regularised.options)), 10, 1, seed=0)
    penalty = _penalty(regularised.penalty)
    assert penalty is not None
    by_hand = 0.01 * sum(
        float(w.detach().square().sum()) for name, w in network.body.named_parameters() if "bias" not in name
    )
    assert float(penalty(network).detach()) == pytest.approx(by_hand)
    results = run_study(find_study("sine"), StudySettings(epochs=1), rows=["rnn-regularised", "lstm-relu", "gru-relu"])
    counts = [results.outcomes(name)[0].parameters for name in ("rnn-regularised", "lstm-relu", "gru-relu")]
    assert counts == [131, 491, 371]


@pytest.mark.slow
def test_a_small_network_beats_the_last_value_within_ten_epochs() -> None:
    results = run_study(find_study("sine"), StudySettings(epochs=10), rows=["naive", "gru"])
    ours, naive = results.median("gru", "mse"), results.median("naive", "mse")
    assert ours is not None
    assert naive is not None
    assert ours < naive / 3
