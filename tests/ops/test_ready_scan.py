"""The short way of a call without gradient: the bits of the long way, and nothing that changed is missed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seqloom import nn
from seqloom.errors import BackendError, SettingError
from seqloom.ops import ready_scan
from seqloom.ops.cell import Weights
from seqloom.ops.scan import scan
from seqloom_runtime import native

pytestmark = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")

MAKE = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def ready(kind: str, batch: int = 1, units: int = 20):
    """Cell, x, state and weights of a call that the short way knows; the weights differ from each other."""
    generator = torch.Generator().manual_seed(3)
    layer = MAKE[kind](5, units, seed=1)
    cell = layer.cell
    weights = Weights(**{n: torch.randn(w.shape, generator=generator) for n, w in layer.cells[0].weights().items()})
    x = torch.randn(batch, 7, 5, generator=generator)
    h, c = torch.randn(2, batch, units, generator=generator)
    state = (h, c) if cell.pair else h
    with torch.no_grad():
        scan(cell, x, state, weights)
    assert weights in ready_scan._READY
    return cell, x, state, weights


def flat(result) -> list[torch.Tensor]:
    """The output and every final state."""
    y, last = result
    return [y, *(last if isinstance(last, tuple) else (last,))]


@pytest.mark.parametrize("batch", [1, 3, 8, 9])
@pytest.mark.parametrize("kind", MAKE)
def test_the_bits_of_the_long_way(kind, batch):
    """Forwards and backwards, all steps and the last alone; results share no memory."""
    cell, x, state, weights = ready(kind, batch)
    for reverse in (False, True):
        for last_only in (False, True):
            keywords: dict[str, Any] = {"reverse": reverse, "last_only": last_only}
            expected = flat(scan(cell, x, state, weights, **keywords))
            with torch.no_grad():
                assert ready_scan.run(cell, x, state, weights, reverse, last_only) is not None
                found = flat(scan(cell, x, state, weights, **keywords))
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
            assert len({t.data_ptr() for t in found}) == len(found)


@pytest.mark.parametrize("kind", MAKE)
def test_changes_are_seen(kind):
    """In place, and where other numbers, another order or another shape come in the weight's place."""
    cell, x, state, weights = ready(kind, units=20)
    changes = [
        lambda w: w.mul_(1.5),
        lambda w: setattr(w, "data", torch.randn(w.shape, generator=torch.Generator().manual_seed(8))),
        lambda w: setattr(w, "data", torch.randn(w.shape[::-1], generator=torch.Generator().manual_seed(9)).t()),
    ]
    before = scan(cell, x, state, weights)[0]
    for change in changes:
        with torch.no_grad():
            change(weights.w_h)
            found = scan(cell, x, state, weights)[0]
        assert torch.equal(found, scan(cell, x, state, weights)[0])
        assert not torch.equal(found, before)
        before = found


def test_what_is_unusual_goes_the_long_way():
    """With its own words where it is refused."""
    cell, x, state, weights = ready("gru")
    with torch.no_grad():
        for odd in (x.double(), x[:, :, :4], x[0]):
            assert ready_scan.run(cell, odd, state, weights, False, False) is None
            with pytest.raises(SettingError):
                scan(cell, odd, state, weights)
        strided = torch.randn(7, 1, 5).transpose(0, 1)[:, ::2]
        assert ready_scan.run(cell, strided, state, weights, False, False) is None
        assert torch.equal(scan(cell, strided, state, weights)[0], scan(cell, strided.contiguous(), state, weights)[0])
        negative = x._neg_view()
        assert ready_scan.run(cell, negative, state, weights, False, False) is None
        assert torch.equal(scan(cell, negative, state, weights)[0], scan(cell, -x, state, weights)[0])
        weights.w_h.untyped_storage().resize_(0)
        with pytest.raises(BackendError, match="lost its memory"):
            scan(cell, x, state, weights)


def test_a_module_and_its_parameters():
    """A layer's record is kept while its parameters are the same; an optimizer's step and new parameters are seen."""
    layer = nn.LSTM(5, 20, seed=2).eval()
    x = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        with torch.no_grad():
            found = layer(x)[0]
        assert torch.equal(found, layer(x)[0])
        layer(x)[0].sum().backward()
        torch.optim.SGD(layer.parameters(), 0.1).step()
    (cell,) = layer.cells
    cell.w_h = torch.nn.Parameter(torch.randn(20, 80, generator=torch.Generator().manual_seed(4)))
    with torch.no_grad():
        found = layer(x)[0]
    assert torch.equal(found, layer(x)[0])
