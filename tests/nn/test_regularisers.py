"""Weight penalties against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, Jordan, WeightPenalty, weight_groups

STRENGTHS = {
    "l1_input": 0.1,
    "l2_input": 0.2,
    "l1_recurrent": 0.3,
    "l2_recurrent": 0.5,
    "l1_bias": 0.7,
    "l2_bias": 1.1,
}


def shuffled(module: nn.Module) -> nn.Module:
    """Random unequal values in every parameter."""
    source = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(generator=source)
    return module


def by_hand(module: nn.Module, groups: dict[str, list[str]]) -> float:
    values = {name: p.detach().double().numpy() for name, p in module.named_parameters()}
    total = 0.0
    for group, names in groups.items():
        for name in names:
            total += STRENGTHS[f"l1_{group}"] * np.abs(values[name]).sum()
            total += STRENGTHS[f"l2_{group}"] * (values[name] ** 2).sum()
    return total


def test_sum_by_hand():
    module = shuffled(LSTM(2, 3, peephole=True, projection_size=2, layer_norm=True, recurrent_bias=True))
    groups = {
        "input": ["cells.0.w_x"],
        "recurrent": ["cells.0.w_h", "cells.0.peephole", "cells.0.w_p"],
        "bias": ["cells.0.bias", "cells.0.bias_h"],
    }
    assert float(WeightPenalty(**STRENGTHS)(module).detach()) == pytest.approx(by_hand(module, groups), rel=1e-5)


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_alone(name):
    module = shuffled(Jordan(2, 3, 2, bidirectional=True))
    groups = {"input": ["w_x"], "recurrent": ["w_h", "w_out"], "bias": ["bias", "bias_out"]}
    group = name.split("_")[1]
    names = [f"cells.{k}.{n}" for k in range(2) for n in groups[group]]
    values = [p.detach() for n, p in module.named_parameters() if n in names]
    assert len(values) == len(names)
    expected = sum((v.abs() if name.startswith("l1") else v.square()).sum() for v in values)
    torch.testing.assert_close(WeightPenalty(**{name: 0.25})(module).detach(), 0.25 * torch.as_tensor(expected))


def test_torch_layers_and_heads():
    model = shuffled(nn.Sequential(nn.LSTM(2, 3, proj_size=2), nn.Linear(2, 1)))
    groups = {
        "input": ["0.weight_ih_l0"],
        "recurrent": ["0.weight_hh_l0", "0.weight_hr_l0"],
        "bias": ["0.bias_ih_l0", "0.bias_hh_l0"],
    }
    assert float(WeightPenalty(**STRENGTHS)(model).detach()) == pytest.approx(by_hand(model, groups), rel=1e-5)


def test_shared_layer_counts_once():
    layer = GRU(2, 2)
    assert len(weight_groups(nn.ModuleList([layer, nn.Sequential(layer)]))["input"]) == 1


def test_gradient():
    module = GRU(2, 3)
    penalty = WeightPenalty(l2_input=0.5)
    penalty(module).backward()
    w = module.get_parameter("cells.0.w_x")
    torch.testing.assert_close(w.grad, w.detach())
    assert module.get_parameter("cells.0.w_h").grad is None


def test_refused():
    with pytest.raises(SettingError, match="l1_bias must be 0 or above, not -1"):
        WeightPenalty(l1_bias=-1)
    with pytest.raises(SettingError, match="Linear holds no recurrent layer"):
        WeightPenalty(l1_bias=1)(nn.Linear(1, 1))
