"""`RecurrentCell`: the parameters of one recurrent layer in one direction, and how they start."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from seqloom.nn.initialisers import initialise_blocks
from seqloom.nn.options import RecurrentOptions
from seqloom.ops.cell import Cell, Weights

__all__ = ["RecurrentCell"]

# The last record of a cell's parameters: the scan knows a record that it has seen (`ops.ready_scan`).
_KEPT: WeakKeyDictionary[nn.Module, Weights] = WeakKeyDictionary()


class RecurrentCell(nn.Module):
    """The parameters of one layer in one direction, named as in `ops.cell.Weights`."""

    def __init__(self, cell: Cell, sizes: tuple[int, int, int], options: RecurrentOptions, generator: torch.Generator):
        """Make and initialise the parameters; sizes: inputs I, hidden units H, width S of the state."""
        super().__init__()
        self.cell = cell
        self.input_size, self.hidden_size, self.state_size = sizes
        inputs, hidden, width = sizes
        columns = cell.gates * hidden
        peephole = (2 if cell.coupled else 3, hidden)
        shapes: dict[str, tuple[int, ...] | None] = {
            "w_x": (inputs, columns),
            "w_h": (width, columns),
            "bias": (columns,) if options.bias else None,
            # The second bias that PyTorch and Keras carry; mathematically needed by the GRU's candidate alone.
            "bias_h": (columns,) if options.recurrent_bias else None,
            "peephole": peephole if cell.peephole else None,
            "gain_x": (columns,) if cell.layer_norm else None,
            "gain_h": (columns,) if cell.layer_norm else None,
            "gain_c": (hidden,) if cell.layer_norm and cell.pair else None,
            "w_p": (hidden, width) if cell.projection is not None else None,
            "w_out": (hidden, width) if cell.feeds_back else None,
            "bias_out": (width,) if cell.feeds_back and options.bias else None,
            "slope": (hidden,) if cell.activation == "prelu" else None,
        }
        self._names = tuple(shapes)
        self._name_set = frozenset(shapes)
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else nn.Parameter(torch.zeros(shape)))
        self._start(options, generator)

    def _start(self, options: RecurrentOptions, generator: torch.Generator) -> None:
        """Initialise: matrices from the generator, gains 1, prelu slopes 0.25, forget bias as asked, the rest 0."""
        weights = self.weights()
        initialise_blocks(weights.w_x, options.input_init, gates=self.cell.gates, generator=generator)
        initialise_blocks(weights.w_h, options.recurrent_init, gates=self.cell.gates, generator=generator)
        for matrix in (weights.w_p, weights.w_out):
            if matrix is not None:
                # These two are no gates: one block.
                initialise_blocks(matrix, "glorot", gates=1, generator=generator)
        with torch.no_grad():
            for gain in (weights.gain_x, weights.gain_h, weights.gain_c):
                if gain is not None:
                    gain.fill_(1.0)
            if weights.slope is not None:
                # As torch's PReLU starts.
                weights.slope.fill_(0.25)
            if "f" in self.cell.gate_names and weights.bias is not None:
                # In the first bias alone: with both, the gate would start at twice the number.
                weights.bias.chunk(self.cell.gates)[self.cell.gate_names.index("f")].fill_(options.forget_bias)

    def weights(self) -> Weights:
        """The parameters as the scan takes them; one that torch's parametrizations replace is an attribute."""
        own = self._parameters
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or not own.keys() >= self._name_set:
            return self._gathered()
        kept = _KEPT.get(self)
        if kept is None or any(getattr(kept, name) is not own[name] for name in self._names):
            kept = self._gathered()
            # Tensors in the parameters' place, as torch.func puts them there, are for one call.
            if all(value is None or type(value) is nn.Parameter for value in own.values()):
                _KEPT[self] = kept
        return kept

    def _gathered(self) -> Weights:
        own = self._parameters
        return Weights(**{name: own[name] if name in own else getattr(self, name) for name in self._names})  # pyright: ignore[reportArgumentType]

    def weight_groups(self) -> dict[str, list[Tensor]]:
        """The parameters by group: "input", "recurrent", "bias", and "gain" for norms and slopes."""
        groups = {
            "input": ("w_x",),
            "recurrent": ("w_h", "peephole", "w_p", "w_out"),
            "bias": ("bias", "bias_h", "bias_out"),
            # In no penalty: a gain pulled to 0 takes away what it scales.
            "gain": ("gain_x", "gain_h", "gain_c", "slope"),
        }
        return {group: [p for n in names if (p := self._parameters[n]) is not None] for group, names in groups.items()}
