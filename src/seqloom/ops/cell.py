"""`Cell`: which recurrent cell, with which options; `Weights`: its arrays. Both are plain frozen data.

Row vectors times matrices. B batch, T time, I inputs, H hidden units, P projected or fed-back outputs, G gates; S is
the width of the state h: H, or P with projection and for the Jordan cell. Gate orders: LSTM i, f, g, o (coupled: f, g,
o), GRU r, z, n.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from torch import Tensor

from seqloom.ops.activations import Activation, activation_name, check_activation
from seqloom.ops.kinds import kind_of
from seqloom_runtime.errors import SettingError

__all__ = ["Cell", "StepRandom", "Weights"]


# Frozen, so that a cell can be the key of a cache: flattened once, not in every call (`ops.native_scan`).
@dataclass(frozen=True)
class Cell:
    """A recurrent cell and its options (equations: ARCHITECTURE.md, Conventions).

    kind: a name of `ops.kinds.KINDS`: "elman", "jordan", "lstm", "gru", or one that was registered.
    activation: φ, for the candidate (and LSTM's output); a name of `ops.activations`, "prelu", or a callable.
    gate_activation: σ of the LSTM's and GRU's gates.
    output_activation: ψ of the Jordan cell's output, which is also what it feeds back.
    reset_after: GRU: the reset gate acts after the recurrent product (True) or before it (False).
    coupled: LSTM: i = 1 − f, three gates f, g, o.
    peephole: LSTM: gates also see c, through one weight per unit.
    layer_norm: normalise x W_x and h W_h (each over all gates) and the LSTM's c, with gains, no shift; `epsilon` in the
        root.
    cell_clip: LSTM: c is clipped to ±cell_clip.
    projection: LSTM: h has this width, through W_p.
    zoneout, zoneout_cell: probability that a unit of h (of c) keeps its old value at a step.
    candidate_dropout: probability that a unit of the candidate g (LSTM) or n (GRU) is dropped at a step.

    Raises SettingError for unknown names, values out of range and combinations that make no sense, with the reason.

    >>> Cell("gru").gates
    3
    >>> Cell("gru", peephole=True)
    Traceback (most recent call last):
    ...
    seqloom_runtime.errors.SettingError: peephole=True is not possible for a gru cell: peepholes look at \
the memory cell c, which only the LSTM has.
    """

    kind: str
    activation: Activation = "tanh"
    gate_activation: Activation = "sigmoid"
    output_activation: Activation = "sigmoid"
    reset_after: bool = True
    coupled: bool = False
    peephole: bool = False
    layer_norm: bool = False
    # As torch's LayerNorm has it.
    epsilon: float = 1e-5
    cell_clip: float | None = None
    projection: int | None = None
    zoneout: float = 0.0
    zoneout_cell: float = 0.0
    candidate_dropout: float = 0.0
    # Asked for in every call, so looked up once; `ClassVar` keeps them out of the fields.
    gate_names: ClassVar[tuple[str, ...]]
    """The blocks of W_x and W_h in their order."""
    gates: ClassVar[int]
    """Number of blocks of H columns in W_x and W_h."""
    pair: ClassVar[bool]
    """True where the state is the pair (h, c)."""
    feeds_back: ClassVar[bool]
    """True where an output product stands inside the recurrence."""
    plain_activations: ClassVar[bool]
    """True where every activation is one of the named ones (no prelu, no callable)."""
    random_per_step: ClassVar[bool]
    """True where training draws new numbers at every step (zoneout, candidate dropout)."""

    def __post_init__(self) -> None:
        """Refuse what is not possible, by name and with the reason."""
        kind = kind_of(self.kind)
        check_activation(self.activation, "activation", learned=True)
        check_activation(self.gate_activation, "gate_activation")
        check_activation(self.output_activation, "output_activation")
        self._check_ranges()
        self._check_combinations()
        names = map(activation_name, (self.activation, self.gate_activation, self.output_activation))
        gates = tuple(gate for gate in kind.gates if not (self.coupled and gate == "i"))
        derived = {
            "gate_names": gates,
            "gates": len(gates),
            "pair": kind.pair,
            "feeds_back": kind.feeds_back,
            "plain_activations": None not in tuple(names),
            "random_per_step": bool(self.zoneout or self.zoneout_cell or self.candidate_dropout),
        }
        for name, value in derived.items():
            # The class is frozen; these follow from its fields and never change.
            object.__setattr__(self, name, value)

    def _check_ranges(self) -> None:
        for name in ("zoneout", "zoneout_cell", "candidate_dropout"):
            value = getattr(self, name)
            # bool is an int to Python. At 1 the kept numbers would be divided by 1 − p = 0.
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
                raise SettingError(f"{name} is a probability: at least 0 and below 1, not {value!r}.")
        if self.cell_clip is not None and not (isinstance(self.cell_clip, (int, float)) and self.cell_clip > 0):
            raise SettingError(f"cell_clip must be above 0 (or None for no clipping), not {self.cell_clip!r}.")
        if self.projection is not None and (not isinstance(self.projection, int) or self.projection < 1):
            raise SettingError(
                f"projection must be a whole number of units, 1 or more (or None), not {self.projection!r}."
            )
        if not (isinstance(self.epsilon, (int, float)) and self.epsilon > 0):
            raise SettingError(f"epsilon must be above 0, not {self.epsilon!r}.")

    def _check_combinations(self) -> None:
        defaults = {f.name: f.default for f in fields(self)}
        for name, reason in kind_of(self.kind).refuses.items():
            value = getattr(self, name)
            # A default passes for any kind, so that one set of options serves all of them.
            if value != defaults[name]:
                raise SettingError(f"{name}={value!r} is not possible for a {self.kind} cell: {reason}.")
        if self.kind == "gru" and self.layer_norm and not self.reset_after:
            raise SettingError(
                "layer_norm=True is not possible with reset_after=False: the candidate's recurrent product comes after "
                "the reset gate, so there is no one vector over all gates to normalise. Use reset_after=True."
            )


# eq=False: tensors compare number by number, so an equality of the fields would have no one truth value.
@dataclass(frozen=True, eq=False)
class Weights:
    """The arrays of one cell in one direction; what the cell's options don't use is None.

    w_x (I, G·H), w_h (S, G·H), bias (G·H), bias_h (G·H) the second bias, peephole (3, H) in order i, f, o (coupled: (2,
    H), f, o), gain_x (G·H), gain_h (G·H), gain_c (H), w_p (H, P), w_out (H, P) and bias_out (P) of the Jordan cell,
    slope (H) of prelu.
    """

    w_x: Tensor
    w_h: Tensor
    bias: Tensor | None = None
    bias_h: Tensor | None = None
    peephole: Tensor | None = None
    gain_x: Tensor | None = None
    gain_h: Tensor | None = None
    gain_c: Tensor | None = None
    w_p: Tensor | None = None
    w_out: Tensor | None = None
    bias_out: Tensor | None = None
    slope: Tensor | None = None

    def items(self) -> list[tuple[str, Tensor]]:
        """The (name, tensor) pairs that are not None, in the order above."""
        return [(f.name, value) for f in fields(self) if (value := getattr(self, f.name)) is not None]


@dataclass(frozen=True)
class StepRandom:
    """Key of the numbers drawn at every step (see `ops.philox`): 64-bit seed, 64-bit number of the call, layer.

    In a graph that is being compiled the seed is a tensor without axes, drawn anew whenever the graph runs.

    `layer` tells layers and directions apart: a stack numbers them 2·layer + direction.
    """

    seed: int | Tensor
    call: int = 0
    layer: int = 0
