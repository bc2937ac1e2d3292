"""Activations against the NumPy twin's formulas, their slopes against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oracles.numpy_recurrent import FUNCTIONS
from seqloom.errors import SettingError
from seqloom.ops.activations import ACTIVATIONS, activation_function, check_activation, slope_from_value

POINTS = np.concatenate([np.linspace(-9.03, 9.01, 201), [-1e-6, 1e-6, -700.0, 700.0]])


def test_same_names():
    assert set(ACTIVATIONS) == set(FUNCTIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values(name):
    with np.errstate(over="ignore"):
        expected = FUNCTIONS[name](POINTS)
    found = activation_function(name)(torch.from_numpy(POINTS)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slope_from_value(name):
    a = torch.from_numpy(POINTS[:-2]).requires_grad_()
    y = activation_function(name)(a)
    (expected,) = torch.autograd.grad(y.sum(), a)
    torch.testing.assert_close(slope_from_value(name)(y.detach()), expected, rtol=1e-9, atol=1e-9)


def test_prelu_and_callables():
    a = torch.tensor([[-2.0, -3.0], [4.0, 5.0]])
    assert activation_function("prelu", torch.tensor([0.5, 2.0]))(a).tolist() == [[-1.0, -6.0], [4.0, 5.0]]
    assert activation_function(torch.sin)(a).equal(a.sin())
    with pytest.raises(SettingError, match=r"needs weights\.slope"):
        activation_function("prelu")


def test_unknown_names():
    with pytest.raises(SettingError, match="Did you mean 'softsign'"):
        check_activation("softsing", "activation")
    with pytest.raises(SettingError, match="activation must be"):
        check_activation("prelu", "activation")
    check_activation("prelu", "activation", learned=True)
