"""The table of recurrent cells: each kind with its gates, its state, its equation, and the options that it refuses.

`register_kind` adds one. The reference engine then runs it, `nn.Recurrent` owns its parameters, streams take it one
step at a time, gradients come from autograd. The faster engines each state the kinds that they have kernels for, and
refuse the others by name (`ops.scan.ENGINES`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from seqloom.ops import equations
from seqloom_runtime.errors import SettingError, suggest

__all__ = ["KINDS", "Kind", "kind_of", "register_kind"]

_MEMORY = {
    "peephole": "peepholes look at the memory cell c, which only the LSTM has",
    "coupled": "coupling ties the forget and input gates, which only the LSTM has",
    "cell_clip": "it clips the memory cell c, which only the LSTM has",
    "projection": "the projection maps the LSTM's hidden output; put a Linear layer behind another cell",
    "zoneout_cell": "it zones out the memory cell c, which only the LSTM has",
}
_RESET = {"reset_after": "the reset gate belongs to the GRU"}
_OUTPUT = {"output_activation": "only the Jordan cell has an output inside the recurrence"}
_NO_GATES = {"gate_activation": "it has no gates", "candidate_dropout": "it has no candidate beside its state"}

# Refused unless a kind says otherwise: an equation that ignores an option would run without it in silence.
PLAIN_REFUSALS: Mapping[str, str] = {**_MEMORY, **_RESET, **_OUTPUT}
"""The options that belong to one cell of the table each: what a kind refuses unless it says otherwise."""


@dataclass(frozen=True)
class Kind:
    """One kind of recurrent cell.

    name: as `Cell(kind=…)` takes it. summary: what it is, in a line. source: where it was published.
    gates: the blocks of H columns in W_x and W_h, in their order.
    step: the equation of one step, as `ops.equations` has them: (step, a, h, c, d_g) → (h', c').
    pair: the state is the pair (h, c), not h alone. feeds_back: an output product stands inside the recurrence, as in
    Jordan's cell, and h is its result.
    refuses: the options of `Cell` that it doesn't have, each with the reason.
    """

    name: str
    summary: str
    source: str
    gates: tuple[str, ...]
    step: Callable[[Any, Tensor, Tensor, Tensor | None, Tensor | None], tuple[Tensor, Tensor | None]]
    pair: bool = False
    feeds_back: bool = False
    refuses: Mapping[str, str] = field(default_factory=lambda: PLAIN_REFUSALS)


KINDS: dict[str, Kind] = {}


def register_kind(kind: Kind) -> Kind:
    """Put a kind of cell into the table; raises SettingError for a name that is there already. Returns the kind.

    >>> import torch
    >>> leaky = Kind("leaky", "a leaky integrator", "none", ("h",), lambda s, a, h, c, d: ((h + s.phi(a)) / 2, None))
    >>> register_kind(leaky).gates
    ('h',)
    >>> from seqloom import nn
    >>> tuple(nn.Recurrent("leaky", 3, 5, 1, {})(torch.zeros(2, 7, 3))[0].shape)
    (2, 7, 5)
    >>> del KINDS["leaky"]
    """
    # A kind that changed its equation would change every model that was saved under its name.
    if kind.name in KINDS:
        raise SettingError(f"name: expected a new kind of cell, got {kind.name!r}; take another name.")
    KINDS[kind.name] = kind
    return kind


def kind_of(name: Any) -> Kind:
    """The kind of this name; raises SettingError, with the names that there are."""
    found = KINDS.get(name) if isinstance(name, str) else None
    if found is None:
        near = suggest(str(name), KINDS)
        raise SettingError(f"kind must be one of {', '.join(KINDS)}, not {name!r}.{near}")
    return found


register_kind(
    Kind(
        "elman",
        "Elman's network: the state is the hidden layer, fed back",
        "Elman, Cognitive Science 14, 1990",
        ("h",),
        equations.elman,
        refuses={**_MEMORY, **_RESET, **_OUTPUT, **_NO_GATES},
    )
)
register_kind(
    Kind(
        "jordan",
        "Jordan's network: the state is the output, fed back",
        "Jordan, Serial order: a parallel distributed processing approach, 1986",
        ("h",),
        equations.jordan,
        feeds_back=True,
        refuses={
            **_MEMORY,
            **_RESET,
            **_NO_GATES,
            "layer_norm": "the fed-back output is no pre-activation sum of its own",
            "zoneout": "its state is the output that the user reads",
        },
    )
)
register_kind(
    Kind(
        "lstm",
        "long short-term memory: a memory cell behind an input, a forget and an output gate",
        "Hochreiter and Schmidhuber, Neural Computation 9(8), 1997",
        ("i", "f", "g", "o"),
        equations.lstm,
        pair=True,
        refuses={**_RESET, **_OUTPUT},
    )
)
register_kind(
    Kind(
        "gru",
        "gated recurrent unit: an update gate and a reset gate",
        "Cho et al., arXiv 1406.1078",
        ("r", "z", "n"),
        equations.gru,
        refuses={**_MEMORY, **_OUTPUT},
    )
)
