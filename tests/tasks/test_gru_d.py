"""GRU-D against its float64 twin, its gradients, masks and pieces; planted mistakes are found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from oracles.numpy_decay import gru_d
from seqloom.errors import SettingError
from seqloom.tasks.networks import BodySpec, DecayBody, build_body

COLUMNS, UNITS = 3, 5


def body() -> DecayBody:
    """A body whose weights are all random and unequal, its decays active."""
    made = build_body(BodySpec("gru-d", inputs=3 * COLUMNS, units=UNITS), seed=1)
    assert isinstance(made, DecayBody)
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(0.6 * torch.randn(weight.shape, generator=draw))
    return made


def steps(rows: int = 4, length: int = 7) -> torch.Tensor:
    draw = np.random.default_rng(3)
    value = draw.normal(size=(rows, length, COLUMNS))
    new = (draw.random(value.shape) < 0.5).astype(float)
    since = draw.gamma(1.0, 1.0, value.shape)
    return torch.from_numpy(np.concatenate([value, new, since], axis=2).astype(np.float32))


def twin(made: DecayBody, x: torch.Tensor, mask: torch.Tensor | None = None) -> np.ndarray:
    weights = {name: value.detach().numpy() for name, value in made.named_parameters()}
    return gru_d(weights, x.numpy(), None if mask is None else mask.numpy())


def error(made: DecayBody, x: torch.Tensor, mask: torch.Tensor | None = None) -> float:
    with torch.no_grad():
        return float(np.abs(made.steps(x, mask).numpy() - twin(made, x, mask)).max())


def test_states_are_those_of_the_twin() -> None:
    assert error(body(), steps()) < 1e-6


def test_masked_steps_keep_the_state_and_nothing_of_them_is_read() -> None:
    made, x = body(), steps()
    mask = torch.ones(4, 7, dtype=torch.bool)
    mask[0, 5:], mask[1, 2], mask[2, :] = False, False, False
    assert error(made, x, mask) < 1e-6
    spoilt = x.clone()
    spoilt[~mask] = torch.nan
    assert torch.equal(made.steps(x, mask), made.steps(spoilt, mask))
    spoilt.requires_grad_(True)
    made.steps(spoilt, mask).sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in made.parameters())


def test_gradients_are_those_of_finite_differences() -> None:
    made = body().double()
    x = steps(2, 4).double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda given: made.steps(given), (x,), atol=1e-6)
    for weight in made.parameters():
        frozen = weight.detach().clone()

        def run(given: torch.Tensor, weight: torch.nn.Parameter = weight) -> torch.Tensor:
            name = next(name for name, own in made.named_parameters() if own is weight)
            return torch.func.functional_call(made, {name: given}, (x.detach(),))[0]

        assert torch.autograd.gradcheck(run, (frozen.requires_grad_(True),), atol=1e-6)


def test_pieces_are_the_whole() -> None:
    made, x = body(), steps()
    first, state = made.carry(x[:, :3])
    second, _ = made.carry(x[:, 3:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), made.steps(x), atol=1e-6)
    assert torch.equal(made.initial_state(2), torch.zeros(2, UNITS))


def test_weights_come_from_the_seed_and_can_be_counted_without_memory() -> None:
    spec = BodySpec("gru-d", inputs=6, units=4)
    one, two, other = (build_body(spec, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    with torch.device("meta"):
        assert sum(weight.numel() for weight in build_body(spec, 0).parameters()) == 2 + 2 + (8 + 4) + 60 + 48
    with pytest.raises(SettingError, match=r"inputs: gru-d reads three numbers for each column, got 7"):
        build_body(BodySpec("gru-d", inputs=7), 0)


@pytest.mark.parametrize(
    "plant",
    [
        lambda made: made.gates.copy_(made.gates.flip(0)),
        lambda made: made.input_rate.neg_(),
        lambda made: made.state_rate.bias.add_(0.1),
        lambda made: made.candidate.copy_(made.candidate.T.clone()),
    ],
)
def test_a_planted_mistake_is_found(plant: Callable[[DecayBody], object]) -> None:
    made, x = body(), steps()
    right = twin(made, x)
    with torch.no_grad():
        plant(made)
        assert float(np.abs(made.steps(x).numpy() - right).max()) > 1e-3
