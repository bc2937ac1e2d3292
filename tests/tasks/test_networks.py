"""The shared bodies: a masked step is as if it weren't there, pooling against NumPy, counts, seeds."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from seqloom.errors import FormatError, SettingError
from seqloom.tasks.memory import count_weights
from seqloom.tasks.networks import (
    POOLINGS,
    AttentionPooling,
    BodySpec,
    build_body,
    make_pooling,
    names_for,
    receptive_field,
    seeded_linear,
)
from seqloom.tasks.networks.pooling import max_of_steps

RECURRENT = ("rnn", "gru", "lstm")
CONVOLUTIONAL = ("tcn", "conv", "conv-gru")


def count_parameters(shape: BodySpec) -> int:
    return count_weights(lambda: build_body(shape, 0))


def spec(kind: str, **changes: Any) -> BodySpec:
    shape = {"channels": (4, 6), "kernel_size": 3, "dilation": 2} if kind in CONVOLUTIONAL else {}
    return BodySpec(kind, **{"inputs": 3, "units": 5, **shape, **changes})


def ragged(seed: int, shape: BodySpec, rows: int = 5, steps: int = 11) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows with masked steps, NaN in them: anywhere for a recurrent body, before and behind for convolutions, behind
    alone where these pool; every row has a step, one has them all."""
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, steps)) < 0.6
    mask[:, 4] = True
    if shape.kind in CONVOLUTIONAL:
        ends = rng.integers(5, steps + 1, rows)
        starts = rng.integers(0, 5, rows) if shape.pool_size == 1 else np.zeros(rows, int)
        mask = (np.arange(steps) >= starts[:, None]) & (np.arange(steps) < ends[:, None])
    mask[-1] = True
    x = np.where(mask[:, :, None], rng.normal(size=(rows, steps, 3)), np.nan)
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(mask)


