"""`CausalConv1d`, `Conv1d`: textbook numbers, arithmetic, masks, chunks, weight norm and its layouts, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from seqloom.errors import SettingError
from seqloom.nn import (
    GRU,
    CausalConv1d,
    Conv1d,
    Embedding,
    GlobalMax,
    MaxPool,
    WeightPenalty,
    output_length,
    weight_groups,
)


def normal(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def shuffled(module: Any, seed: int = 2) -> Any:
    """In double precision, with random unequal weights."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.double().parameters():
            p.copy_(torch.randn(p.shape, generator=source))
    return module


def row(*values: float) -> Tensor:
    return torch.tensor(values).reshape(1, -1, 1)


def with_kernel(layer: Any, *taps: float) -> Any:
    layer.load_state_dict({"weight": torch.tensor(taps).reshape(1, 1, -1)})
    return layer


def test_causal_convolution_by_hand():
    """B1: 10, 20, 30 with the kernel 1, 2: zeros stand before the first step."""
    y = with_kernel(CausalConv1d(1, 1, 2, bias=False), 1.0, 2.0)(row(10.0, 20.0, 30.0))
    assert y.flatten().tolist() == [20.0, 50.0, 80.0]


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("valid", [50.0, 80.0]),
        ("same", [50.0, 80.0, 30.0]),
        ("full", [20.0, 50.0, 80.0, 30.0]),
        ("causal", [20.0, 50.0, 80.0]),
    ],
)
def test_paddings_by_hand(padding, expected):
    layer = with_kernel(Conv1d(1, 1, 2, padding=padding, bias=False), 1.0, 2.0)
    assert layer(row(10.0, 20.0, 30.0)).flatten().tolist() == expected


@pytest.mark.parametrize("padding", ["valid", "same", "full", "causal"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 1), (3, 2), (2, 5), (4, 3)])
def test_output_sizes(padding, stride, taps, dilation):
    """B3, with the textbook's formulas."""
    span = (taps - 1) * dilation + 1
    layer = Conv1d(2, 3, taps, padding=padding, stride=stride, dilation=dilation)
    assert layer.span == span
    for steps in range(1, 25):
        ends = {"valid": 0, "full": 2 * (span - 1), "causal": span - 1, "same": span - 1}[padding]
        count = max((steps + ends - span) // stride + 1, 0) if padding != "same" else -(-steps // stride)
        assert output_length(layer, steps) == count
        if count:
            assert layer(torch.zeros(1, steps, 2)).shape == (1, count, 3)


def test_convolution_arithmetic():
    """B3: three taps with dilation 2 span five; a 7-tap kernel's sight from three of three costs 9 weights, not 7."""
    assert Conv1d(1, 1, 3, dilation=2).span == 5
    three = nn.Sequential(*(Conv1d(1, 1, 3, bias=False) for _ in range(3)))
    assert output_length(three, 20) == output_length(Conv1d(1, 1, 7), 20)
    assert sum(p.numel() for p in three.parameters()) == 9


@pytest.mark.parametrize("activation", ["identity", "tanh", torch.sin])
@pytest.mark.parametrize("dilation", [1, 3])
def test_causal_against_torch(activation, dilation):
    layer = shuffled(CausalConv1d(3, 4, 3, dilation=dilation, activation=activation))
    twin = nn.Conv1d(3, 4, 3, dilation=dilation).double()
    twin.load_state_dict(layer.state_dict())
    x, weights = normal(2, 9, 3).requires_grad_(), normal(2, 9, 4, seed=5)
    a = twin(functional.pad(x.transpose(1, 2), (2 * dilation, 0))).transpose(1, 2)
    expected = {"identity": a, "tanh": a.tanh()}.get(activation, a.sin()) if isinstance(activation, str) else a.sin()
    found = layer(x)
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad((found * weights).sum(), [x, *layer.parameters()])
    theirs = torch.autograd.grad((expected * weights).sum(), [x, *twin.parameters()])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(0, 9), st.lists(st.integers(0, 5), max_size=4), st.integers(0, 99)
)
def test_chunks_are_the_whole(taps, dilation, steps, cuts, seed):
    """Any cutting of a sequence, empty chunks too, gives the outputs and the context of the whole."""
    layer = shuffled(CausalConv1d(2, 3, taps, dilation=dilation, activation="tanh"), seed)
    x = normal(2, steps, 2, seed=seed)
    places = sorted(min(cut, steps) for cut in cuts)
    context, parts = None, []
    for start, stop in zip([0, *places], [*places, steps]):
        y, context = layer.carry(x[:, start:stop], context)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=1), layer(x))
    expected = functional.pad(x, (0, 0, (taps - 1) * dilation, 0))[:, steps:]
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(layer(x, context=expected), layer.carry(x, expected)[0])


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 12), st.integers(0, 99))
def test_causality(taps, dilation, steps, seed):
    layer = shuffled(CausalConv1d(2, 3, taps, dilation=dilation), seed)
    x = normal(2, steps, 2, seed=seed)
    at = seed % steps
    changed = x.clone()
    changed[:, at + 1 :] += 1.0
    assert torch.equal(layer(x)[:, : at + 1], layer(changed)[:, : at + 1])


