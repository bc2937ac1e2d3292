"""The CRF against the sum over all tag sequences, its gradient, and its best sequence by trying all."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from seqloom.errors import SettingError
from seqloom.nn import CRF


def drawn(tags: int, batch: int, time: int, seed: int = 0) -> tuple[CRF, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    crf = CRF(tags).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_(0.0, 1.5, generator=generator)
    emissions = torch.randn(batch, time, tags, generator=generator, dtype=torch.float64) * 2
    return crf, emissions, torch.randint(tags, (batch, time), generator=generator)


def score(crf: CRF, emissions: Tensor, path: tuple[int, ...]) -> Tensor:
    """The exponent of one row's path, term by term."""
    total = crf.start[path[0]] + crf.end[path[-1]]
    for step, tag in enumerate(path):
        total = total + emissions[step, tag]
    for before, after in itertools.pairwise(path):
        total = total + crf.transitions[before, after]
    return total


@pytest.mark.parametrize(("tags", "time"), [(1, 1), (3, 1), (2, 5), (4, 4)])
def test_loss_is_minus_log_of_the_share_of_all_paths(tags: int, time: int) -> None:
    crf, emissions, wanted = drawn(tags, 3, time)
    losses = crf.loss(emissions, wanted)
    for row in range(3):
        paths = list(itertools.product(range(tags), repeat=time))
        every = torch.stack([score(crf, emissions[row], path) for path in paths])
        own = score(crf, emissions[row], tuple(wanted[row].tolist()))
        assert losses[row].item() == pytest.approx((torch.logsumexp(every, 0) - own).item())


def test_best_path_is_the_best_of_all() -> None:
    crf, emissions, _ = drawn(3, 6, 5, seed=2)
    found = crf.decode(emissions)
    for row in range(6):
        paths = itertools.product(range(3), repeat=5)
        best = max(paths, key=lambda path: score(crf, emissions[row], path).item())
        assert tuple(found[row].tolist()) == best


def test_mask_is_truncation() -> None:
    crf, emissions, wanted = drawn(4, 3, 6, seed=3)
    lengths = torch.tensor([6, 1, 4])
    mask = torch.arange(6) < lengths[:, None]
    spoiled = torch.where(mask[:, :, None], emissions, torch.nan)
    losses, found = crf.loss(torch.where(mask[:, :, None], emissions, 1e6), torch.where(mask, wanted, -1), mask), None
    found = crf.decode(torch.where(mask[:, :, None], emissions, -1e6), mask)
    for row, length in enumerate(lengths.tolist()):
        alone = emissions[row : row + 1, :length]
        assert losses[row].item() == pytest.approx(crf.loss(alone, wanted[row : row + 1, :length]).item())
        assert torch.equal(found[row, :length], crf.decode(alone)[0])
        assert found[row, length:].sum() == 0
    assert spoiled.isnan().any()  # the rows do differ in length


def test_gradient_and_zero_start() -> None:
    crf, emissions, wanted = drawn(3, 2, 4, seed=5)
    parameters = [emissions.requires_grad_(), *crf.parameters()]
    assert torch.autograd.gradcheck(lambda *_: crf.loss(emissions, wanted), parameters)
    plain = CRF(3).double()
    softmax = torch.nn.functional.cross_entropy(emissions.flatten(0, 1), wanted.flatten(), reduction="none")
    torch.testing.assert_close(plain.loss(emissions, wanted), softmax.reshape(2, 4).sum(1))


def test_large_scores_stay_finite() -> None:
    crf, emissions, wanted = drawn(5, 2, 30, seed=6)
    losses = crf.float().loss(emissions.float() * 300, wanted)
    assert torch.isfinite(losses).all()
    assert (losses >= -1e-2).all()
    assert math.isfinite(losses.sum().item())


@pytest.mark.parametrize("tags", [0, -1, 1.5, True])
def test_bad_number_of_tags(tags: object) -> None:
    with pytest.raises(SettingError, match="tags"):
        CRF(tags)  # type: ignore[arg-type]


def test_bad_shapes_and_masks() -> None:
    crf, emissions, wanted = drawn(3, 2, 4)
    with pytest.raises(SettingError, match="emissions"):
        crf.loss(emissions[:, :, :2], wanted)
    with pytest.raises(SettingError, match="emissions"):
        crf.loss(emissions[:, :0], wanted[:, :0])
    with pytest.raises(SettingError, match="tags"):
        crf.loss(emissions, wanted[:, :2])
    for bad in ([[True, False, True, True]] * 2, [[False] * 4] * 2, [[1, 1, 1, 1]] * 2, [[True] * 3] * 2):
        with pytest.raises(SettingError, match="mask"):
            crf.decode(emissions, torch.tensor(bad))
