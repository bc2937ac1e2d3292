"""The embedding: look-up, gradient and row dropout against NumPy and masks by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from seqloom.errors import SettingError
from seqloom.nn import Embedding

IDS = torch.tensor([[3, 0, 5, 3], [1, 3, 0, 0]])


def test_rows_and_their_gradient_equal_numpy() -> None:
    embedding = Embedding(7, 4, seed=3)
    upstream = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(1))
    y = embedding(IDS)
    y.backward(upstream)
    table = embedding.weight.detach().numpy().astype(np.float64)
    assert not table[0].any()
    assert np.array_equal(y.detach().numpy(), table[IDS.numpy()].astype(np.float32))
    gradient = np.zeros((7, 4))
    np.add.at(gradient, IDS.numpy(), upstream.double().numpy())
    gradient[0] = 0.0
    assert embedding.weight.grad is not None
    assert np.allclose(embedding.weight.grad.numpy(), gradient, atol=1e-6)


def test_a_dropped_word_is_dropped_everywhere_and_the_rest_is_scaled() -> None:
    embedding = Embedding(400, 3, dropout=0.25, padding=None, seed=5)
    source = torch.Generator()
    source.set_state(embedding.generator.get_state())
    ids = torch.randint(0, 400, (6, 300), generator=torch.Generator().manual_seed(2))
    for _ in range(2):  # a new mask in every call
        kept = torch.empty(400).bernoulli_(0.75, generator=source)
        assert torch.allclose(embedding(ids), embedding.weight[ids] * (kept / 0.75)[ids][..., None])
    assert torch.equal(embedding.eval()(ids), embedding.weight[ids])


def test_the_mean_over_masks_is_the_row() -> None:
    embedding = Embedding(5, 2, dropout=0.4)
    draws = torch.stack([embedding(torch.arange(5)) for _ in range(4000)]).detach()
    spread = embedding.weight.detach().abs() * (0.4 / 0.6 / 4000) ** 0.5
    assert ((draws.mean(0) - embedding.weight.detach()).abs() <= 5 * spread).all()


def test_equal_seeds_give_equal_rows_and_masks() -> None:
    one, two, other = (Embedding(9, 4, dropout=0.5, seed=seed) for seed in (8, 8, 9))
    assert torch.equal(one(IDS), two(IDS))
    assert not torch.equal(one.weight, other.weight)


def test_pretrained_rows_are_copied_and_may_stay_as_they_are() -> None:
    rows = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    frozen = Embedding(5, 3, weights=rows, trainable=False)
    assert torch.equal(frozen.weight[1:], rows[1:])
    assert not frozen.weight.requires_grad
    assert rows[0].any()
    assert not frozen.weight[0].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": 0, "size": 3}, "words must be"),
        ({"words": 3, "size": 2.5}, "size must be"),
        ({"words": 3, "size": 2, "dropout": 1.0}, "dropout is a probability"),
        ({"words": 3, "size": 2, "padding": 3}, "padding must be a row"),
        ({"words": 3, "size": 2, "weights": torch.zeros(2, 3)}, r"weights must have shape \(words, size\) = \(3, 2\)"),
    ],
)
def test_what_it_refuses(arguments: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Embedding(**arguments)


def test_dropout_in_a_compiled_graph_draws_what_it_draws_without():
    plain, compiled = (Embedding(10, 4, dropout=0.4, seed=3) for _ in range(2))
    torch._dynamo.reset()
    run = torch.compile(compiled, fullgraph=True, backend="aot_eager")
    ids = torch.randint(1, 10, (3, 6), generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        assert torch.equal(run(ids), plain(ids))
    assert torch.equal(copy.deepcopy(compiled)(ids), plain(ids))
