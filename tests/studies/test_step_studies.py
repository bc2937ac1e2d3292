"""Updates at every step against accumulated, and dropout per step against per sequence: what the studies rest on."""

from __future__ import annotations

import numpy as np
import torch

from seqloom.nn import GRU, RNN
from seqloom.studies.networks import Reader
from seqloom.studies.step_dropout import EveryStep
from seqloom.studies.step_updates import Prefixes, echo, summed_loss


def trained(every: bool, rate: float) -> np.ndarray:
    """How the weights of a small network have moved after one pass of plain SGD."""
    network = Reader(RNN(1, 4, seed=3), 4, 1, seed=4, last=False)
    start = torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    torch.manual_seed(0)
    for batch in Prefixes(echo(40, 6, seed=1), every=every):
        optimizer.zero_grad()
        summed_loss(network, batch).backward()
        optimizer.step()
    end = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    return (end - start).numpy().astype(np.float64)


def test_both_forms_agree_for_step_sizes_towards_0() -> None:
    apart = []
    for rate in (1e-2, 1e-3, 1e-4):
        accumulated, every = trained(False, rate), trained(True, rate)
        apart.append(float(np.linalg.norm(every - accumulated) / np.linalg.norm(accumulated)))
    assert apart[1] < apart[0] / 5  # to first order in the step size
    assert apart[2] < 0.01


def test_the_losses_of_the_prefixes_add_up_to_that_of_the_sequence() -> None:
    data = echo(20, 5, seed=2)
    network = Reader(RNN(1, 4, seed=3), 4, 1, seed=4, last=False)
    torch.manual_seed(1)
    parts = list(Prefixes(data, every=True))
    assert [batch[0].shape[1] for batch in parts] == [1, 2, 3, 4, 5]
    torch.manual_seed(1)
    (whole,) = Prefixes(data, every=False)
    total = sum(float(summed_loss(network, batch).detach()) for batch in parts)
    np.testing.assert_allclose(total, float(summed_loss(network, whole).detach()), rtol=1e-5)


def test_masks_are_new_at_every_step_or_the_same_all_along() -> None:
    """One input, then zeros, and an identity W_h: a unit that is dropped once is gone, so products of masks show."""
    for every, expected in ((False, [1.0, 0.5, 0.5, 0.5]), (True, [1.0, 0.5, 0.25, 0.125])):
        body = RNN(1, 400, activation="identity", recurrent_init="identity", recurrent_dropout=0.5, bias=False, seed=5)
        layer = (EveryStep(body) if every else body).train()
        x = torch.zeros(1, 4, 1)
        x[0, 0] = 1.0
        with torch.no_grad():
            found = layer(x)
        y = found if isinstance(found, torch.Tensor) else found[0]
        np.testing.assert_allclose((y[0] != 0).double().mean(dim=1).tolist(), expected, atol=0.08)


def test_without_dropout_one_step_at_a_time_is_the_layer_itself() -> None:
    body = GRU(2, 5, recurrent_dropout=0.5, seed=1).eval()
    x = torch.randn(3, 6, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(EveryStep(body).eval()(x), body(x)[0])
