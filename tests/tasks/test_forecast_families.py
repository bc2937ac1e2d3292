"""Forecast distributions: likelihoods and quantiles against SciPy, and joint quantiles that never cross."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

from seqloom.tasks.forecast.families import FAMILIES, quantiles_of
from seqloom_runtime.forecast.families import LEVELS, SCORES_OF_LEVELS, ends_of, scores_of

RNG = np.random.default_rng(4)


def drawn(family: str, count: int = 40) -> np.ndarray:
    """Outputs (count, P) of a family."""
    shapes = RNG.uniform(0.2, 3, (count, FAMILIES[family].outputs - 1))
    return np.concatenate([RNG.normal(0, 2, (count, 1)), shapes], axis=1)


def mean_of(location: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(4 * location)) / 4 + 1e-4


def test_the_normal_s_likelihood_and_quantiles() -> None:
    output, truth = drawn("normal"), RNG.normal(0, 3, 40)
    reference: Any = scipy.stats.norm(output[:, 0], output[:, 1])
    loss = FAMILIES["normal"].loss(torch.from_numpy(output), torch.from_numpy(truth))
    assert loss.item() == pytest.approx(-reference.logpdf(truth).mean(), rel=1e-10)
    expected = np.stack([reference.ppf(level) for level in LEVELS], axis=1)
    np.testing.assert_allclose(FAMILIES["normal"].knots(output), expected, rtol=1e-9)


def test_student_s_likelihood_and_quantiles() -> None:
    output, truth = drawn("student-t"), RNG.normal(0, 3, 40)
    output[:4, 2] = [1e-4, 0.05, 40, 5000]
    reference: Any = scipy.stats.t(2 + output[:, 2], output[:, 0], output[:, 1])
    loss = FAMILIES["student-t"].loss(torch.from_numpy(output), torch.from_numpy(truth))
    assert loss.item() == pytest.approx(-reference.logpdf(truth).mean(), rel=1e-8)
    expected = np.stack([reference.ppf(level) for level in LEVELS], axis=1)
    np.testing.assert_allclose(FAMILIES["student-t"].knots(output), expected, atol=2e-3 * output[:, 1:2].max())


def test_the_negative_binomial_s_likelihood_and_quantiles() -> None:
    output, unit, offset = drawn("negative-binomial"), RNG.uniform(0.5, 8, 40), RNG.uniform(0, 2, 40)
    counts = RNG.poisson(4, 40).astype(float)
    mean, size = unit * mean_of(output[:, 0] + offset), 1 / output[:, 1]
    reference: Any = scipy.stats.nbinom(size, size / (size + mean))
    tensors = [torch.from_numpy(a) for a in (output, counts / unit - offset, offset, unit)]
    family = FAMILIES["negative-binomial"]
    assert family.loss(*tensors).item() == pytest.approx(-reference.logpmf(counts).mean(), rel=1e-8)
    knots = (family.knots(output, offset, unit) + offset[:, None]) * unit[:, None]
    expected = np.stack([reference.ppf(level) for level in LEVELS], axis=1)
    np.testing.assert_allclose(knots, expected, atol=1e-6)
    centre = family.centre(tensors[0], tensors[2]).numpy()
    np.testing.assert_allclose((centre + offset) * unit, mean, rtol=1e-9)


def test_the_tweedie_s_likelihood_and_quantiles() -> None:
    output, unit, offset = drawn("tweedie"), RNG.uniform(0.5, 8, 40), RNG.uniform(0, 1, 40)
    values = np.where(RNG.random(40) < 0.4, 0.0, RNG.gamma(2, 1, 40))
    mean, phi = mean_of(output[:, 0] + offset), 0.1 + output[:, 1]
    rate, scale = mean**0.5 / (phi * 0.5), phi * 0.5 * mean**0.5
    number = np.arange(1, 400)
    dense = scipy.stats.poisson.pmf(number, rate[:, None]) * scipy.stats.gamma.pdf(
        values[:, None], number * 1.0, scale=scale[:, None]
    )
    expected = np.where(values > 0, np.log(np.maximum(dense.sum(axis=1), 1e-300) / unit), -rate)
    tensors = [torch.from_numpy(a) for a in (output, values - offset, offset, unit)]
    family = FAMILIES["tweedie"]
    assert family.loss(*tensors).item() == pytest.approx(-expected.mean(), rel=1e-6)
    knots = family.knots(output, offset, unit) + offset[:, None]
    drawn_values = np.stack(
        [
            [RNG.gamma(n, s) if n else 0.0 for n in RNG.poisson(r, 4000)]
            for r, s in zip(rate[:6].tolist(), scale[:6].tolist())
        ]
    )
    for level in (0.1, 0.5, 0.8, 0.95):
        found = np.quantile(drawn_values, level, axis=1)
        spread = drawn_values.std(axis=1)
        assert (np.abs(knots[:6, LEVELS.index(level)] - found) < 0.2 * spread).all()
    assert (np.diff(knots, axis=1) >= -1e-12).all()


def test_joint_quantiles_never_cross_and_learn_any_distribution() -> None:
    family = FAMILIES["quantiles"]
    raw = torch.randn(1000, 15) * 20
    assert (quantiles_of(torch.cat([raw[:, :1], family.shaped(raw[:, 1:])], -1)).diff(dim=-1) >= 0).all()
    sample = torch.from_numpy(RNG.gamma(2, 1, 4000))
    parameters = torch.zeros(15, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([parameters], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        output = torch.cat([parameters[:1], family.shaped(parameters[1:])])
        family.loss(output.expand(len(sample), 15), sample).backward()
        optimizer.step()
    output = torch.cat([parameters[:1], family.shaped(parameters[1:])]).detach().numpy()
    found = family.knots(output[None])[0]
    np.testing.assert_allclose(found, np.quantile(sample.numpy(), LEVELS), atol=0.15)


def test_scores_and_ends_are_inverse() -> None:
    knots = np.sort(RNG.normal(0, 3, (20, 15)), axis=1)
    values = RNG.normal(0, 6, 20)
    scores = scores_of(knots, values)
    np.testing.assert_allclose(ends_of(knots, scores), values, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(scores_of(knots, knots[:, 3]), SCORES_OF_LEVELS[3], atol=1e-2)
    tied = np.array([0.0] * 9 + [1, 1, 2, 3, 4, 5])
    assert -2 < scores_of(tied, np.array(0.0)) < SCORES_OF_LEVELS[7]  # below the median of what they share
    assert np.isnan(scores_of(knots, np.full(20, np.nan))).all()
