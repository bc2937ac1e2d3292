"""The parameters of recurrent cells that every estimator with recurrent networks shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["CELL", "CellParameters", "cell_options"]

CELL = ("layer_norm", "zoneout", "peephole", "coupled", "weight_dropout")
"""Their names, which are those of `seqloom.nn.RecurrentOptions`."""


@dataclass(kw_only=True, eq=False, repr=False)
class CellParameters:
    """What an estimator inherits; each stands in the table `seqloom.tasks.parameters`. They belong to the models rnn,
    gru and lstm, in both directions too; peepholes and coupled gates to the lstm alone."""

    layer_norm: bool = False
    zoneout: float = 0.0
    peephole: bool = False
    coupled: bool = False
    weight_dropout: float = 0.0


def cell_options(owner: Any, without: Iterable[str] = ()) -> dict[str, Any]:
    """The values of an estimator or a specification by name, NumPy's numbers as Python's.

    >>> cell_options(CellParameters(zoneout=0.1), without=("weight_dropout",))
    {'layer_norm': False, 'zoneout': 0.1, 'peephole': False, 'coupled': False}
    """
    found: dict[str, Any] = {}
    for name in CELL:
        if name not in without:
            value = getattr(owner, name)
            found[name] = value if isinstance(value, bool) else float(value)
    return found
