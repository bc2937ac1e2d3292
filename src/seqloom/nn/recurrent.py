"""RNN (Elman), Jordan, LSTM and GRU as torch modules: they own parameters and draw dropout masks; `ops.scan` does the
sums.

All are batch first and return `(output, state)`. The options after the sizes are those of `RecurrentOptions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from seqloom.nn.arguments import Drawing, NotScriptable, as_node, symbolic, tensor_of, type_told
from seqloom.nn.exportable import Exportable
from seqloom.nn.options import RecurrentOptions
from seqloom.nn.packed import pack_like, pad_packed
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom.nn.streaming import Stream
from seqloom.ops.cell import StepRandom, Weights
from seqloom.ops.draws import draw_mask, draw_seed, remember
from seqloom.ops.operators import dense
from seqloom.ops.scan import State, explain, scan
from seqloom_runtime.errors import SettingError

__all__ = ["GRU", "LSTM", "RNN", "Jordan", "Recurrent", "RecurrentCell", "detach", "mask_from_lengths"]


def mask_from_lengths(lengths: Tensor | Sequence[int], time: int) -> Tensor:
    """Return (B, T) bool: True for the first `lengths[b]` steps of row b.

    Raises SettingError for lengths below 0 or beyond `time`; within a compiled graph torch's RuntimeError.

    >>> mask_from_lengths([1, 3], 3).int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    counts = torch.as_tensor(lengths)
    if counts.dim() != 1 or counts.is_floating_point() or counts.dtype == torch.bool:
        raise SettingError(
            f"lengths must be one whole number for each row, not {counts.dtype} of shape {tuple(counts.shape)}."
        )
    if torch.compiler.is_compiling():  # a graph can't branch on numbers, it can only stop
        torch.ops.aten._assert_async.msg(
            ((counts >= 0) & (counts <= time)).all(), "lengths must lie between 0 and the steps of x."
        )
    elif counts.numel() and (int(counts.min()) < 0 or int(counts.max()) > time):
        raise SettingError(
            f"lengths must lie between 0 and the {time} steps of x, not {int(counts.min())} … {int(counts.max())}."
        )
    return torch.arange(time, device=counts.device) < counts[:, None]


def detach(state: Any) -> Any:
    """Cut the gradient of a state that the next batch carries on from (truncated backpropagation through time).

    state: a tensor, None, or tuples, lists and dicts of states, as models made of several layers carry them.
    """
    if isinstance(state, Tensor):
        return state.detach()
    if isinstance(state, dict):
        return {name: detach(value) for name, value in state.items()}
    if isinstance(state, (tuple, list)):
        # The kind stays: a module may tell a list from a tuple.
        return type(state)(detach(value) for value in state)
    if state is None:
        return None
    raise SettingError(f"a state is a tensor, or tuples, lists and dicts of tensors, not {type(state).__name__}.")


