"""Parallel kernels: the branches by torch, pooling, masks, what the paddings allow."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqloom.errors import SettingError
from seqloom.nn import Inception1d, output_length, receptive_field


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def twins(layer: Inception1d) -> list[nn.Conv1d]:
    """The branches as torch's convolutions with padding "same"."""
    found = []
    for branch in layer.convolutions:
        twin = nn.Conv1d(branch.in_channels, branch.out_channels, branch.kernel_size, padding="same").double()
        twin.load_state_dict(branch.state_dict())
        found.append(twin)
    return found


def test_against_torch():
    layer = Inception1d(4, 6, (3, 5, 7), seed=2).double()
    x, weights = normal(3, 20, 4).requires_grad_(), normal(3, 20, 18, seed=3)
    expected = torch.cat([torch.relu(twin(x.transpose(1, 2))) for twin in twins(layer)], dim=1).transpose(1, 2)
    torch.testing.assert_close(layer(x), expected)
    ours, theirs = (torch.autograd.grad((y * weights).sum(), x)[0] for y in (layer(x), expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("pool", "reduce"), [("max", torch.amax), ("average", torch.mean)])
def test_the_text_network(pool, reduce):
    """B7: kernels of 3, 5 and 7 words, pooled over time and concatenated."""
    layer = Inception1d(4, 6, (3, 5, 7), pool=pool).double()
    x = normal(3, 20, 4)
    branches = [reduce(torch.relu(twin(x.transpose(1, 2))), dim=2) for twin in twins(layer)]
    torch.testing.assert_close(layer(x), torch.cat(branches, dim=1))


@pytest.mark.parametrize("padding", ["valid", "same", "full", "causal"])
@pytest.mark.parametrize("pool", ["max", "average"])
def test_masked_rows_are_as_if_alone(padding, pool):
    layer = Inception1d(4, 6, (2, 3), padding=padding, pool=pool).double()
    x, lengths = normal(3, 12, 4), [12, 8, 3]
    mask = torch.arange(12) < torch.tensor(lengths)[:, None]
    x[~mask] = torch.nan
    for b, length in enumerate(lengths):
        torch.testing.assert_close(layer(x, mask)[b], layer(x[b : b + 1, :length])[0])


def test_what_it_sees():
    assert receptive_field(Inception1d(1, 1, (3, 5, 7))) == 7
    assert receptive_field(Inception1d(1, 1, (3, 8), padding="causal")) == 8
    assert receptive_field(Inception1d(1, 1, pool="max")) == float("inf")
    assert output_length(Inception1d(1, 1), 9) == 9
    mask = torch.tensor([[True, True, False]])
    assert Inception1d(1, 1).output_mask(mask).tolist() == mask.tolist()


def test_each_branch_has_its_own_weights():
    layer = Inception1d(4, 6, (3, 3), seed=2)
    first, second = (branch.weight for branch in layer.convolutions)
    assert not torch.equal(first, second)
    assert torch.equal(first, Inception1d(4, 6, (3, 3), seed=2).convolutions[0].weight)


def test_refused():
    with pytest.raises(SettingError, match="pool must be max, average or None, not 'men'"):
        Inception1d(4, 6, pool="men")
    widths: Any = ([], 3, None)
    for sizes in widths:
        with pytest.raises(SettingError, match="kernel_sizes must be a list of one or more widths"):
            Inception1d(4, 6, sizes)
    with pytest.raises(SettingError, match="kernel_size must be a whole number"):
        Inception1d(4, 6, (3, 0))
    with pytest.raises(SettingError, match="padding='valid' gives each branch another length"):
        Inception1d(4, 6, padding="valid")
    assert Inception1d(4, 6, (3, 3), padding="valid")(torch.zeros(1, 9, 4)).shape == (1, 7, 12)
    with pytest.raises(SettingError, match=r"Inception1d .*looks like"):
        Inception1d(4, 6)(torch.zeros(1, 4, 9))
