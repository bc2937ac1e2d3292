"""Receptive fields: textbook stacks, and the gradient of every stack: the field's first step matters, the one before it
does not."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from seqloom.errors import SettingError
from seqloom.nn import (
    GRU,
    LSTM,
    TCN,
    AveragePool,
    CausalConv1d,
    Conv1d,
    Field,
    GlobalMax,
    Highway,
    Inception1d,
    MaxPool,
    Residual,
    TemporalBlock,
    output_length,
    receptive_field,
)
from seqloom.nn.receptive_field import field_of


def causal(taps: int, *dilations: int) -> nn.Module:
    return nn.Sequential(*(CausalConv1d(1, 1, taps, dilation=d) for d in dilations))


@pytest.mark.parametrize(
    ("stack", "size"),
    [
        (causal(2, 1, 2, 4, 8), 16),
        (causal(5, 1, 1, 1, 1), 17),
        (causal(2, 1, 1, 1, 1), 5),
        (causal(5, 1, 2, 4, 8), 61),
        (nn.Sequential(Conv1d(1, 1, 3), Conv1d(1, 1, 3), Conv1d(1, 1, 3)), 7),
        (Conv1d(1, 1, 3, dilation=2), 5),
        (TCN(1, [2] * 4, 3), 61),
        (nn.Sequential(Conv1d(1, 1, 5), MaxPool(3), Conv1d(1, 1, 5), MaxPool(3), Conv1d(1, 1, 5)), 61),
    ],
)
def test_textbook_stacks(stack, size):
    """B2, B3, B6, and the convolution part of the D6 convnet."""
    assert receptive_field(stack) == size


def shuffled(module: Any, seed: int = 1) -> Any:
    """In double precision, weights random and above zero, so that no path is cut by a relu."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.double().parameters():
            p.copy_(0.1 + torch.rand(p.shape, generator=source))
    return module


def seen(module: nn.Module, steps: int, at: int) -> tuple[int, int]:
    """The first and last input step with a gradient of output `at`."""
    x = (
        1 + torch.rand(1, steps, 2, generator=torch.Generator().manual_seed(steps), dtype=torch.float64)
    ).requires_grad_()
    y = module(x)
    gradient = torch.autograd.grad(y[0, at].sum(), x)[0][0].abs().sum(-1)
    found = gradient.nonzero().flatten().tolist()
    return found[0], found[-1]


def check(module: nn.Module) -> None:
    field = field_of(shuffled(module))
    at = int(field.before) // field.stride + 2
    first, last = seen(module, int(at * field.stride + field.after) + 30, at)
    place = at * field.stride
    assert (place - first, last - place) == (field.before, field.after)


STACKS = {
    "causal": CausalConv1d(2, 3, 3, dilation=4),
    "valid": Conv1d(2, 3, 4, dilation=2),
    "same": Conv1d(2, 3, 5, padding="same"),
    "same, even": Conv1d(2, 3, 4, padding="same", dilation=3),
    "full": Conv1d(2, 3, 3, padding="full"),
    "strided": Conv1d(2, 3, 3, stride=3),
    "causal, strided": Conv1d(2, 3, 3, padding="causal", stride=2),
    "average pooling": AveragePool(3, 2),
    "block": TemporalBlock(2, 3, 3, dilation=2),
    "TCN": TCN(2, [3, 3, 2], 3),
    "highway": Highway(2),
    "residual": Residual(nn.Sequential(CausalConv1d(2, 3, 2), nn.Tanh(), CausalConv1d(3, 2, 3, dilation=3))),
    "inception": Inception1d(2, 3, (3, 4, 7)),
    "causal inception": Inception1d(2, 3, (3, 4, 7), padding="causal"),
    "convnet": nn.Sequential(
        Conv1d(2, 3, 5), AveragePool(3), Conv1d(3, 2, 5, stride=2), AveragePool(2), nn.Linear(2, 4)
    ),
    "nested": nn.Sequential(
        TCN(2, [3], 2), nn.Sequential(nn.LayerNorm(3), nn.Dropout(0.0), Conv1d(3, 2, 3, dilation=2)), AveragePool(2, 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_proved_by_gradient(name):
    check(STACKS[name])


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.booleans()), min_size=1, max_size=3)
)
def test_any_stack_by_gradient(layers):
    """The input at t − RF + 1 matters, the one at t − RF doesn't."""
    parts: list[nn.Module] = []
    for taps, dilation, stride, pool in layers:
        parts.append(Conv1d(2, 2, taps, dilation=dilation, stride=stride))
        parts += [AveragePool(taps, stride)] if pool else []
    stack = shuffled(nn.Sequential(*parts))
    field = field_of(stack)
    steps = int(2 * field.stride + field.size)
    first, last = seen(stack, steps, at=2)
    assert last - first + 1 == receptive_field(stack)
    assert output_length(stack, steps) == 3
    assert output_length(stack, steps - 1) == 2
    assert output_length(stack, int(field.size) - 1) == 0


class Channels(nn.Module):
    """A channel-first layer on (B, T, C)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def field(self) -> Field:
        return field_of(self.layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.transpose(1, 2)).transpose(1, 2)


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Conv1d(2, 3, 4, padding=2, stride=2, dilation=3), nn.ReLU()),
        (nn.Conv1d(2, 3, 4, padding="same", dilation=2), nn.AvgPool1d(3, 2, padding=1)),
        (nn.Conv1d(2, 3, 4, padding="valid"),),
    ],
)
def test_torchs_layers_by_gradient(layers):
    check(Channels(*layers))
    assert field_of(nn.MaxPool1d(3)) == Field(0, 2, 3)


def test_layers_without_a_bound():
    assert receptive_field(GRU(1, 2)) == receptive_field(nn.LSTM(1, 2)) == math.inf
    assert field_of(GRU(1, 2)) == Field(math.inf, 0)
    assert field_of(LSTM(1, 2, reverse=True)) == Field(0, math.inf)
    assert field_of(LSTM(1, 2, bidirectional=True)) == field_of(GlobalMax()) == Field(math.inf, math.inf)
    assert field_of(nn.GRU(1, 2, bidirectional=True)) == Field(math.inf, math.inf)
    assert receptive_field(nn.Sequential(Conv1d(1, 1, 3), GlobalMax())) == math.inf


def test_unknown_layers():
    class Own(nn.Module):
        pass

    with pytest.raises(
        SettingError, match=r"of Own is not known: pass nn\.Sequential .* or give it a method field\(\)"
    ):
        receptive_field(nn.Sequential(CausalConv1d(1, 1, 2), Own()))
    with pytest.raises(SettingError, match="LayerNorm is not known"):
        receptive_field(nn.LayerNorm([4, 3]))
    with pytest.raises(SettingError, match="how many outputs GRU gives is not known"):
        output_length(GRU(1, 2), 5)
    with pytest.raises(SettingError, match="their strides are 1 and 2"):
        Residual(MaxPool(2)).field()
