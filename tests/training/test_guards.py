"""The first bad value is named, and nothing is searched while all is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import SmallNet, list_of_batches, loss, train, weight_bits
from torch import Tensor, nn

from seqloom.errors import TrainingError
from seqloom.training import FitSettings, fit, guards


class Bad(torch.autograd.Function):
    """The identity, with a gradient that is not finite."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: float) -> Tensor:
        ctx.value = value
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].clone()
        gradient.view(-1)[0] = ctx.value
        return gradient, None


def stopped(words: str, loss_function: Any = loss, *, batches: Any = None, **options: Any) -> SmallNet:
    module = SmallNet(dropout=0.0, norm=False)
    penalty = options.pop("penalty", None)
    validate = options.pop("validate", None)
    with pytest.raises(TrainingError, match=words):
        fit(
            module,
            list_of_batches() if batches is None else batches,
            loss_function,
            settings=FitSettings(**{"epochs": 3, **options}),
            penalty=penalty,
            validate=validate,
        )
    return module


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "NaN"), (float("inf"), "infinity")])
def test_a_bad_gradient_is_named_with_its_place(value: float, word: str) -> None:
    calls = 0

    def loss_function(module: Any, batch: Any) -> Tensor:
        nonlocal calls
        calls += 1
        hidden = torch.tanh(module.first(batch[0]))
        weight = Bad.apply(module.second.weight, value) if calls == 13 else module.second.weight
        return ((hidden @ weight.t() + module.second.bias) - batch[1]).square().mean()  # type: ignore[operator]

    module = stopped(
        rf"The gradient of 'second.weight' holds {word} in 1 of 6 values at epoch 2, step 13, although the loss is .*"
        r"lower learning_rate \(now 0.001\) or set clip_norm=1.0",
        loss_function,
    )
    assert all(torch.isfinite(p).all() for p in module.parameters())  # the bad step was not taken


def test_the_first_of_several_bad_gradients_and_clip_does_not_hide_it() -> None:
    def loss_function(module: Any, batch: Any) -> Tensor:
        return (Bad.apply(module(batch[0]), float("nan")) - batch[1]).square().mean()  # type: ignore[operator]

    stopped(
        "gradient of 'first.weight' .*lower learning_rate .now 0.001..$", loss_function, clip_norm=1.0, clip_value=0.1
    )


def test_a_bad_loss_a_bad_batch_a_bad_weight_a_bad_penalty() -> None:
    stopped(r"The loss is nan at epoch 1, step 1, although", lambda m, b: loss(m, b) * float("nan"))
    x, y = list_of_batches()[0]
    holed = x.clone()
    holed[2, 1] = float("nan")
    stopped(r"batch\[0\] holds NaN in 1 of 28 values at epoch 1, step 2", batches=[(x, y), (holed, y)])
    stopped(r"batch\['y'\]\[1\] holds infinity", lambda m, b: loss(m, b["y"]), batches=[{"y": (x, y * float("inf"))}])
    array = np.array([1.0, np.nan])
    stopped(r"batch\[2\] holds NaN in 1 of 2", lambda m, b: loss(m, b[:2]) * b[2][1], batches=[(x, y, array)])
    stopped(r"The penalty is inf at", penalty=lambda m: m.first.weight.square().sum() * float("inf"))

    def spoiling(module: Any, batch: Any) -> Tensor:
        value = loss(module, batch)
        with torch.no_grad():
            module.second.bias.fill_(float("nan"))
        return value

    stopped(r"Weight 'second.bias' holds NaN in 1 of 1 values at epoch 1, step 2, after the step before", spoiling)
    stopped(r"Weight 'second.bias' holds NaN in 1 of 1 values at the end of epoch 1", spoiling, batches=[(x, y)])


def test_an_overflowing_norm_and_a_bad_metric() -> None:
    stopped(r"norm of the gradient is too large for its number type at epoch 1, step 1", lambda m, b: loss(m, b) * 1e30)
    stopped(r"validation metric 'loss' is NaN at the end of epoch 1", validate=lambda m: {"loss": float("nan")})


def test_after_an_error_the_last_checkpoint_is_still_there(tmp_path: Path) -> None:
    calls = 0

    def sometimes(module: Any, batch: Any) -> Tensor:
        nonlocal calls
        calls += 1
        return loss(module, batch) * (float("nan") if calls == 12 else 1.0)

    settings = FitSettings(epochs=3, learning_rate=0.02)
    with pytest.raises(TrainingError):
        fit(SmallNet(), list_of_batches(), sometimes, settings=settings, directory=tmp_path)
    resumed, _ = train(directory=tmp_path, resume=True)
    assert weight_bits(resumed) == weight_bits(train()[0])


def test_nothing_is_searched_while_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_search(value: Any) -> str:
        raise AssertionError("searched")

    monkeypatch.setattr(guards, "_bad_values", no_search)
    train(validate=lambda module: {"loss": 1.0})


def test_norm_and_clipping_against_torch() -> None:
    random = torch.Generator().manual_seed(1)
    weights = [nn.Parameter(torch.zeros(3, 2)), nn.Parameter(torch.zeros(5)), nn.Parameter(torch.zeros(2))]
    for weight in weights[:2]:
        weight.grad = torch.randn(weight.shape, generator=random)
    assert weights[0].grad is not None
    assert weights[1].grad is not None
    flat = torch.cat([weights[0].grad.flatten(), weights[1].grad])
    norm = guards.gradient_norm(weights)
    assert norm == pytest.approx(flat.double().norm().item(), rel=1e-6)
    guards.clip_gradients(weights, norm * 1.01, None, norm)
    assert torch.equal(torch.cat([weights[0].grad.flatten(), weights[1].grad]), flat)
    guards.clip_gradients(weights, 0.7, 0.2, norm)
    expected = (flat * 0.7 / norm).clamp(-0.2, 0.2)
    torch.testing.assert_close(torch.cat([weights[0].grad.flatten(), weights[1].grad]), expected)
    assert guards.gradient_norm([nn.Parameter(torch.zeros(2))]) == 0.0
