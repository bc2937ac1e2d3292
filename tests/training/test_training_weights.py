"""Weights by name: ties, buffers, and refusals that copy nothing."""

from __future__ import annotations

import pytest
import torch
from small_runs import SmallNet, weight_bits
from torch import nn

from seqloom.errors import FormatError
from seqloom.training.weights import BestWeights, load_weights, unique_weights


class Tied(nn.Module):
    """An output layer that shares its matrix with the embedding, and a table that state_dict leaves out."""

    def __init__(self, *, tied: bool = True):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.output = nn.Linear(3, 5, bias=False)
        if tied:
            self.output.weight = self.embedding.weight
        self.register_buffer("table", torch.arange(4.0), persistent=False)


def test_tied_weights_are_listed_once() -> None:
    tensors, aliases = unique_weights(Tied())
    assert sorted(tensors) == ["embedding.weight", "table"]
    assert aliases == {"output.weight": "embedding.weight"}
    assert unique_weights(Tied(tied=False))[1] == {}


def test_a_tie_through_shared_memory_is_found_too() -> None:
    module = Tied(tied=False)
    module.output.weight.data = module.embedding.weight.data
    assert unique_weights(module)[1] == {"output.weight": "embedding.weight"}


def test_loading_gives_back_every_bit_and_keeps_the_tie() -> None:
    source, target = Tied(), Tied()
    saved, aliases = unique_weights(source)
    load_weights(target, saved, aliases, "here")
    assert torch.equal(target.output.weight, source.embedding.weight)
    assert target.output.weight is target.embedding.weight


def test_what_does_not_fit_is_named_and_nothing_is_copied() -> None:
    module = SmallNet()
    before = weight_bits(module)
    saved, aliases = unique_weights(SmallNet(1))
    wrong_shape = {**saved, "second.weight": torch.zeros(2, 6)}
    wrong_type = {**saved, "second.weight": saved["second.weight"].double()}
    missing = {name: tensor for name, tensor in saved.items() if name != "second.bias"}
    cases = [
        (wrong_shape, aliases, r"expected 'second.weight' of shape \(1, 6\) .* found \(2, 6\)"),
        (wrong_type, aliases, r"'second.weight' .*float32, found \(1, 6\) and torch.float64"),
        (missing, aliases, r"file: the module has 'second.bias', which the checkpoint doesn't hold"),
        ({**saved, "third": torch.zeros(1)}, aliases, r"the module lacks 'third', which the checkpoint holds"),
        (saved, {"a": "first.weight"}, r"'a' is tied"),
    ]
    for tensors, ties, words in cases:
        with pytest.raises(FormatError, match=words):
            load_weights(module, tensors, ties, "file")
        assert weight_bits(module) == before


def test_best_weights_are_a_copy() -> None:
    module = SmallNet()
    best = BestWeights(module)
    best.keep()
    before = weight_bits(module)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.add_(1)
    assert weight_bits(module) != before
    best.restore()
    assert weight_bits(module) == before
