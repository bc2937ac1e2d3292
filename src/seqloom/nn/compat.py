"""RNN, LSTM and GRU of torch.nn on seqloom's engine: changing the import of the layer is enough.

They are subclasses of torch's: the same signatures, defaults (time first, two biases), first weights for the same
`torch.manual_seed`, parameter names, state dicts and messages. Only the sums run elsewhere. Dropout between layers
draws the same numbers from torch's global generator. What the engine doesn't run (devices other than the CPU, half
precision, autocast) runs torch's own code, with torch's result.

B batch, T time, I inputs, H hidden units, P projected outputs, S = P where there is a projection and H otherwise,
L layers, D directions. Shapes are torch's: input (T, B, I), (B, T, I) with batch_first, (T, I) without a batch, or a
PackedSequence; hx (L·D, B, S), for the LSTM the pair (h, c) with c (L·D, B, H).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from seqloom.nn.arguments import as_node, symbolic
from seqloom.nn.packed import mask_of_packed, pack_like, pad_packed
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.operators import dense, traced
from seqloom.ops.scan import State, scan

__all__ = ["GRU", "LSTM", "RNN", "RUNS", "Engine"]

RUNS = (torch.float32, torch.float64)
"""The types that the engine runs, on the processor; any other runs torch's own code."""


# Cached, as the same few cells are asked for in every call.
@cache
def _cell(mode: str, projection: int) -> Cell:
    if mode.startswith("RNN"):
        return Cell("elman", activation=mode.removeprefix("RNN_").lower())
    return Cell(mode.lower(), projection=projection or None)


class Engine(nn.RNNBase):
    """The forward pass of the three classes; everything else is torch's."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Run the layers; arguments, results and errors as torch.nn has them."""
        if symbolic(input):
            return as_node(self, input, hx)
        data = input.data if isinstance(input, PackedSequence) else input
        # Whatever the engine has no kernels for keeps torch's results, warnings and errors.
        if not _ours(data, hx):
            return super().forward(input, hx)  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        return self._padded(input, hx)

    def __prepare_scriptable__(self) -> nn.Module:
        """What `torch.jit.script` reads instead: torch's own layer with the same parameters."""
        kind = {"LSTM": nn.LSTM, "GRU": nn.GRU}.get(self.mode, nn.RNN)
        # By the base's constructor, as `seqloom.accelerate()` may have the class's own make ours. On meta nothing is
        # drawn: torch's global generator must stay where the program left it.
        other: Any = object.__new__(kind)
        with torch.device("meta"):
            nn.RNNBase.__init__(
                other, self.mode, self.input_size, self.hidden_size, self.num_layers, self.bias, self.batch_first,
                self.dropout, self.bidirectional, self.proj_size,
            )  # fmt: skip
        if kind is nn.RNN:
            other.nonlinearity = self.mode.removeprefix("RNN_").lower()
        for name, value in self.named_parameters(recurse=False):
            setattr(other, name, value)
        return other.train(self.training)

    def _padded(self, x: Tensor, hx: Any) -> tuple[Tensor, Any]:
        if x.dim() not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {x.dim()}D instead")
        batched, batch_axis = x.dim() == 3, 0 if self.batch_first else 1
        if not batched:
            x = x.unsqueeze(batch_axis)
        if hx is not None:
            hx = _with_batch(hx, batched)
        hx = self._start(x, x.shape[batch_axis]) if hx is None else hx
        # torch's own check, for torch's own messages.
        self.check_forward_args(x, hx, None)  # pyright: ignore[reportArgumentType]
        if x.shape[1 - batch_axis] == 0:
            # torch's type and words: programs may catch them.
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        y, last = self._layers(x if self.batch_first else x.transpose(0, 1), hx, None, None)
        if not self.batch_first:
            y = y.transpose(0, 1).contiguous()  # as torch's is, so that a program may call y.view
        if not batched:
            y, last = y.squeeze(batch_axis), _each(last, lambda v: v.squeeze(1))
        return y, last

    def _packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        if hx is None:
            hx = self._start(packed.data, int(packed.batch_sizes[0]))
        elif packed.sorted_indices is not None:
            hx = self.permute_hidden(hx, packed.sorted_indices)
        self.check_forward_args(packed.data, hx, packed.batch_sizes)  # pyright: ignore[reportArgumentType]
        # In the packed order, from long to short, as hx and dropout's draws are in it.
        x, lengths = pad_packed(packed, sort=True)
        y, last = self._layers(x, hx, mask_of_packed(lengths, x.shape[1], x.device), packed)
        if packed.unsorted_indices is not None:
            last = self.permute_hidden(last, packed.unsorted_indices)  # pyright: ignore[reportArgumentType]
        return pack_like(y, lengths, packed, sort=True), last

    def _start(self, x: Tensor, batch: int) -> State:
        """Zeros for the first state."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        h = x.new_zeros(count, batch, self.proj_size or self.hidden_size)
        return (h, x.new_zeros(count, batch, self.hidden_size)) if self.mode == "LSTM" else h

    def _layers(self, x: Tensor, hx: State, mask: Tensor | None, packed: PackedSequence | None) -> tuple[Tensor, State]:
        """The stack over a batch (B, T, I)."""
        cell, directions = _cell(self.mode, self.proj_size), 2 if self.bidirectional else 1
        starts = list(zip(*(v.unbind(0) for v in hx))) if isinstance(hx, tuple) else list(hx.unbind(0))
        finals: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.training and self.dropout:
                x = x * self._noise(x, packed)
            outputs = []
            for direction in range(directions):
                weights = self._weights(f"_l{layer}{'_reverse' if direction else ''}")
                start = starts[layer * directions + direction]
                y, final = scan(cell, x, start, weights, mask=mask, reverse=direction == 1)
                outputs.append(y)
                finals.append(final)
            x = outputs[0] if directions == 1 else torch.cat(outputs, dim=-1)
        if isinstance(finals[0], tuple):
            return x, (torch.stack([f[0] for f in finals]), torch.stack([f[1] for f in finals]))
        return x, torch.stack([f for f in finals if isinstance(f, Tensor)])

    def _noise(self, x: Tensor, packed: PackedSequence | None) -> Tensor:
        """Dropout's factors, drawn in the order in which torch holds the values: time first, or packed."""
        keep = 1.0 - self.dropout
        batch, time, width = x.shape
        shape = (time, batch, width) if packed is None else (packed.data.shape[0], width)
        # torch allows a dropout of 1, where the scale would divide by 0.
        drawn = torch.zeros(shape, dtype=x.dtype) if keep == 0.0 else torch.empty(shape, dtype=x.dtype).bernoulli_(keep)
        if keep:
            drawn.div_(keep)
        if packed is None:
            return drawn.transpose(0, 1)
        return pad_packed(PackedSequence(drawn, packed.batch_sizes), sort=True)[0]

    def _weights(self, suffix: str) -> Weights:
        """One layer's parameters in one direction, as row vectors times matrices take them."""
        bias = (getattr(self, f"bias_ih{suffix}"), getattr(self, f"bias_hh{suffix}")) if self.bias else (None, None)
        projection = getattr(self, f"weight_hr{suffix}").t() if self.proj_size else None
        w_x, w_h = getattr(self, f"weight_ih{suffix}").t(), getattr(self, f"weight_hh{suffix}").t()
        return Weights(w_x=w_x, w_h=w_h, bias=bias[0], bias_h=bias[1], w_p=projection)


