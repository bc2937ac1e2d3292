"""The shared bodies: a masked step is as if it weren't there, pooling against NumPy, counts, seeds."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from seqloom.errors import FormatError, SettingError
from seqloom.tasks.networks import (
    BODIES,
    POOLINGS,
    RECURRENT,
    AttentionPooling,
    BodySpec,
    build_body,
    count_parameters,
    make_pooling,
    seeded_linear,
)


def spec(kind: str, **changes: Any) -> BodySpec:
    return BodySpec(kind, **{"inputs": 3, "units": 5, **changes})


def ragged(seed: int, rows: int = 4, steps: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows with holes anywhere, NaN in the holes; every row has a step, one has them all."""
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, steps)) < 0.6
    mask[:, 4] = True
    mask[-1] = True
    x = np.where(mask[:, :, None], rng.normal(size=(rows, steps, 3)), np.nan)
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(mask)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("both", [False, True])
def test_a_masked_step_is_as_if_it_were_not_there(kind: str, pooling: str, both: bool) -> None:
    if both and kind not in RECURRENT:
        pytest.skip("only the recurrent bodies have two directions")
    body = build_body(spec(kind, pooling=pooling, layers=2, bidirectional=both), 3)
    x, mask = ragged(5)
    steps, summary = body(x, mask)
    assert torch.equal(steps, body.steps(x, mask))
    torch.testing.assert_close(summary, body.summary(x, mask))
    for row in range(len(x)):
        alone = x[row][mask[row]][None]
        torch.testing.assert_close(steps[row][mask[row]], body.steps(alone)[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(summary[row], body.summary(alone)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("kind", BODIES)
def test_the_gradient_of_a_masked_batch_is_that_of_its_rows(kind: str, pooling: str) -> None:
    body = build_body(spec(kind, pooling=pooling), 3)
    x, mask = ragged(6)
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(len(x), body.output_size)).astype(np.float32))
    (body.summary(x, mask) * weights).sum().backward()
    together = {name: p.grad.clone() for name, p in body.named_parameters() if p.grad is not None}
    body.zero_grad()
    for row in range(len(x)):
        (body.summary(x[row][mask[row]][None]) * weights[row]).sum().backward()
    assert together
    for name, p in body.named_parameters():
        assert p.grad is not None
        torch.testing.assert_close(together[name], p.grad, rtol=1e-4, atol=1e-5, msg=name)


def _pooled(kind: str, h: np.ndarray, mask: np.ndarray, pool: Any) -> np.ndarray:
    """Pooling row by row, in NumPy and float64."""
    rows = []
    for features, counted in zip(h.astype(np.float64), mask):
        kept = features[counted]
        if not len(kept):
            rows.append(np.zeros(h.shape[2]))
        elif kind == "last":
            rows.append(kept[-1])
        elif kind == "attention":
            w, b, u = (
                p.detach().double().numpy() for p in (pool.projection.weight, pool.projection.bias, pool.context)
            )
            score = np.exp(np.tanh(kept @ w.T + b) @ u)
            rows.append((score / score.sum()) @ kept)
        else:
            rows.append(kept.mean(axis=0) if kind == "mean" else kept.max(axis=0))
    return np.stack(rows)


@pytest.mark.parametrize("kind", POOLINGS)
def test_pooling_is_numpy_s(kind: str) -> None:
    rng = np.random.default_rng(2)
    h, mask = rng.normal(size=(6, 7, 4)).astype(np.float32) - 2, rng.random((6, 7)) < 0.5
    mask[0], mask[1] = True, False
    h[~mask] = np.nan
    pool = make_pooling(kind, 4, 9)
    if isinstance(pool, AttentionPooling):
        with torch.no_grad():
            pool.projection.bias.copy_(torch.tensor([0.3, -0.2, 0.8, -1.0]))
    found = pool(torch.from_numpy(h), torch.from_numpy(mask)).detach().numpy()
    np.testing.assert_allclose(found, _pooled(kind, h, mask, pool), rtol=1e-5, atol=1e-6)
    whole = pool(torch.from_numpy(h[:1])).detach().numpy()
    np.testing.assert_allclose(whole, _pooled(kind, h[:1], mask[:1], pool), rtol=1e-5, atol=1e-6)


def test_attention_weights_are_shares_of_the_counted_steps() -> None:
    pool = make_pooling("attention", 4, 9)
    assert isinstance(pool, AttentionPooling)
    mask = torch.tensor([[True, True, False], [False, False, True]])
    weights = pool.weights(torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)), mask)
    assert (weights[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
    assert weights[1, 2] == 1


@pytest.mark.parametrize("kind", RECURRENT)
def test_counts_are_the_built_body_s(kind: str) -> None:
    for layers, both, pooling, activation in itertools.product((1, 3), (False, True), POOLINGS, (None, "prelu")):
        shape = spec(kind, layers=layers, bidirectional=both, pooling=pooling, activation=activation)
        assert sum(p.numel() for p in build_body(shape, 1).parameters()) == count_parameters(shape)
    assert count_parameters(BodySpec("lstm", inputs=1, units=12)) == 672
    assert count_parameters(BodySpec("rnn", inputs=1, units=12)) == 168


@pytest.mark.parametrize("kind", BODIES)
def test_weights_come_from_the_seed_alone(kind: str) -> None:
    torch.manual_seed(0)
    one = build_body(spec(kind, pooling="attention"), 5)
    before = torch.get_rng_state()
    torch.manual_seed(1)
    two, three = (build_body(spec(kind, pooling="attention"), seed) for seed in (5, 6))
    bits = [{name: t.numpy().tobytes() for name, t in body.state_dict().items()} for body in (one, two, three)]
    assert bits[0] == bits[1] != bits[2]
    torch.manual_seed(0)
    assert torch.equal(before, torch.get_rng_state())


def test_the_read_out_is_glorot_s() -> None:
    layer = seeded_linear(300, 100, torch.Generator().manual_seed(2))
    bound = (6 / 400) ** 0.5
    assert layer.weight.abs().max() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "gruu"}, r"kind: expected one of .*Did you mean 'gru'"),
        ({"pooling": "sum"}, "pooling: expected one of last, mean, max, attention, got 'sum'"),
        ({"units": 0}, "units: expected a whole number of at least 1"),
        ({"layers": 0}, "layers"),
        ({"inputs": 0}, "inputs"),
        ({"activation": "tnah"}, "activation"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        dataclasses.replace(spec("gru"), **change)


def test_json_round_trip_and_types() -> None:
    shape = spec("lstm", bidirectional=True, activation="relu", input_dropout=0.25, pooling="max")
    assert BodySpec.from_json(shape.to_json()) == shape
    for name, value in (("units", 6.0), ("units", True), ("bidirectional", 1), ("activation", 3), ("kind", None)):
        with pytest.raises(FormatError, match=f"under '{name}'"):
            BodySpec.from_json(shape.to_json() | {name: value})
    for odd in ({}, [], shape.to_json() | {"more": 1}):
        with pytest.raises(FormatError, match="expected the fields"):
            BodySpec.from_json(odd)  # type: ignore[arg-type]
