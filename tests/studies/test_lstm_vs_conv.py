"""LSTM against convolution: the series, their plain forecasts, parameter counts, and going on from own forecasts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seqloom.studies import StudySettings, find_study, run_study
from seqloom.studies.lstm_vs_conv import LOOKBACK, NOISE, PERIOD, STEPS, waves


def signal(phase: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.sin(phase + 20 * np.pi * t / PERIOD) * np.sin(phase + np.pi * t / PERIOD)


def test_series_and_the_errors_of_plain_forecasts() -> None:
    noisy, clean = waves(20_000, 138, seed=9)
    phase = np.linspace(0, 2 * np.pi, 4000, endpoint=False)[:, None]
    t = np.arange(LOOKBACK, 138)
    later, last = signal(phase, t), signal(phase, np.array([LOOKBACK - 1]))
    zero, persistence = (later**2).mean() + NOISE**2, ((later - last) ** 2).mean() + 2 * NOISE**2
    assert (round(zero, 3), round(persistence, 3)) == (0.280, 0.482)  # one draw of 1,000 has given .282 and .483
    assert (noisy[:, LOOKBACK:] ** 2).mean() == pytest.approx(zero, rel=0.02)
    assert ((noisy[:, LOOKBACK:] - noisy[:, LOOKBACK - 1 : LOOKBACK]) ** 2).mean() == pytest.approx(
        persistence, rel=0.02
    )
    assert (noisy - clean).std() == pytest.approx(NOISE, rel=0.01)
    assert np.abs(np.corrcoef((noisy - clean)[:2000].T) - np.eye(138)).max() < 0.12


def test_parameter_counts_and_the_least_squares_filter() -> None:
    results = run_study(find_study("lstm-vs-conv"), StudySettings(quick=True, epochs=1), seeds=[0])
    counts = {row.name: results.median(row, "parameters") for row in results.rows}
    assert [counts[name] for name in ("conv", "conv-dilated", "rnn", "lstm")] == [15_681, 15_681, 181, 685]
    data = results.data
    train, valid = (part.double().numpy() for part in data.split())
    for seen in (17, 61):
        inputs = np.concatenate([train[:, p - seen + 1 : p + 1] for p in range(118, 128)])
        weights = np.linalg.lstsq(
            np.c_[inputs, np.ones(len(inputs))], np.concatenate([train[:, p + 10] for p in range(118, 128)]), rcond=None
        )[0]
        rows = np.stack([valid[:, p - seen + 1 : p + 1] for p in range(118, 128)], axis=1)
        expected = np.mean((rows @ weights[:-1] + weights[-1] - valid[:, 128:]) ** 2)
        assert results.median(f"linear-{seen}", "mse") == pytest.approx(expected, rel=1e-4)


def test_longer_horizons_read_the_own_forecasts() -> None:
    results = run_study(find_study("lstm-vs-conv"), StudySettings(quick=True), rows=["last", "linear-17"], seeds=[0])
    data = results.data
    series = results.outcomes("last")[0].details["series"]
    assert series == pytest.approx([float(data.noisy[data.train, LOOKBACK - 1])] * data.horizons[-1], abs=1e-5)
    train = data.split()[0].double().numpy()
    inputs = np.concatenate([train[:, p - 16 : p + 1] for p in range(118, 128)])
    targets = np.concatenate([train[:, p + 10] for p in range(118, 128)])
    weights = np.linalg.lstsq(np.c_[inputs, np.ones(len(inputs))], targets, rcond=None)[0]
    points = data.noisy[data.train, :LOOKBACK].double().tolist()
    for _ in range(data.horizons[-1] // STEPS):
        ends = range(len(points) - STEPS, len(points))
        points += [float(np.dot(points[p - 16 : p + 1], weights[:-1]) + weights[-1]) for p in ends]
    assert results.outcomes("linear-17")[0].details["series"] == pytest.approx(points[LOOKBACK:], abs=1e-4)


@pytest.mark.slow
def test_a_few_epochs_of_the_undilated_stack_come_near_least_squares() -> None:
    torch.set_num_threads(1)
    results = run_study(find_study("lstm-vs-conv"), StudySettings(epochs=5), rows=["linear-17", "conv"], seeds=[0])
    ours, best = results.median("conv", "mse"), results.median("linear-17", "mse")
    assert ours is not None
    assert best is not None
    assert best * 0.99 < ours < 1.6 * best
