"""ConvLSTM and ConvGRU: recurrent layers whose state is a picture, and whose products are convolutions.

Frames x (B, T, Y, X, C), channels last; state (layers, B, Y, X, F). ∗ is a convolution of an odd kernel with zeros
around, which keeps the size; the gates are those of ARCHITECTURE.md section 4.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.errors import SettingError

__all__ = ["ConvGRU", "ConvLSTM", "ConvRecurrent"]

Map = Tensor  # (B, F, Y, X), channels first, as torch's convolutions take them


class ConvRecurrent(nn.Module):
    """A stack of layers, each W_x ∗ x_t + b for all steps at once, then a step after the other; the base of both."""

    gates: ClassVar[int]
    pair: ClassVar[bool] = False  # whether the state is two maps

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, *, kernel_size: int = 3, seed: int = 0):
        """input_size: C; hidden_size: F of every layer; kernel_size: odd; seed: draws the weights, torch's global
        stream is neither read nor moved. Raises SettingError for sizes that can't be."""
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in {**sizes, "kernel_size": kernel_size}.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise SettingError(f"{name} must be a whole number, 1 or more, not {size!r}.")
        if kernel_size % 2 == 0:
            raise SettingError(f"kernel_size must be odd, so that a map keeps its size, not {kernel_size}.")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.kernel_size, self.output_size = kernel_size, hidden_size
        generator = torch.Generator().manual_seed(seed)
        self.w_x, self.w_h, self.bias = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for layer in range(num_layers):
            self.w_x.append(self._weight(hidden_size if layer else input_size, generator))
            self.w_h.append(self._weight(hidden_size, generator))
            self.bias.append(nn.Parameter(self._first_bias()))

    def forward(self, x: Tensor, state: Any = None, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        """Run the stack over frames.

        x: (B, T, Y, X, C). state: (layers, B, Y, X, F), of the LSTM the pair of h and c; zeros where None. mask: (B, T)
        bool; at a step that it leaves out the state passes through and the output repeats it.

        Returns the outputs (B, T, Y, X, F) and the final state, shaped as `state`. Raises SettingError where shapes
        don't fit.
        """
        if x.dim() != 5 or x.shape[4] != self.input_size:
            raise SettingError(f"x: expected (B, T, Y, X, {self.input_size}), got {tuple(x.shape)}.")
        if mask is not None and mask.shape != x.shape[:2]:
            raise SettingError(f"mask: expected {tuple(x.shape[:2])}, got {tuple(mask.shape)}.")
        starts = self._starts(x, state)
        y, finals = x.permute(0, 1, 4, 2, 3), []
        for layer in range(self.num_layers):
            y, final = self._layer(layer, y, starts[layer], mask)
            finals.append(final)
        ends = tuple(torch.stack([final[part] for final in finals]).movedim(2, 4) for part in range(len(finals[0])))
        return y.permute(0, 1, 3, 4, 2), ends if self.pair else ends[0]

    def _layer(
        self, layer: int, x: Tensor, state: tuple[Map, ...], mask: Tensor | None
    ) -> tuple[Tensor, tuple[Map, ...]]:
        batch, steps = x.shape[:2]
        read = self._convolved(x.flatten(0, 1), self.w_x[layer], self.bias[layer]).unflatten(0, (batch, steps))
        outputs = []
        for t in range(steps):
            following = self.step(read[:, t], state, layer)
            if mask is not None:
                kept = mask[:, t, None, None, None]
                following = tuple(torch.where(kept, new, old) for new, old in zip(following, state))
            state = following
            outputs.append(state[0])
        if not outputs:
            return x.new_zeros(batch, 0, self.hidden_size, *x.shape[3:]), state
        return torch.stack(outputs, dim=1), state

    def step(self, a: Map, state: tuple[Map, ...], layer: int) -> tuple[Map, ...]:
        """a: W_x ∗ x_t + b of all gates (B, gates·F, Y, X) → the state after the step, h first."""
        raise NotImplementedError

    def _recurrent(self, h: Map, layer: int) -> Tensor:
        return self._convolved(h, self.w_h[layer], None)

    def _convolved(self, x: Map, weight: Tensor, bias: Tensor | None) -> Map:
        return functional.conv2d(x, weight, bias, padding=self.kernel_size // 2)

    def _weight(self, inputs: int, generator: torch.Generator) -> nn.Parameter:
        # Glorot's bound of one gate: over all of them together it would shrink with their number.
        size, taps = self.hidden_size, self.kernel_size**2
        bound = math.sqrt(6 / ((inputs + size) * taps))
        weight = torch.empty(self.gates * size, inputs, self.kernel_size, self.kernel_size)
        return nn.Parameter(weight.uniform_(-bound, bound, generator=generator))

    def _first_bias(self) -> Tensor:
        return torch.zeros(self.gates * self.hidden_size)

    def _starts(self, x: Tensor, state: Any) -> list[tuple[Map, ...]]:
        shape = (self.num_layers, x.shape[0], x.shape[2], x.shape[3], self.hidden_size)
        if state is None:
            parts = (x.new_zeros(shape),) * (2 if self.pair else 1)
        else:
            parts = tuple(state) if self.pair and isinstance(state, (tuple, list)) else (state,)
        if len(parts) != (2 if self.pair else 1) or any(tuple(part.shape) != shape for part in parts):
            words = "a pair of tensors" if self.pair else "a tensor"
            raise SettingError(f"state: expected {words} of shape {shape}.")
        return [tuple(part[layer].movedim(3, 1) for part in parts) for layer in range(self.num_layers)]


class ConvLSTM(ConvRecurrent):
    """Gates i, f, g, o: a = W_x ∗ x_t + W_h ∗ h_{t−1} + b; i, f, o = σ(a), g = tanh(a_g); c' = f ⊙ c_{t−1} + i ⊙ g,
    h' = o ⊙ tanh(c'). The forget bias starts at 1.

    Source: Shi et al. (2015), Convolutional LSTM network, arXiv 1506.04214, eq. 3, without its peepholes.

    >>> layer = ConvLSTM(1, 4, seed=1)
    >>> y, (h, c) = layer(torch.zeros(2, 5, 8, 6, 1))
    >>> y.shape, c.shape, sum(p.numel() for p in layer.parameters())
    (torch.Size([2, 5, 8, 6, 4]), torch.Size([1, 2, 8, 6, 4]), 736)
    """

    gates, pair = 4, True

    def step(self, a: Map, state: tuple[Map, ...], layer: int) -> tuple[Map, ...]:
        """As the class says."""
        h, c = state
        i, f, g, o = (a + self._recurrent(h, layer)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def _first_bias(self) -> Tensor:
        bias = super()._first_bias()
        bias[self.hidden_size : 2 * self.hidden_size] = 1.0
        return bias


class ConvGRU(ConvRecurrent):
    """Gates r, z, n: a = W_x ∗ x_t + b, u = W_h ∗ h_{t−1}; r = σ(a_r + u_r), z = σ(a_z + u_z),
    n = tanh(a_n + r ⊙ u_n), h' = (1 − z) ⊙ n + z ⊙ h_{t−1}.

    Source: Ballas et al. (2016), Delving deeper into convolutional networks for learning video representations,
    arXiv 1511.06432, eq. 7–10; the reset gate stands behind the recurrent product, as in `GRU`.

    >>> y, h = ConvGRU(3, 2, num_layers=2)(torch.zeros(1, 4, 5, 5, 3))
    >>> y.shape, h.shape
    (torch.Size([1, 4, 5, 5, 2]), torch.Size([2, 1, 5, 5, 2]))
    """

    gates = 3

    def step(self, a: Map, state: tuple[Map, ...], layer: int) -> tuple[Map, ...]:
        """As the class says."""
        (h,) = state
        a_r, a_z, a_n = a.chunk(3, dim=1)
        u_r, u_z, u_n = self._recurrent(h, layer).chunk(3, dim=1)
        z, n = torch.sigmoid(a_z + u_z), torch.tanh(a_n + torch.sigmoid(a_r + u_r) * u_n)
        return ((1 - z) * n + z * h,)