@pytest.mark.parametrize("padding", ["valid", "same", "full", "causal"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 1), (4, 2), (2, 5)])
def test_masks_equal_truncation(padding, stride, taps, dilation):
    if padding == "same" and stride > 1:
        layer = Conv1d(2, 3, taps, padding=padding, stride=stride)
        with pytest.raises(SettingError, match="pads each row by its own length"):
            layer.output_mask(torch.ones(1, 5, dtype=torch.bool))
        return
    layer = shuffled(Conv1d(2, 3, taps, padding=padding, stride=stride, dilation=dilation))
    lengths = [12, 8, 7, 3, 1]
    x = normal(5, 12, 2)
    mask = torch.arange(12) < torch.tensor(lengths)[:, None]
    x[~mask] = torch.nan
    y, kept = layer(x, mask), layer.output_mask(mask)
    assert kept.shape == y.shape[:2]
    for b, length in enumerate(lengths):
        alone = layer(x[b : b + 1, :length]) if output_length(layer, length) else torch.zeros(1, 0, 3).double()
        torch.testing.assert_close(y[b][kept[b]], alone[0])


@pytest.mark.parametrize("side", ["left", "right"])
def test_masks_of_causal_layers(side):
    layer = shuffled(CausalConv1d(2, 3, 3, dilation=2))
    x, mask = normal(2, 9, 2), torch.ones(2, 9, dtype=torch.bool)
    rows = slice(0, 4) if side == "left" else slice(5, 9)
    mask[1, rows] = False
    x[1, rows] = torch.nan
    y = layer(x, mask)
    torch.testing.assert_close(y[0], layer(x[:1])[0])
    torch.testing.assert_close(y[1][mask[1]], layer(x[1:, mask[1]])[0])


def test_weight_norm_against_torch():
    ours = shuffled(CausalConv1d(3, 4, 2, weight_norm=True))
    theirs: Any = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 2)).double()
    originals = theirs.parametrizations["weight"]
    with torch.no_grad():
        originals.original0.copy_(ours.weight_g)
        originals.original1.copy_(ours.weight_v)
        theirs.bias.copy_(ours.bias)
    torch.testing.assert_close(ours.kernel(), theirs.weight)
    x, weights = normal(2, 5, 3), normal(2, 5, 4, seed=4)
    expected = theirs(functional.pad(x.transpose(1, 2), (1, 0))).transpose(1, 2)
    torch.testing.assert_close(ours(x), expected)
    a = torch.autograd.grad((ours(x) * weights).sum(), [ours.weight_g, ours.weight_v, ours.bias])
    b = torch.autograd.grad((expected * weights).sum(), [originals.original0, originals.original1, theirs.bias])
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other)
    fresh = CausalConv1d(3, 4, 2, weight_norm=True)
    fresh.double().load_state_dict(theirs.state_dict())  # torch's newer layout
    torch.testing.assert_close(fresh.kernel(), ours.kernel())


@pytest.mark.parametrize("normed", [False, True])
def test_weights_of_one_layout_load_into_another(normed):
    source, target = shuffled(CausalConv1d(3, 4, 2, weight_norm=not normed)), CausalConv1d(3, 4, 2, weight_norm=normed)
    before = {name: t.clone() for name, t in source.state_dict().items()}
    target.double().load_state_dict(source.state_dict())
    torch.testing.assert_close(target.kernel(), source.kernel())
    assert before.keys() == source.state_dict().keys()
    with pytest.raises(RuntimeError, match="odd"):
        target.load_state_dict({**before, "odd": torch.zeros(1)})


