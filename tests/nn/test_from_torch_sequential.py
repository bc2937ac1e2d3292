"""from_torch of a whole nn.Sequential: torch's own outputs, weights, modes; a reason for what can't go over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from seqloom.errors import SettingError
from seqloom.nn import Chain, Outputs, from_torch

X = torch.randn(2, 12, 3, generator=torch.Generator().manual_seed(1))


def seeded(*parts: nn.Module) -> nn.Sequential:
    generator = torch.Generator().manual_seed(2)
    model = nn.Sequential(*parts)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.empty_like(p).normal_(0, 0.4, generator=generator))
    return model.eval()


def conv(inputs: int, outputs: int, taps: int, **options: Any) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, taps, **options)


RECURRENT = [
    lambda: seeded(
        nn.Linear(3, 4), nn.ReLU(), Outputs(nn.LSTM(4, 5, 2, batch_first=True)), nn.Linear(5, 2), nn.Softmax(-1)
    ),
    lambda: seeded(
        nn.Linear(3, 3),
        nn.LayerNorm(3),
        nn.Dropout(0.2),
        nn.Sequential(Outputs(nn.GRU(3, 4, batch_first=True)), nn.Tanh()),
    ),
]
CHANNELS = [
    lambda: seeded(nn.ZeroPad1d((4, 0)), conv(3, 4, 3, dilation=2), nn.ReLU(), conv(4, 2, 1)),
    lambda: seeded(conv(3, 4, 3, padding=1), nn.GELU(), nn.MaxPool1d(2), conv(4, 4, 2, stride=2), nn.Softmax(1)),
    lambda: seeded(conv(3, 4, 5, padding="same"), nn.AvgPool1d(3), nn.Flatten(), nn.Linear(16, 2), nn.Softmax(1)),
    lambda: seeded(conv(3, 4, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)),
]


@pytest.mark.parametrize("make", RECURRENT)
def test_recurrent(make):
    theirs = make()
    theirs[0].weight.requires_grad_(False)
    before = torch.random.get_rng_state()
    ours = from_torch(theirs)
    assert torch.equal(before, torch.random.get_rng_state())
    assert isinstance(ours, Chain)
    assert not ours.training
    torch.testing.assert_close(ours(X), theirs(X), rtol=0, atol=2e-6)
    assert next(ours.parameters()).requires_grad is False
    ours.train()(X).sum().backward()
    assert theirs[0].weight.grad is None
    stream, whole = from_torch(theirs[:-1]).stream(2), theirs[:-1](X).detach().numpy()
    found = np.stack([stream.step(X[:, t].numpy()).copy() for t in range(12)], 1)
    np.testing.assert_allclose(found, whole, atol=2e-6)


@pytest.mark.parametrize("make", CHANNELS)
def test_channels_first(make):
    theirs = make()
    ours = from_torch(theirs)
    right = theirs(X.transpose(1, 2))
    right = right.transpose(1, 2) if right.dim() == 3 else right
    torch.testing.assert_close(ours(X), right, rtol=0, atol=2e-6)
    assert "(batch, channels, time)" in ours.notes[0]
    if make is CHANNELS[0]:
        assert ours.stream(2).step(X[:, 0].numpy()).shape == (2, 2)


def test_words():
    theirs = seeded(nn.Embedding(6, 3), Outputs(nn.GRU(3, 4, batch_first=True)))
    ids = torch.tensor([[1, 5, 0], [2, 2, 3]])
    torch.testing.assert_close(from_torch(theirs)(ids), theirs(ids), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([nn.GRU(3, 4), nn.Linear(4, 1)], r"layer 0 \(GRU\).*put seqloom.nn.Outputs"),
        ([conv(3, 4, 3), nn.Linear(10, 2)], r"layer 1 \(Linear\).*act along time"),
        ([conv(3, 4, 3), Outputs(nn.GRU(4, 5, batch_first=True))], "reads .batch, time, numbers"),
        ([nn.Linear(3, 4), conv(4, 4, 3)], "reads .batch, channels, time"),
        ([conv(3, 3, 3, groups=3)], "groups=3"),
        ([conv(3, 3, 5, padding=1)], "1 zeros before and 1 behind"),
        ([nn.MaxPool1d(2, ceil_mode=True)], "ceil_mode"),
        ([nn.Bilinear(3, 3, 3)], r"layer 0 \(Bilinear\).*no counterpart"),
        ([nn.Softmax(0)], "dim=0"),
        ([nn.Embedding(6, 3, max_norm=1.0)], "max_norm"),
        ([weight_norm(nn.Linear(3, 4))], "remove_parametrizations"),
        ([nn.ZeroPad1d((2, 0)), nn.ReLU()], "before a Conv1d alone"),
        ([conv(3, 3, 3).half()], "float16"),
    ],
)
def test_what_has_no_counterpart(parts, said):
    with pytest.raises(SettingError, match=said):
        from_torch(nn.Sequential(*parts))
