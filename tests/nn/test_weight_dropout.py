"""Weight dropout: the wrapper and the option, against the masks applied by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan, WeightDropout, compat

X = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(2))


def recurrent(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters() if name.endswith("w_h") or "weight_hh" in name]


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(4, 6, 2, bidirectional=True),
        lambda: compat.GRU(4, 6, 2),
        lambda: RNN(4, 6, 2, bidirectional=True),
        lambda: LSTM(4, 6),
        lambda: Jordan(4, 6, 2),
    ],
)
def test_equals_masks_by_hand(make):
    inner = make()
    by_hand = copy.deepcopy(inner)
    wrapped = WeightDropout(inner, 0.4, seed=9)
    assert list(wrapped.names) == recurrent(inner)
    source = torch.Generator().manual_seed(9)
    before = {name: p.detach().clone() for name, p in inner.named_parameters()}
    masks, y, z = {}, X, X
    for call in range(2):
        masks = {name: torch.empty(before[name].shape).bernoulli_(0.6, generator=source) for name in wrapped.names}
        with torch.no_grad():
            for name, p in by_hand.named_parameters():
                p.copy_(before[name] * masks[name] / 0.6 if name in masks else before[name])
        y, _ = wrapped(X)
        z, _ = by_hand(X)
        torch.testing.assert_close(y, z, msg=f"call {call}")
    wrapped.zero_grad()
    by_hand.zero_grad()
    y.square().sum().backward()
    z.square().sum().backward()
    for (name, p), q in zip(inner.named_parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(p, before[name])
        assert p.grad is not None
        assert q.grad is not None
        torch.testing.assert_close(p.grad, q.grad * masks[name] / 0.6 if name in masks else q.grad)
    wrapped.eval()
    by_hand.load_state_dict(before)
    assert torch.equal(wrapped(X)[0], by_hand.eval()(X)[0])


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_the_option_is_the_wrapper(kind):
    """One mask a call, from the module's generator, over W_h alone; the same for all rows and steps."""
    plain, option = kind(4, 6, seed=1), kind(4, 6, seed=1, weight_dropout=0.5)
    state = option.generator.get_state()
    wrapped = WeightDropout(plain, 0.5, seed=torch.Generator())
    wrapped.generator.set_state(state)
    for _ in range(2):
        torch.testing.assert_close(option(X)[0], wrapped(X)[0])
    assert torch.equal(option.eval()(X)[0], plain.eval()(X)[0])


def test_the_mean_over_masks_is_the_whole_weight():
    linear = nn.Linear(4, 2, bias=False)
    wrapped = WeightDropout(linear, 0.3, names=["weight"])
    x = torch.eye(4)
    mean = torch.stack([wrapped(x) for _ in range(4000)]).mean(0)
    spread = linear.weight.t().abs() * (0.3 / 0.7 / 4000) ** 0.5
    assert ((mean - linear.weight.t()).abs() < 5 * spread).all()


def test_bad_arguments():
    layer: Any = nn.Linear(4, 2)
    with pytest.raises(SettingError, match="holds no recurrent layer: say with names"):
        WeightDropout(layer)
    with pytest.raises(SettingError, match="Did you mean 'weight'"):
        WeightDropout(layer, names=["wieght"])
    with pytest.raises(SettingError, match=r"probability must be at least 0 and below 1, not 1\.0"):
        WeightDropout(GRU(2, 3), 1.0)
