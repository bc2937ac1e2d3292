"""The lectures' smallest tagger: SimpleRNN(6) over sequences (50, 3), Dense(2) at every step."""

from __future__ import annotations

import numpy as np

import seqloom


def test_a_simple_rnn_of_six_units_labels_every_step() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(0, 1, (80, 50, 3)).astype(np.float32)
    # Whether a number exceeds the other one of the step before: no step can be told by itself.
    before = np.pad(x[:, :-1, 1], ((0, 0), (1, 0)))
    y = np.where(x[..., 0] > before, "up", "down")
    model = seqloom.FrameModel(model="rnn", kind="label", units=6, epochs=8, batch_size=4, learning_rate=0.02)
    model.fit(x[:60], y[:60])
    assert model.n_parameters_ == (6 * (3 + 6) + 6) + (2 * 6 + 2)
    assert model.predict(x[60:])[0].shape == (50,)
    assert model.evaluate(x[60:], y[60:]).scores["accuracy"] > 0.85  # 0.75 without the step before
