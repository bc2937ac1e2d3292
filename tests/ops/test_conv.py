"""`causal_conv`, `conv1d`: readable engines against the NumPy twin and torch.nn, second derivatives, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from oracles.numpy_conv import ConvTwin
from seqloom.errors import BackendError, SettingError
from seqloom.ops import causal_conv, conv1d
from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.cell import StepRandom
from seqloom.ops.conv import explain
from seqloom.ops.conv_reference import dropout_mask

RANDOM = StepRandom(3, 5, 2)


def case(seed: int) -> tuple[dict[str, Any], dict[str, Any], np.ndarray]:
    """Arrays and settings of a random small call, and weights of its outputs."""
    rng = np.random.default_rng([seed, 5])
    batch, steps, inputs, outputs, taps, dilation = (int(n) for n in rng.integers(1, [4, 9, 5, 5, 5, 5]))
    arrays = {
        "x": rng.standard_normal((batch, steps, inputs)),
        "weight": rng.standard_normal((outputs, inputs, taps)),
        "bias": rng.standard_normal(outputs) if rng.random() < 0.7 else None,
        "residual": rng.standard_normal((batch, steps, outputs)) if rng.random() < 0.5 else None,
        "context": rng.standard_normal((batch, (taps - 1) * dilation, inputs)) if rng.random() < 0.5 else None,
    }
    names = list(ACTIVATIONS)
    settings = {
        "dilation": dilation,
        "activation": names[seed % len(names)],
        "final_activation": str(rng.choice(names)),
        "dropout": float(rng.choice([0.0, 0.3, 0.6])),
    }
    return arrays, settings, rng.standard_normal((batch, steps, outputs))


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("seed", range(40))
def test_against_the_numpy_twin(seed, backend):
    arrays, settings, weights = case(seed)
    given = {name: a for name, a in arrays.items() if a is not None}
    leaves = {name: torch.from_numpy(a).requires_grad_() for name, a in given.items()}
    y = causal_conv(**leaves, **settings, rng=RANDOM, training=True, backend=backend)
    dropout = settings.pop("dropout")
    mask = dropout_mask(RANDOM, tuple(y.shape), dropout) if dropout else None  # pyright: ignore[reportArgumentType]
    twin = ConvTwin(**given, **settings, mask=mask)
    np.testing.assert_allclose(y.detach().numpy(), twin.forward(), rtol=1e-12, atol=1e-12)
    found = torch.autograd.grad(y, list(leaves.values()), torch.from_numpy(weights), allow_unused=True)
    expected = twin.gradients(weights)
    for (name, leaf), g in zip(leaves.items(), found, strict=True):
        g = torch.zeros_like(leaf) if g is None else g
        np.testing.assert_allclose(g.numpy(), expected[name], rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_as_torch_pads_and_cuts(backend):
    """What published TCNs do: Conv1d with padding on both sides, the surplus cut off."""
    rng = torch.Generator().manual_seed(1)
    layer = torch.nn.Conv1d(3, 4, 5, padding=12, dilation=3)
    x = torch.randn(2, 20, 3, generator=rng)
    expected = torch.relu(layer(x.transpose(1, 2))[:, :, :-12]).transpose(1, 2)
    found = causal_conv(x, layer.weight, layer.bias, dilation=3, activation="relu", backend=backend)
    torch.testing.assert_close(found, expected)


def test_second_derivatives():
    rng = torch.Generator().manual_seed(2)
    x, weight, bias, context = (
        torch.randn(*shape, dtype=torch.float64, generator=rng, requires_grad=True)
        for shape in ((2, 5, 3), (2, 3, 3), (2,), (2, 4, 3))
    )

    def call(x: Any, weight: Any, bias: Any, context: Any) -> torch.Tensor:
        return causal_conv(x, weight, bias, dilation=2, activation="tanh", context=context, backend="reference")

    assert torch.autograd.gradgradcheck(call, (x, weight, bias, context))


@pytest.mark.parametrize("backend", ["reference", "torch", "auto"])
@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3), (0, 0, 3)])
def test_empty_batch_or_time(shape, backend):
    x, weight, bias = torch.zeros(shape), torch.ones(2, 3, 4, requires_grad=True), torch.ones(2, requires_grad=True)
    y = causal_conv(x, weight, bias, dilation=2, backend=backend)
    assert y.shape == (*shape[:2], 2)
    y.sum().backward()
    assert weight.grad is not None
    assert not weight.grad.any()


def test_a_dropout_of_one_call_is_one_draw():
    x, weight = torch.randn(3, 7, 2), torch.randn(5, 2, 1)
    whole = causal_conv(x, weight, dropout=0.5, training=True, rng=RANDOM)
    part = causal_conv(x[:2, :4], weight, dropout=0.5, training=True, rng=RANDOM)
    assert 0.2 < (whole == 0).double().mean() < 0.8
    torch.testing.assert_close(part, whole[:2, :4])
    torch.testing.assert_close(causal_conv(x, weight, dropout=0.5), causal_conv(x, weight))
    other = causal_conv(x, weight, dropout=0.5, training=True, rng=StepRandom(3, 6, 2))
    assert not torch.equal(other, whole)


@pytest.mark.parametrize("padding", ["valid", "same", "full", "causal"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("steps", "taps", "dilation"), [(11, 3, 1), (12, 4, 2), (9, 1, 1), (13, 2, 5)])
def test_ordinary_paddings(padding, stride, steps, taps, dilation):
    """Against the sum written out over the padded sequence."""
    rng = np.random.default_rng(4)
    x, weight, bias = rng.standard_normal((2, steps, 3)), rng.standard_normal((4, 3, taps)), rng.standard_normal(4)
    span = (taps - 1) * dilation
    out = -(-steps // stride)
    surplus = max((out - 1) * stride + span + 1 - steps, 0)
    before, after = {
        "valid": (0, 0),
        "same": (surplus // 2, surplus - surplus // 2),
        "full": (span, span),
        "causal": (span, 0),
    }[padding]
    wide = np.concatenate([np.zeros((2, before, 3)), x, np.zeros((2, after, 3))], axis=1)
    starts = range(0, wide.shape[1] - span, stride)
    expected = np.stack(
        [bias + sum(wide[:, t + k * dilation] @ weight[:, :, k].T for k in range(taps)) for t in starts], axis=1
    )
    found = conv1d(*(torch.from_numpy(a) for a in (x, weight, bias)), padding=padding, stride=stride, dilation=dilation)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
    if padding == "same" and stride == 1 and span % 2 == 0:
        theirs = functional.conv1d(
            torch.from_numpy(x).transpose(1, 2), torch.from_numpy(weight), torch.from_numpy(bias), padding="same",
            dilation=dilation,
        )  # fmt: skip
        torch.testing.assert_close(found, theirs.transpose(1, 2))


@pytest.mark.parametrize("padding", ["same", "full", "causal"])
def test_ordinary_paddings_of_nothing(padding):
    for stride in (1, 2):
        assert conv1d(torch.zeros(2, 0, 3), torch.ones(4, 3, 3), padding=padding, stride=stride).shape == (2, 0, 4)
        assert conv1d(torch.zeros(0, 6, 3), torch.ones(4, 3, 3), padding="same", stride=stride).shape == (
            0, 6 // stride, 4,
        )  # fmt: skip


X, W = torch.zeros(2, 6, 3), torch.zeros(4, 3, 2)
BAD: list[tuple[dict[str, Any], str]] = [
    ({"x": torch.zeros(2, 3, 6)}, r"not 6. x seems to be channel-first .* pass x.transpose\(1, 2\)"),
    ({"x": torch.zeros(2, 5, 6)}, "Groups are not supported"),
    ({"x": torch.zeros(2, 5, 4)}, r"= \(2, 5, 4\), but weight takes 3 channels, not 4.$"),
    ({"x": torch.zeros(6, 3)}, r"\(batch, time, channels\), not \(6, 3\)"),
    ({"x": [[1.0]]}, "not list"),
    ({"x": X.half()}, "float32 or float64"),
    ({"x": X.to_sparse()}, "dense"),
    ({"weight": torch.zeros(0, 3, 2)}, "all 1 or more"),
    ({"weight": torch.zeros(4, 0, 2)}, "all 1 or more"),
    ({"weight": torch.zeros(4, 3, 0)}, "all 1 or more"),
    ({"weight": torch.zeros(4, 3)}, r"\(channels out, channels in, kernel size\)"),
    ({"weight": W.double()}, "float32 like x"),
    ({"bias": torch.zeros(3)}, r"\(channels out\) = \(4\), not \(3\)"),
    ({"residual": torch.zeros(2, 6, 3)}, r"= \(2, 6, 4\), not \(2, 6, 3\)"),
    ({"context": torch.zeros(2, 2, 3)}, r"= \(2, 1, 3\), not \(2, 2, 3\)"),
    ({"dilation": 0}, "dilation must be a whole number, 1 or more"),
    ({"dilation": 1.5}, "dilation must be a whole number"),
    ({"dilation": True}, "dilation must be a whole number"),
    ({"dilation": 2**31 - 1, "weight": torch.zeros(4, 3, 3)}, "below 2\\^31"),
    ({"activation": "rellu"}, "Did you mean 'relu'"),
    ({"final_activation": "prelu"}, "final_activation must be"),
    ({"dropout": 1.0}, "below 1"),
    ({"dropout": 0.5, "training": True}, "rng=StepRandom"),
    ({"backend": "fast"}, "backend must be one of"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input(change, message):
    with pytest.raises(SettingError, match=message):
        causal_conv(**{"x": X, "weight": W, **change})


def test_bad_input_of_conv1d():
    for change, message in [
        ({"padding": "sam"}, "Did you mean 'same'"),
        ({"stride": 0}, "stride must be a whole number"),
        ({"weight": torch.zeros(4, 3, 4), "dilation": 2}, "spans 7 rows .* doesn't fit into the 6 rows"),
    ]:
        with pytest.raises(SettingError, match=message):
            conv1d(**{"x": X, "weight": W, **change})
    with pytest.raises(BackendError, match="stride 1 only"):
        conv1d(X, W, stride=2, backend="native")


def test_a_kernel_longer_than_the_sequence():
    x = torch.randn(2, 3, 2)
    weight = torch.randn(4, 2, 9)
    for backend in ("reference", "torch"):
        found = causal_conv(x, weight, dilation=10**8, backend=backend)
        torch.testing.assert_close(found, x @ weight[:, :, -1].T)
        found = causal_conv(x, weight, backend=backend)
        torch.testing.assert_close(found[:, 1], x[:, 0] @ weight[:, :, -2].T + x[:, 1] @ weight[:, :, -1].T)


def test_explain():
    assert "reference engine" in explain(X, W, backend="reference")
    assert explain(X.double(), W.double()).startswith("causal_conv runs on the torch engine; not native: ")