class Recurrent(Exportable, NotScriptable, Drawing):
    """A stack of recurrent layers, each in one or two directions; the base of RNN, Jordan, LSTM and GRU.

    `cells` holds the parameters: number layer·directions + direction. `generator` draws the masks.
    """

    def __init__(
        self, kind: str, input_size: int, hidden_size: int, num_layers: int, options: dict[str, Any], width: int = 0
    ):
        """Make the cells; width: the Jordan cell's number of outputs."""
        super().__init__()
        self.options = RecurrentOptions.make(type(self).__name__, options)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise SettingError(f"{name} must be a whole number, 1 or more, not {size!r}.")
        self.cell = self.options.cell(kind)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.state_size = width or self.options.projection_size or hidden_size
        self.directions = 2 if self.options.bidirectional else 1
        doubled = self.options.bidirectional and self.options.merge == "concat"
        self.output_size = self.state_size * (2 if doubled else 1)
        self.generator = remember(self.options.generator)
        self.cells = nn.ModuleList()
        for layer in range(num_layers):
            # The layers above read both directions.
            sizes = (self.output_size if layer else input_size, hidden_size, self.state_size)
            for _ in range(self.directions):
                self.cells.append(RecurrentCell(self.cell, sizes, self.options, self.generator))

    @overload
    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        last_only: bool = False,
    ) -> tuple[Tensor, State]: ...

    @overload
    def forward(self, x: PackedSequence, state: State | None = None) -> tuple[PackedSequence, State]: ...

    def forward(self, x, state=None, mask=None, *, lengths=None, last_only=False):
        """Run the stack over a batch of sequences.

        x: (B, T, input_size), or a PackedSequence of torch, whose rows say themselves where they end.
        state: (layers·directions, B, S), zeros where None; for the LSTM the pair of h and c (…, H). For a packed x its
            rows stand in the order they had before they were packed.
        mask: (B, T) bool, False for steps to leave out, or lengths: (B) steps that count in each row.
        last_only: return only the output of the step that ran last, for the backward direction that of the first step.

        Returns output (B, T, output_size), packed where x was, or (B, output_size) with last_only, and the final state
        shaped as `state`. Raises SettingError where shapes, dtypes or lengths don't fit.
        """
        if isinstance(x, PackedSequence):
            return self._packed(x, state, mask, lengths, last_only)
        if symbolic(x):
            return as_node(self, x, state, mask, lengths=lengths, last_only=last_only)
        x = tensor_of(x, self)
        self._check_input(x)
        if lengths is not None:
            if mask is not None:
                raise SettingError("give mask or lengths, not both.")
            mask = self._mask(lengths, x)
        starts = self._states(x, state)
        random = self._random()
        finals: list[State] = []
        y = x
        for layer in range(self.num_layers):
            # Between layers alone: neither on the inputs nor on the last outputs.
            if layer and self.training and self.options.between_dropout:
                y = y * self._draw(y.shape, self.options.between_dropout, y)
            outputs = []
            for direction in range(self.directions):
                number = layer * self.directions + direction
                # The layers below have to hand on every step.
                only = last_only and layer == self.num_layers - 1
                keywords = self._keywords(number, y, random)
                output, final = scan(
                    self.cell, y, starts[number], keywords.pop("weights"), mask=mask, last_only=only, **keywords
                )
                outputs.append(output)
                finals.append(final)
            y = outputs[0] if self.directions == 1 else self._merge(outputs)
        return y, _stack(finals)

    def _packed(self, packed: PackedSequence, state: State | None, mask: Any, lengths: Any, last_only: bool) -> Any:
        """The same on a packed batch: padded in its first order, run with its lengths, packed again."""
        if mask is not None or lengths is not None:
            name = "mask" if mask is not None else "lengths"
            raise SettingError(f"a packed x already says how long its rows are: leave out {name}.")
        if packed.data.dim() != 2 or packed.data.shape[1] != self.input_size:
            expected = f"(steps of all rows, {self.input_size} inputs)"
            raise SettingError(
                f"packed x of {type(self).__name__} must hold data {expected}, not {tuple(packed.data.shape)}."
            )
        x, steps = pad_packed(packed)
        # Equal rows need no mask, and some engines take none.
        full = int(steps.min()) == x.shape[1]
        y, final = self.forward(x, state, lengths=None if full else steps, last_only=last_only)
        return (y if last_only else pack_like(y, steps, packed)), final

    def explain(self, x: Tensor) -> str:
        """Say which engine runs each layer on an input like x, and why not a faster one."""
        self._check_input(x)
        lines = []
        y = x
        for layer in range(self.num_layers):
            keywords = self._keywords(layer * self.directions, y, None, masks=False)
            lines.append(f"layer {layer}: {explain(self.cell, y, **keywords)}")
            # Only the shape matters to the layer above.
            y = x.new_zeros(x.shape[0], x.shape[1], self.output_size)
        return "\n".join(lines)

    def initial_state(self, batch_size: int) -> State:
        """Return the state that a call without one starts from: zeros (layers·directions, B, S), for the LSTM a pair.

        >>> GRU(3, 5, 2).initial_state(4).shape
        torch.Size([2, 4, 5])
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 0:
            raise SettingError(f"batch_size must be a whole number, 0 or more, not {batch_size!r}.")
        like, count = next(self.parameters()), len(self.cells)
        h = like.new_zeros(count, batch_size, self.state_size)
        return (h, like.new_zeros(count, batch_size, self.hidden_size)) if self.cell.pair else h

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> Stream:
        """Return a `Stream` that runs the module one step at a time, from zeros, with its weights of now, no dropout.

        backend: "native", "numpy", or "auto" for the first of them that can. Raises SettingError for a module that
        reads the sequence backwards.

        >>> import numpy as np
        >>> GRU(3, 5).stream().step(np.zeros(3, dtype=np.float32)).shape
        (5,)
        """
        for name in ("bidirectional", "reverse"):
            if getattr(self.options, name):
                raise SettingError(
                    f"{name}=True reads the sequence from its end, so an output needs inputs that are still to come: "
                    "this module can't run step by step. Use a forward module."
                )
        layers = [(self.cell, cell.weights()) for cell in self.cells if isinstance(cell, RecurrentCell)]
        return Stream(layers, batch_size, backend)

    def extra_repr(self) -> str:
        """Sizes and options that differ from the defaults, for `print(module)`."""
        plain = RecurrentOptions()
        changed = [f"{n}={v!r}" for n, v in vars(self.options).items() if v != getattr(plain, n)]
        return ", ".join([str(self.input_size), str(self.hidden_size), f"num_layers={self.num_layers}", *changed])

    def _keywords(self, number: int, x: Tensor, random: StepRandom | None, *, masks: bool = True) -> dict[str, Any]:
        """The weights and per-call arguments of one cell, masks drawn (or, for a look without a draw, ones)."""
        cell, options = self.cells[number], self.options
        assert isinstance(cell, RecurrentCell)
        keywords: dict[str, Any] = {
            "weights": cell.weights(),
            "reverse": options.reverse or number % self.directions == 1,
            "training": self.training,
            "backend": options.backend,
        }
        if random is not None:
            # By twos with one direction as well, as `StepRandom` says: a layer's draws then keep their number.
            keywords["rng"] = StepRandom(
                random.seed, random.call, 2 * (number // self.directions) + number % self.directions
            )
        if not self.training:
            return keywords
        # Explaining a call must not move the generator, or it would change the training that follows.
        draw = self._draw if masks else lambda shape, _, like: like.new_ones(tuple(shape))
        gates = (self.cell.gates,) if options.per_gate_masks else ()
        if options.input_dropout:
            keywords["input_mask"] = draw((x.shape[0], *gates, cell.input_size), options.input_dropout, x)
        if options.recurrent_dropout:
            keywords["recurrent_mask"] = draw((x.shape[0], *gates, cell.state_size), options.recurrent_dropout, x)
        if options.weight_dropout:
            weights = keywords["weights"]
            # One mask for all rows and steps: the recurrent product stays one product.
            dropped = weights.w_h * draw(weights.w_h.shape, options.weight_dropout, weights.w_h)
            keywords["weights"] = Weights(**{**dict(weights.items()), "w_h": dropped})
        return keywords

    def _draw(self, shape: Sequence[int], probability: float, like: Tensor) -> Tensor:
        """A dropout mask from the module's generator: 0 with the probability, else 1/(1 − probability)."""
        return draw_mask(self.generator, shape, probability, like)

    def _random(self) -> StepRandom | None:
        """The key of this call's per-step draws."""
        if not (self.training and self.cell.random_per_step):
            return None
        # A fresh seed for each call, so the number of the call can stay 0.
        return StepRandom(draw_seed(self.generator), 0, 0)

    def _mask(self, lengths: Tensor | Sequence[int], x: Tensor) -> Tensor:
        mask = mask_from_lengths(lengths, x.shape[1]).to(x.device)
        if mask.shape[0] != x.shape[0]:
            raise SettingError(f"lengths must hold {x.shape[0]} numbers, one for each row of x, not {mask.shape[0]}.")
        return mask

    def _check_input(self, x: Tensor) -> None:
        other = dense(x) if isinstance(x, Tensor) else type_told(x)
        if other is not None:
            raise SettingError(f"x of {type(self).__name__} must be a dense tensor, not {other}.")
        if x.dim() != 3 or x.shape[2] != self.input_size:
            expected = f"(batch, time, {self.input_size} inputs)"
            raise SettingError(f"x of {type(self).__name__} must have shape {expected}, not {tuple(x.shape)}.")

    def _states(self, x: Tensor, state: State | None) -> list[State]:
        """The initial state of each cell."""
        count, batch, lstm = len(self.cells), x.shape[0], self.cell.pair
        if state is None:
            h = x.new_zeros(count, batch, self.state_size)
            state = (h, x.new_zeros(count, batch, self.hidden_size)) if lstm else h
        if lstm != isinstance(state, tuple):
            raise SettingError(f"state of {type(self).__name__} must be {'the pair (h, c)' if lstm else 'one tensor'}.")
        pairs = zip(("h", "c"), state if isinstance(state, tuple) else (state,), (self.state_size, self.hidden_size))
        for name, value, units in pairs:
            if tuple(value.shape) != (count, batch, units):
                raise SettingError(
                    f"state {name} must have shape (layers·directions, batch, units) = {(count, batch, units)}, "
                    f"not {tuple(value.shape)}."
                )
        if isinstance(state, tuple):
            return list(zip(state[0].unbind(0), state[1].unbind(0)))
        return list(state.unbind(0))

    def _merge(self, outputs: list[Tensor]) -> Tensor:
        if self.options.merge == "concat":
            return torch.cat(outputs, dim=-1)
        total = outputs[0] + outputs[1]
        # Two directions, hence the half.
        return total if self.options.merge == "sum" else total / 2