SHAPES = [
    *(spec(kind, layers=2, bidirectional=both) for kind in (*RECURRENT, "conv-gru") for both in (False, True)),
    spec("tcn", channels=(3, 6)),
    spec("conv"),
    *(spec(kind, pool_size=size) for kind in ("conv", "conv-gru") for size in (2, 3)),
    spec("conv-gru", pool_size=2, bidirectional=True),
]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_masked_step_is_as_if_it_were_not_there(shape: BodySpec, pooling: str) -> None:
    body = build_body(dataclasses.replace(shape, pooling=pooling), 3)
    x, mask = ragged(5, shape)
    steps, summary = body(x, mask)
    assert torch.equal(steps, body.steps(x, mask))
    torch.testing.assert_close(summary, body.summary(x, mask))
    for row in range(len(x)):
        alone = x[row][mask[row]][None]
        if shape.pool_size == 1:
            torch.testing.assert_close(steps[row][mask[row]], body.steps(alone)[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(summary[row], body.summary(alone)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_gradient_of_a_masked_batch_is_that_of_its_rows(shape: BodySpec, pooling: str) -> None:
    body = build_body(dataclasses.replace(shape, pooling=pooling), 3)
    x, mask = ragged(6, shape)
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


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_counts_of_convolutions(kind: str) -> None:
    for channels, pooling, size in itertools.product(((3,), (3, 3), (5, 2, 2)), POOLINGS, (1, 4)):
        shape = spec(kind, channels=channels, pooling=pooling, kernel_size=size)
        assert sum(p.numel() for p in build_body(shape, 1).parameters()) == count_parameters(shape)


@pytest.mark.parametrize(
    ("shape", "outputs", "count"),
    [
        (BodySpec("tcn", inputs=2, channels=(24,) * 8, kernel_size=8, dilation=2), 1, 70_369),
        (BodySpec("tcn", inputs=1, channels=(25,) * 8, kernel_size=7, dilation=2), 10, 66_910),
        (BodySpec("tcn", inputs=1, channels=(10,) * 8, kernel_size=8, dilation=2), 10, 12_530),
        (BodySpec("tcn", inputs=88, channels=(150,) * 2, kernel_size=3, dilation=2), 88, 269_938),
        (BodySpec("tcn", inputs=88, channels=(150,) * 4, kernel_size=6, dilation=2), 88, 1_053_238),
        (BodySpec("conv", inputs=1, channels=(32,) * 4, kernel_size=5), 1, 15_681),
        (BodySpec("conv", inputs=128, channels=(32,) * 2, kernel_size=7, pool_size=5), 1, 1_315_937 - 1_280_000),
        (BodySpec("conv-gru", inputs=14, channels=(32,) * 2, kernel_size=5, pool_size=3), 1, 13_697),
        (BodySpec("rnn", inputs=1, units=12), 1, 181),
        (BodySpec("lstm", inputs=1, units=12), 1, 685),
    ],
)
def test_counts_are_the_published_ones(shape: BodySpec, outputs: int, count: int) -> None:
    """With the read-out of F features to `outputs`."""
    body = build_body(shape, 0)
    assert sum(p.numel() for p in body.parameters()) == count_parameters(shape)
    assert count_parameters(shape) + (shape.output_size + 1) * outputs == count


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        (BodySpec("tcn", inputs=1, channels=(2,) * 3, kernel_size=3, dilation=2), 29),
        (BodySpec("conv", inputs=1, channels=(2,) * 4, kernel_size=5), 17),
        (BodySpec("conv", inputs=1, channels=(2,) * 4, kernel_size=5, dilation=2), 61),
        (BodySpec("conv", inputs=1, channels=(2,) * 3, kernel_size=3, pool_size=2), 18),
    ],
)
def test_the_receptive_field_is_what_the_gradient_reaches(shape: BodySpec, seen: int) -> None:
    assert receptive_field(shape) == seen
    body = build_body(dataclasses.replace(shape, activation="softplus"), 1)  # no unit is ever off
    x = torch.zeros(1, 72, 1, requires_grad=True)
    body.summary(x).sum().backward()
    assert x.grad is not None
    reached = torch.nonzero(x.grad[0, :, 0])[:, 0]
    # A tie of all zeros lets max pooling pass one step of each group, so the first may be passed over.
    assert 72 - int(reached.min()) <= seen
    if shape.pool_size == 1:
        assert 72 - int(reached.min()) == seen
    assert receptive_field(spec("gru")) == receptive_field(spec("conv-gru")) == float("inf")


@pytest.mark.parametrize(("size", "steps"), [(2, 7), (3, 9), (5, 3)])
def test_the_max_of_every_few_steps_is_numpy_s(size: int, steps: int) -> None:
    rng = np.random.default_rng(size)
    x, mask = rng.normal(size=(4, steps, 2)).astype(np.float32) - 3, rng.random((4, steps)) < 0.6
    mask[0] = True
    groups = [range(start, min(start + size, steps)) for start in range(0, steps, size)]
    found, counted = max_of_steps(torch.from_numpy(x), torch.from_numpy(mask), size)
    assert counted is not None
    for row, (number, group) in itertools.product(range(4), enumerate(groups)):
        kept = [t for t in group if mask[row, t]]
        assert counted[row, number] == bool(kept)
        expected = x[row, kept].max(axis=0) if kept else np.zeros(2)
        np.testing.assert_array_equal(found[row, number].numpy(), expected)
    whole, none = max_of_steps(torch.from_numpy(x), None, size)
    assert none is None
    np.testing.assert_array_equal(whole.numpy(), np.stack([x[:, list(g)].max(axis=1) for g in groups], axis=1))


@pytest.mark.parametrize("kind", names_for("sequences"))
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
        ({"kind": "tcn", "channels": ()}, "channels: expected a number of at least 1 for each level, got"),
        ({"kind": "conv", "channels": (3, 0)}, "channels"),
        ({"kind": "conv", "channels": (3,), "kernel_size": 0}, "kernel_size"),
        ({"kind": "conv", "channels": (3,), "dilation": 0}, "dilation"),
        ({"kind": "conv", "channels": (3,), "activation": "prelu"}, "activation: expected one of .* for 'conv'"),
        ({"kind": "tcn", "channels": (3,), "bidirectional": True}, "bidirectional: 'tcn' reads forward only"),
        ({"kind": "tcn", "channels": (3,), "pool_size": 2}, "pool_size: a tcn keeps every step"),
        ({"kind": "tcn", "channels": (3,) * 40, "dilation": 2}, "dilation: 2 over 40 levels"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        dataclasses.replace(spec("gru"), **change)


def test_json_round_trip_and_types() -> None:
    shape = spec("conv", channels=(3, 5), activation="tanh", dropout=0.25, pooling="max", pool_size=2)
    assert BodySpec.from_json(shape.to_json()) == shape
    for channels in ([1.0], [True], 3, None):
        with pytest.raises(FormatError, match="under 'channels'"):
            BodySpec.from_json(shape.to_json() | {"channels": channels})
    shape = spec("lstm", bidirectional=True, activation="relu", input_dropout=0.25, pooling="max")
    assert BodySpec.from_json(shape.to_json()) == shape
    for name, value in (("units", 6.0), ("units", True), ("bidirectional", 1), ("activation", 3), ("kind", None)):
        with pytest.raises(FormatError, match=f"under '{name}'"):
            BodySpec.from_json(shape.to_json() | {name: value})
    for odd in ({}, [], shape.to_json() | {"more": 1}):
        with pytest.raises(FormatError, match="expected the fields"):
            BodySpec.from_json(odd)  # type: ignore[arg-type]
