"""`RecurrentOptions`: the keyword options of RNN, Jordan, LSTM and GRU, documented here once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch

from seqloom.nn.initialisers import INITIALISERS
from seqloom.ops.activations import Activation
from seqloom.ops.cell import Cell
from seqloom.ops.kinds import kind_of
from seqloom.ops.scan import BACKENDS
from seqloom_runtime.errors import SettingError, suggest

__all__ = ["MERGES", "RecurrentOptions"]

MERGES = ("concat", "sum", "mean")

_PROBABILITIES = ("input_dropout", "recurrent_dropout", "between_dropout", "candidate_dropout", "weight_dropout")
# `Cell` speaks of its own fields; the user has to read the names of these options.
_CELL_NAMES = {"gate_activation": "recurrent_activation", "projection=": "projection_size="}


@dataclass(frozen=True)
class RecurrentOptions:
    """Options of the recurrent modules; those that a kind of cell doesn't have are refused by name.

    bidirectional: a second set of weights reads the sequence backwards; its outputs are re-aligned in time.
    merge: how the two directions' outputs are joined: "concat" (features), "sum" or "mean".
    reverse: a one-directional module that reads the sequence from its end to its start.
    activation, recurrent_activation: of the candidate, and of the gates (LSTM, GRU); see `ops.activations`.
    output_activation: of the Jordan cell's output.
    bias: False leaves out every bias. recurrent_bias: the second bias vector that PyTorch and Keras carry.
    reset_after: GRU: reset gate after the recurrent product (one matrix product a step) or before it.
    peephole, coupled, cell_clip, projection_size: LSTM; see `ops.cell.Cell`.
    layer_norm: layer normalisation inside the cell, with gains.
    input_dropout: one mask for each sequence over the inputs of every layer, the same at all steps.
    recurrent_dropout: one mask for each sequence over h on its way into the recurrent product, the same at all steps.
    per_gate_masks: every gate draws its own two masks, as Keras 3 does, instead of sharing them. The readable engine
        runs them in torch's operations, whose bits hang on the number of threads.
    between_dropout: a new mask at every step over the outputs between two layers (torch.nn's `dropout`).
    candidate_dropout: a new mask at every step over the candidate (LSTM, GRU), arXiv 1603.05118.
    zoneout: probability that a unit keeps its old value, arXiv 1606.01305; for the LSTM also a pair (of h, of c).
    weight_dropout: one mask for each call over W_h, shared by batch and steps, arXiv 1708.02182.
    input_init, recurrent_init: names of `nn.initialisers`. forget_bias: where the LSTM's forget bias starts.
    seed: an int, or the torch.Generator to use: draws the first weights, then all masks. Equal seeds give equal
        modules, so every module of a model needs its own.
    backend: engine of `ops.scan.scan`.
    """

    bidirectional: bool = False
    merge: str = "concat"
    reverse: bool = False
    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    output_activation: Activation = "sigmoid"
    bias: bool = True
    # One bias by default: the counts of parameters are then the textbook's.
    recurrent_bias: bool = False
    reset_after: bool = True
    peephole: bool = False
    coupled: bool = False
    cell_clip: float | None = None
    projection_size: int | None = None
    layer_norm: bool = False
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    per_gate_masks: bool = False
    between_dropout: float = 0.0
    candidate_dropout: float = 0.0
    zoneout: float | tuple[float, float] = 0.0
    weight_dropout: float = 0.0
    input_init: str = "glorot"
    # Singular values of 1 neither blow up nor shrink what goes round the loop at first.
    recurrent_init: str = "orthogonal"
    # Above 0 the gate starts open, so that memory and gradients last (Jozefowicz et al., ICML 2015).
    forget_bias: float = 1.0
    seed: int | torch.Generator = 0
    backend: str = "auto"

    @classmethod
    def make(cls, module: str, given: dict[str, Any]) -> RecurrentOptions:
        """Build from keywords; raises SettingError for an unknown name, with the nearest known one."""
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                raise SettingError(
                    f"{module} has no option {name!r}.{suggest(name, known)} The options: {', '.join(known)}."
                )
        return cls(**given)

    def __post_init__(self) -> None:
        """Check values that don't depend on the kind of cell."""
        for name in _PROBABILITIES:
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise SettingError(f"{name} is a probability: at least 0 and below 1, not {value!r}.")
        for name, known in (
            ("merge", MERGES),
            ("backend", BACKENDS),
            ("input_init", INITIALISERS),
            ("recurrent_init", INITIALISERS),
        ):
            value = getattr(self, name)
            if value not in known:
                raise SettingError(
                    f"{name} must be one of {', '.join(known)}, not {value!r}.{suggest(str(value), known)}"
                )
        if self.bidirectional and self.reverse:
            raise SettingError("bidirectional=True already reads the sequence both ways: leave out reverse=True.")
        if self.recurrent_bias and not self.bias:
            raise SettingError("recurrent_bias=True adds a second bias to the first one: it can't go with bias=False.")
        if not isinstance(self.seed, (int, torch.Generator)):
            raise SettingError(f"seed must be an int or a torch.Generator, not {type(self.seed).__name__}.")

    def cell(self, kind: str) -> Cell:
        """Return the cell; raises SettingError, in the names of these options, for what the kind doesn't have."""
        if "f" not in kind_of(kind).gates and self.forget_bias != 1.0:
            raise SettingError(
                f"forget_bias={self.forget_bias!r} is not possible for a {kind} cell: it has no forget gate."
            )
        if isinstance(self.zoneout, tuple):
            zoneout, zoneout_cell = self.zoneout
        else:
            # One number is for both states, where there are two.
            zoneout, zoneout_cell = self.zoneout, self.zoneout if kind_of(kind).pair else 0.0
        try:
            return Cell(
                kind,
                activation=self.activation,
                gate_activation=self.recurrent_activation,
                output_activation=self.output_activation,
                reset_after=self.reset_after,
                coupled=self.coupled,
                peephole=self.peephole,
                layer_norm=self.layer_norm,
                cell_clip=self.cell_clip,
                projection=self.projection_size,
                zoneout=zoneout,
                zoneout_cell=zoneout_cell,
                candidate_dropout=self.candidate_dropout,
            )
        except SettingError as error:
            message = str(error)
            for inner, outer in _CELL_NAMES.items():
                message = message.replace(inner, outer)
            raise SettingError(message) from None

    @property
    def generator(self) -> torch.Generator:
        """The generator for `seed`."""
        return self.seed if isinstance(self.seed, torch.Generator) else torch.Generator().manual_seed(self.seed)