def test_how_weights_start():
    torch.manual_seed(7)
    twin = nn.Conv1d(3, 4, 5)
    source = torch.Generator().manual_seed(7)
    for normed in (False, True):
        layer = CausalConv1d(3, 4, 5, init="torch", weight_norm=normed, seed=source.manual_seed(7))
        torch.testing.assert_close(layer.kernel(), twin.weight)
        torch.testing.assert_close(layer.bias, twin.bias)
    glorot = Conv1d(30, 40, 5).weight.detach()
    assert glorot.abs().max() <= (6 / (5 * 30 + 5 * 40)) ** 0.5
    assert float(glorot.std()) == pytest.approx((2 / (5 * 30 + 5 * 40)) ** 0.5, rel=0.02)
    assert torch.equal(Conv1d(3, 4, 5, seed=3).weight, Conv1d(3, 4, 5, seed=3).weight)
    assert not torch.equal(Conv1d(3, 4, 5, seed=3).weight, Conv1d(3, 4, 5, seed=4).weight)
    assert not Conv1d(3, 4, 5).bias.any()  # pyright: ignore[reportOptionalMemberAccess]


def test_dropout_is_the_layers_own():
    torch.manual_seed(0)
    layers = [CausalConv1d(2, 50, 1, dropout=0.4, seed=5) for _ in range(2)]
    x = normal(3, 40, 2, dtype=torch.float32)
    before = torch.get_rng_state()
    one, two = (layer(x) for layer in layers)
    assert torch.equal(one, two)
    assert not torch.equal(layers[0](x), one)  # the next call draws anew
    assert torch.equal(torch.get_rng_state(), before)
    assert float((one == 0).float().mean()) == pytest.approx(0.4, abs=0.02)
    plain = layers[0].eval()(x)
    torch.testing.assert_close(one[one != 0], plain[one != 0] / 0.6)


def test_weight_penalty_covers_kernels():
    plain, normed = shuffled(Conv1d(2, 3, 4)), shuffled(CausalConv1d(2, 3, 4, weight_norm=True))
    penalty = WeightPenalty(l1_input=0.5, l2_input=0.25, l2_bias=2.0, l1_recurrent=9.0)
    for layer in (plain, normed):
        w, b = layer.kernel().detach(), layer.bias.detach()
        expected = 0.5 * w.abs().sum() + 0.25 * w.square().sum() + 2.0 * b.square().sum()
        torch.testing.assert_close(penalty(nn.Sequential(layer, nn.ReLU())).detach(), expected)
    # Under weight norm Σw² is Σg², whatever v is.
    torch.testing.assert_close(WeightPenalty(l2_input=1.0)(normed).detach(), normed.weight_g.detach().square().sum())
    shared = nn.ModuleList([plain, nn.Sequential(plain)])
    assert len(weight_groups(shared)["input"]) == 1


def test_kernel_longer_than_the_sequence():
    assert CausalConv1d(2, 3, 9, dilation=4)(torch.zeros(1, 2, 2)).shape == (1, 2, 3)
    with pytest.raises(SettingError, match=r"spans 9 rows .* doesn't fit into the 5 rows of x"):
        Conv1d(2, 3, 3, dilation=4)(torch.zeros(1, 5, 2))


def test_empty_strided_and_nan_inputs():
    layer = shuffled(CausalConv1d(2, 3, 3))
    for shape in ((0, 5, 2), (2, 0, 2)):
        y = layer(torch.zeros(shape, dtype=torch.float64))
        assert y.shape == (*shape[:2], 3)
        y.sum().backward()
    for padding, outputs in (("same", 5), ("full", 7), ("causal", 5)):
        assert output_length(Conv1d(2, 3, 3, padding=padding), 0) == 0
        assert Conv1d(2, 3, 3, padding=padding)(torch.zeros(2, 0, 2)).shape == (2, 0, 3)
        assert Conv1d(2, 3, 3, padding=padding)(torch.zeros(0, 5, 2)).shape == (0, outputs, 3)
    x = normal(2, 12, 4)
    torch.testing.assert_close(layer(x[:, ::2, ::2]), layer(x[:, ::2, ::2].contiguous()))
    x = normal(1, 6, 2)
    x[0, 2, 1] = torch.nan
    assert torch.isnan(layer(x)).all(-1).flatten().tolist() == [False, False, True, True, True, False]


SIZES: Any = [0, -1, 1.5, True, None, "3"]