def _stack(finals: list[State]) -> State:
    """One tensor (or pair) over all cells."""
    if len(finals) == 1:  # a third of the time of a stack, which counts where one row runs at a time
        (only,) = finals
        return (only[0][None], only[1][None]) if isinstance(only, tuple) else only[None]
    if isinstance(finals[0], tuple):
        return torch.stack([f[0] for f in finals]), torch.stack([f[1] for f in finals])
    return torch.stack([f for f in finals if isinstance(f, Tensor)])


class RNN(Recurrent):
    """Elman network: h_t = φ(x_t W_x + h_{t−1} W_h + b). H(H+I)+H parameters for a layer.

    Options: `RecurrentOptions`. Source: Elman, "Finding structure in time", Cognitive Science 14, 1990.

    >>> sum(p.numel() for p in RNN(1, 12).parameters())
    168
    >>> output, state = RNN(3, 5)(torch.zeros(2, 7, 3))
    >>> tuple(output.shape), tuple(state.shape)
    ((2, 7, 5), (1, 2, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, **options: Any):
        """Make the module; raises SettingError for sizes and options that are not possible."""
        super().__init__("elman", input_size, hidden_size, num_layers, options)


class Jordan(Recurrent):
    """Jordan network, whose output is fed back: h = φ(x_t W_x + y_{t−1} U + b), y_t = ψ(h V + c); the state is y.

    Options: `RecurrentOptions`. Source: Jordan, "Serial order: a parallel distributed processing approach", 1986.

    >>> output, state = Jordan(3, 5, 2)(torch.zeros(4, 7, 3))
    >>> tuple(output.shape), tuple(state.shape)
    ((4, 7, 2), (1, 4, 2))
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int, num_layers: int = 1, **options: Any):
        """Make the module; raises SettingError for sizes and options that are not possible."""
        if isinstance(output_size, bool) or not isinstance(output_size, int) or output_size < 1:
            raise SettingError(f"output_size must be a whole number, 1 or more, not {output_size!r}.")
        super().__init__("jordan", input_size, hidden_size, num_layers, options, output_size)


class LSTM(Recurrent):
    """Long short-term memory, gate order i, f, g, o; 4(H(H+I)+H) parameters for a layer. The state is the pair (h, c).

    Options: `RecurrentOptions`. Sources: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; forget gate: Gers
    et al., 2000; peepholes: Gers et al., 2002; projection: Sak et al., arXiv 1402.1128.

    >>> sum(p.numel() for p in LSTM(1, 12).parameters())
    672
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, **options: Any):
        """Make the module; raises SettingError for sizes and options that are not possible."""
        super().__init__("lstm", input_size, hidden_size, num_layers, options)


class GRU(Recurrent):
    """Gated recurrent unit, gate order r, z, n; 3(H(H+I)+H) parameters for a layer, 3(H(H+I)+2H) with `recurrent_bias`.

    Options: `RecurrentOptions`. Source: Cho et al., arXiv 1406.1078 (`reset_after=False`); the default is the variant
    of cuDNN, PyTorch and Keras.

    >>> sum(p.numel() for p in GRU(14, 32).parameters())
    4512
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, **options: Any):
        """Make the module; raises SettingError for sizes and options that are not possible."""
        super().__init__("gru", input_size, hidden_size, num_layers, options)
