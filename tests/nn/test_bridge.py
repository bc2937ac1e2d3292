"""from_torch and to_torch: same outputs both ways, back to the same weights, and a reason for what can't go over."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan, compat, from_torch, to_torch

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {"nonlinearity": "relu"}),
    ("RNN", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"num_layers": 3, "dropout": 0.25}),
    ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
    ("GRU", {"num_layers": 2, "bidirectional": True}),
    ("GRU", {"bias": False, "dtype": torch.float64}),
]


def both(result: Any) -> list[torch.Tensor]:
    y, last = result
    return [y, *(last if isinstance(last, tuple) else (last,))]


@pytest.mark.parametrize(("kind", "options"), VARIANTS)
@pytest.mark.parametrize("library", [nn, compat])
def test_from_torch_and_back(kind, options, library):
    torch.manual_seed(4)
    theirs = getattr(library, kind)(3, 5, batch_first=True, **options).eval()
    theirs.weight_hh_l0.requires_grad_(False)
    x = torch.randn(4, 6, 3, dtype=options.get("dtype", torch.float32))
    before = torch.random.get_rng_state()
    ours = from_torch(theirs)
    back = to_torch(ours)
    assert torch.equal(before, torch.random.get_rng_state())
    expected = both(theirs(x))
    for found in (both(ours(x)), both(back(x))):
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert type(back) is getattr(nn, kind)
    assert (ours.training, back.training) == (False, False)
    assert list(back.state_dict()) == list(theirs.state_dict())
    for a, b in zip(back.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.requires_grad == b.requires_grad
    assert back.extra_repr() == theirs.extra_repr()
    assert not {p.data_ptr() for p in ours.parameters()} & {p.data_ptr() for p in theirs.parameters()}


def test_time_first_modules_become_batch_first():
    theirs = nn.GRU(3, 5)
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(from_torch(theirs)(x)[0], theirs(x.transpose(0, 1))[0].transpose(0, 1))


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"recurrent_bias": True, "bidirectional": True}])
def test_one_bias_to_torch(kind, options):
    ours = kind(3, 5, 2, seed=3, **options)
    with torch.no_grad():
        for p in ours.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(1))
    for a, b in zip(both(to_torch(ours)(x)), both(ours(x)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (GRU(3, 5, recurrent_dropout=0.1, zoneout=0.2), "recurrent_dropout=0.1, zoneout=0.2"),
        (GRU(3, 5, reset_after=False), "reset_after=False"),
        (GRU(3, 5, activation="relu"), "activation='relu'"),
        (RNN(3, 5, activation="softsign"), "torch has tanh and relu"),
        (LSTM(3, 5, peephole=True), "peephole=True"),
        (LSTM(3, 5, cell_clip=2.0), "cell_clip=2.0"),
        (LSTM(3, 5, recurrent_activation="hard_sigmoid"), "recurrent_activation='hard_sigmoid'"),
        (RNN(3, 5, layer_norm=True), "layer_norm=True"),
        (GRU(3, 5, bidirectional=True, merge="sum"), "merge='sum'"),
        (GRU(3, 5, reverse=True), "reverse=True"),
        (LSTM(3, 5, weight_dropout=0.5), "weight_dropout=0.5"),
        (Jordan(3, 5, 2), "torch.nn has no Jordan"),
    ],
)
def test_what_torch_can_not_express(module, said):
    with pytest.raises(SettingError) as caught:
        to_torch(module)
    assert said in str(caught.value)


def test_what_comes_from_torch():
    with pytest.raises(SettingError, match=r"not LSTMCell\. Cells run one step"):
        from_torch(nn.LSTMCell(3, 5))  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(SettingError, match="not Linear"):
        from_torch(nn.Linear(3, 5))  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(SettingError, match="remove_parametrizations"):
        from_torch(weight_norm(nn.GRU(3, 5), "weight_hh_l0"))  # pyright: ignore[reportArgumentType, reportCallIssue]
