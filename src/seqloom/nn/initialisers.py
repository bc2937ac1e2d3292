"""How recurrent weights start. Every draw comes from the generator that is passed in.

Blocks are initialised gate by gate: each (I, H) block of W_x Glorot uniform, each (S, H) block of W_h orthogonal, so
that every singular value of it is 1 (Saxe et al., arXiv 1312.6120), or the identity (IRNN, Le et al., arXiv
1504.00941).
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import init

from seqloom_runtime.errors import SettingError, suggest

__all__ = ["INITIALISERS", "initialise_blocks", "orthogonal", "undrawn"]

_Layer = TypeVar("_Layer", bound=nn.Module)

INITIALISERS = ("glorot", "orthogonal", "identity", "normal", "zeros")


def initialise_blocks(weight: Tensor, how: str, *, gates: int, generator: torch.Generator, scale: float = 1.0) -> None:
    """Fill a (rows, gates·hidden) matrix in place, one block of columns after the other.

    how: "glorot" (uniform within ±√(6/(rows + hidden))), "orthogonal", "identity", "normal" (standard deviation
    1/√rows) or "zeros"; scale multiplies the result. Raises SettingError for another name.

    >>> w = torch.empty(3, 6)
    >>> initialise_blocks(w, "identity", gates=2, generator=torch.Generator())
    >>> w[1].tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    """
    if how not in INITIALISERS:
        raise SettingError(
            f"an initialiser is one of {', '.join(INITIALISERS)}, not {how!r}.{suggest(str(how), INITIALISERS)}"
        )
    if weight.is_meta:
        return  # a shape without numbers; torch would load sympy to fill it
    with torch.no_grad():
        # By gate, as Glorot's bound over the whole matrix would shrink with the number of gates.
        for block in weight.chunk(gates, dim=1):
            fresh = torch.empty(block.shape, dtype=block.dtype)
            if how == "glorot":
                init.xavier_uniform_(fresh, generator=generator)
            elif how == "orthogonal":
                orthogonal(fresh, generator)
            elif how == "identity":
                init.eye_(fresh)
            elif how == "normal":
                # A sum of as many products as there are rows keeps the variance of its inputs.
                init.normal_(fresh, std=fresh.shape[0] ** -0.5, generator=generator)
            else:
                init.zeros_(fresh)
            block.copy_(fresh * scale)


def orthogonal(matrix: Tensor, generator: torch.Generator) -> None:
    """Fill a matrix (rows, columns) in place with orthonormal rows or columns, the same for a seed at any threads.

    By the QR decomposition of normal numbers, the last bits of which hang on how many threads find it: it has one.
    """
    before = torch.get_num_threads()
    try:
        if before > 1:
            torch.set_num_threads(1)
        init.orthogonal_(matrix, generator=generator)
    finally:
        if before > 1:
            torch.set_num_threads(before)


def undrawn(layer: _Layer, device: torch.device | str | None = None) -> _Layer:
    """A layer of torch that was made on the meta device, with memory for its weights, whose numbers mean nothing yet.

    So a layer is made without a draw from torch's global generator. device: torch's default one where None. Torch's own
    `to_empty` does the same by way of its symbolic shapes, which load SymPy: a second for nothing.
    """
    here = torch.empty(0).device if device is None else device
    return layer._apply(lambda weight: torch.empty(weight.shape, dtype=weight.dtype, device=here))