def _ours(x: Any, hx: Any) -> bool:
    """Whether the engine runs this input; what is no tensor goes to torch, for torch's error."""
    states = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
    tensors = isinstance(x, Tensor) and all(isinstance(v, Tensor) for v in states)
    # Autocast chooses types inside torch's operations, and a trace records those.
    if not tensors or torch._C._is_any_autocast_enabled() or traced():
        return False
    if any(dense(v) is not None for v in (x, *states)):
        return False
    return x.device.type == "cpu" and x.dtype in RUNS and all(v.dtype == x.dtype for v in states)


def _each(state: Any, change: Any) -> Any:
    return tuple(change(v) for v in state) if isinstance(state, tuple) else change(state)


def _with_batch(hx: Any, batched: bool) -> Any:
    """A state given beside an input without a batch, with the axis added; raises torch's errors for a wrong rank."""
    wanted, kind = (3, "batched 3-D") if batched else (2, "unbatched 2-D")
    ranks = [v.dim() for v in hx] if isinstance(hx, tuple) else [hx.dim()]
    if any(rank != wanted for rank in ranks):
        if isinstance(hx, tuple):
            got = ", ".join(f"{rank}-D" for rank in ranks)
            raise RuntimeError(f"For {kind} input, hx and cx should also be {wanted}-D but got ({got}) tensors")
        raise RuntimeError(f"For {kind} input, hx should also be {wanted}-D but got {ranks[0]}-D tensor")
    return hx if batched else _each(hx, lambda v: v.unsqueeze(1))


class RNN(Engine, nn.RNN):
    """torch.nn.RNN on seqloom's engine: h_t = φ(x_t W_ihᵀ + b_ih + h_{t−1} W_hhᵀ + b_hh), φ = tanh or relu.

    >>> tuple(RNN(3, 5)(torch.zeros(7, 2, 3))[0].shape)  # time first
    (7, 2, 5)
    """


class LSTM(Engine, nn.LSTM):
    """torch.nn.LSTM on seqloom's engine, gate order i, f, g, o, with `proj_size` (arXiv 1402.1128).

    >>> layer = LSTM(3, 5, num_layers=2, bidirectional=True)
    >>> layer.load_state_dict(nn.LSTM(3, 5, num_layers=2, bidirectional=True).state_dict())
    <All keys matched successfully>
    """


class GRU(Engine, nn.GRU):
    """torch.nn.GRU on seqloom's engine, gate order r, z, n, reset gate after the recurrent product.

    >>> output, h = GRU(3, 5, batch_first=True)(torch.zeros(2, 7, 3))
    >>> tuple(output.shape), tuple(h.shape)
    ((2, 7, 5), (1, 2, 5))
    """