@pytest.mark.parametrize("value", SIZES)
@pytest.mark.parametrize("kind", [CausalConv1d, Conv1d])
def test_sizes_are_checked(kind, value):
    for place, name in enumerate(("in_channels", "out_channels", "kernel_size")):
        sizes: list[Any] = [2, 3, 4]
        sizes[place] = value
        with pytest.raises(SettingError, match=f"{name} must be a whole number, 1 or more, not"):
            kind(*sizes)
    with pytest.raises(SettingError, match="dilation must be a whole number, 1 or more"):
        kind(2, 3, 4, dilation=value)


def test_options_are_checked():
    with pytest.raises(SettingError, match="stride must be a whole number"):
        Conv1d(2, 3, 4, stride=0)
    with pytest.raises(SettingError, match="groups=2 is not possible: every output channel"):
        CausalConv1d(2, 4, 3, groups=2)
    with pytest.raises(SettingError, match="Did you mean 'causal'"):
        Conv1d(2, 3, 4, padding="casual")
    with pytest.raises(SettingError, match="activation must be a callable or one of"):
        CausalConv1d(2, 3, 4, activation="rellu")
    with pytest.raises(SettingError, match="init must be one of glorot, torch"):
        CausalConv1d(2, 3, 4, init="he")
    with pytest.raises(SettingError, match="backend must be one of"):
        CausalConv1d(2, 3, 4, backend="cuda")
    with pytest.raises(SettingError, match="backend must be one of auto, native, torch, reference, not 'fast'"):
        Conv1d(2, 3, 4, backend="fast")
    for dropout in (1.0, -0.1, float("nan"), True):
        with pytest.raises(SettingError, match="dropout is a probability"):
            CausalConv1d(2, 3, 4, dropout=dropout)
    seeds: Any = (None, 1.5, True)
    for seed in seeds:
        with pytest.raises(SettingError, match=r"seed must be an int or a torch\.Generator"):
            CausalConv1d(2, 3, 4, seed=seed)


@pytest.mark.parametrize("kind", [CausalConv1d, Conv1d])
def test_inputs_are_checked(kind):
    layer = kind(2, 3, 2)
    with pytest.raises(SettingError, match=r"looks like \(batch, channels, time\).*x.transpose\(1, 2\)"):
        layer(torch.zeros(5, 2, 9))
    for x in (torch.zeros(5, 9), torch.zeros(5, 9, 3), torch.zeros(1, 5, 9, 2), np.zeros((5, 9, 3))):
        with pytest.raises(SettingError, match=r"must have shape \(batch, time, 2 channels\), not"):
            layer(x)
    with pytest.raises(SettingError, match="x must be float32 or float64"):
        layer(torch.zeros(5, 9, 2, dtype=torch.int64))
    for mask in (torch.ones(5, 9), torch.ones(5, 8, dtype=torch.bool), [True]):
        with pytest.raises(SettingError, match=r"mask must be bool of shape \(batch, time\) = \(5, 9\)"):
            layer(torch.zeros(5, 9, 2), mask)


def test_contexts_are_checked():
    layer = CausalConv1d(2, 3, 3, dilation=2)
    with pytest.raises(SettingError, match=r"context must have shape .* = \(5, 4, 2\), not \(5, 3, 2\)"):
        layer(torch.zeros(5, 9, 2), context=torch.zeros(5, 3, 2))
    with pytest.raises(SettingError, match="an output of Conv1d reads inputs up to 2 steps later"):
        Conv1d(2, 3, 3).carry(torch.zeros(1, 5, 2))
    with pytest.raises(SettingError, match="one output for 2 inputs"):
        Conv1d(2, 3, 3, padding="causal", stride=2).carry(torch.zeros(1, 5, 2))


def test_published_networks():
    """B4: the convnet for texts. B5: convolutions feeding a GRU with one bias vector, and with two."""
    text = nn.Sequential(
        Embedding(10_000, 128), Conv1d(128, 32, 7), MaxPool(5), Conv1d(32, 32, 7), GlobalMax(), nn.Linear(32, 1)
    )
    assert sum(p.numel() for p in text.parameters()) == 1_315_937
    assert text(torch.zeros(2, 60, dtype=torch.int64)).shape == (2, 1)
    for biases, count in ((False, 13_697), (True, 13_793)):
        gru = GRU(32, 32, recurrent_bias=biases)
        parts = nn.ModuleList([Conv1d(14, 32, 5), MaxPool(3), Conv1d(32, 32, 5), gru, nn.Linear(32, 1)])
        assert sum(p.numel() for p in parts.parameters()) == count
