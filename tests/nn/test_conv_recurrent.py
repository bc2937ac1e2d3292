"""ConvLSTM and ConvGRU against NumPy in float64 and in their gradients, first and second; frame encoders."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from seqloom import nn
from seqloom.errors import SettingError

KINDS: dict[str, Any] = {"lstm": nn.ConvLSTM, "gru": nn.ConvGRU}


def made(kind: str, inputs: int = 2, size: int = 3, **options: Any) -> Any:
    """A layer with random unequal weights, biases too."""
    layer = KINDS[kind](inputs, size, **options)
    draw = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.4)
    return layer


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def convolved(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x (Y, X, C) and weight (O, C, k, k) → (Y, X, O), pixel by pixel."""
    side = weight.shape[2] // 2
    around = np.pad(x, ((side, side), (side, side), (0, 0)))
    found = np.zeros((*x.shape[:2], len(weight)))
    for y in range(x.shape[0]):
        for column in range(x.shape[1]):
            part = around[y : y + 2 * side + 1, column : column + 2 * side + 1]
            found[y, column] = np.einsum("ocij,ijc->o", weight, part)
    return found


def by_hand(layer: Any, kind: str, x: np.ndarray, mask: np.ndarray, mistake: str = "") -> tuple[np.ndarray, Any]:
    """Outputs (T, Y, X, F) of one film and the last states of every layer."""
    ends = []
    for number in range(layer.num_layers):
        w_x, w_h, bias = (getattr(layer, part)[number].detach().double().numpy() for part in ("w_x", "w_h", "bias"))
        h = c = np.zeros((*x.shape[1:3], layer.hidden_size))
        outputs = []
        for frame, kept in zip(x, mask):
            a, u = convolved(frame, w_x) + bias, convolved(h, w_h)
            if kind == "lstm":
                i, f, g, o = np.split(a + u, 4, axis=2)
                if mistake == "swapped":
                    i, f = f, i
                new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                new_h = sigmoid(o) * np.tanh(new_c)
            else:
                (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=2), np.split(u, 3, axis=2)
                r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
                if mistake == "swapped":
                    r, z = z, r
                new_h, new_c = (1 - z) * np.tanh(a_n + r * u_n) + z * h, c
            if kept or mistake == "unmasked":
                h, c = new_h, new_c
            outputs.append(h)
        x = np.stack(outputs)
        ends.append((h, c))
    return x, ends


@pytest.mark.parametrize("kind", KINDS)
def test_the_layers_are_their_equations(kind: str) -> None:
    layer = made(kind, num_layers=2, kernel_size=3)
    x = torch.randn(2, 4, 5, 6, 2, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[True] * 4, [True, False, True, False]])
    y, state = layer(x, mask=mask)
    for row in range(2):
        ours, ends = by_hand(layer, kind, x[row].double().numpy(), mask[row].numpy())
        np.testing.assert_allclose(y[row].detach().numpy(), ours, atol=3e-6)
        for number, (h, c) in enumerate(ends):
            for part, end in zip(state if kind == "lstm" else (state,), (h, c)):
                np.testing.assert_allclose(part[number, row].detach().numpy(), end, atol=3e-6)
    for mistake in ("swapped", "unmasked"):
        wrong = by_hand(layer, kind, x[1].double().numpy(), mask[1].numpy(), mistake)[0]
        assert np.abs(y[1].detach().numpy() - wrong).max() > 1e-2, mistake


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_first_and_second(kind: str) -> None:
    layer = made(kind, 1, 2).double()
    x = torch.randn(1, 2, 3, 2, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    inputs = (x.requires_grad_(), layer.w_h[0])
    assert torch.autograd.gradcheck(lambda x, w: layer(x)[0], inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x, w: layer(x)[0], inputs, fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_in_two_parts_and_the_first_weights(kind: str) -> None:
    layer = KINDS[kind](1, 3, num_layers=2, seed=4)
    x = torch.randn(2, 5, 4, 4, 1, generator=torch.Generator().manual_seed(3))
    whole, end = layer(x)
    first, state = layer(x[:, :2])
    rest, last = layer(x[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)
    torch.testing.assert_close(last, end)
    assert layer(x[:, :0])[0].shape == (2, 0, 4, 4, 3)
    again, other = KINDS[kind](1, 3, num_layers=2, seed=4), KINDS[kind](1, 3, num_layers=2, seed=5)
    assert torch.equal(again.w_h[1], layer.w_h[1])
    assert not torch.equal(other.w_h[1], layer.w_h[1])
    assert layer.bias[0].tolist() == ([0.0] * 3 + [1.0] * 3 + [0.0] * 6 if kind == "lstm" else [0.0] * 9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: nn.ConvGRU(1, 2, kernel_size=4), "kernel_size must be odd"),
        (lambda: nn.ConvGRU(0, 2), "input_size must be a whole number, 1 or more"),
        (lambda: nn.ConvGRU(1, 2)(torch.zeros(1, 2, 3, 3, 2)), r"x: expected \(B, T, Y, X, 1\), got"),
        (lambda: nn.ConvGRU(1, 2)(torch.zeros(1, 2, 3, 3, 1), mask=torch.ones(1, 3)), r"mask: expected \(1, 2\)"),
        (lambda: nn.ConvLSTM(1, 2)(torch.zeros(1, 2, 3, 3, 1), torch.zeros(1, 1, 3, 3, 2)), "expected a pair"),
        (
            lambda: nn.ConvGRU(1, 2)(torch.zeros(1, 2, 3, 3, 1), torch.zeros(1, 1, 3, 4, 2)),
            "expected a tensor of shape",
        ),
        (lambda: nn.FrameEncoder(1, ()), "expected channels and an odd kernel"),
        (lambda: nn.FrameEncoder(2, (3,))(torch.zeros(1, 2, 3, 3, 1)), r"x: expected \(B, T, Y, X, 2\)"),
    ],
)
def test_one_sentence_for_what_does_not_fit(call: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        call()


def test_the_encoder_reads_each_frame_alone() -> None:
    encoder = nn.FrameEncoder(2, (3, 4), seed=1)
    x = torch.randn(2, 3, 7, 6, 2, generator=torch.Generator().manual_seed(0))
    y = encoder(x)
    torch.testing.assert_close(encoder(x[:, 1:2]), y[:, 1:2])
    maps = x[0, 0].permute(2, 0, 1)[None]
    for convolution in cast(Any, encoder.convolutions):
        maps = torch.nn.functional.conv2d(maps, convolution.weight, convolution.bias, 2, 1).relu()
    torch.testing.assert_close(y[0, 0], maps.mean(dim=(2, 3))[0])
