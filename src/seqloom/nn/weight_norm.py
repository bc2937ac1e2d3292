"""Weight norm: w = g·v/‖v‖, one length g for each output channel (Salimans & Kingma, arXiv 1602.07868).

The three layouts in which weights are found in files, and how one becomes the other:
`weight` (plain); `weight_g`, `weight_v` (torch.nn.utils.weight_norm, and the published TCN);
`parametrizations.weight.original0`, `…original1` (torch.nn.utils.parametrizations.weight_norm).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seqloom.ops import weight_norm as fused

__all__ = ["adapt_state_dict", "normalised", "norms"]

_G, _V = "weight_g", "weight_v"
_ORIGINALS = {"parametrizations.weight.original0": _G, "parametrizations.weight.original1": _V}


def norms(v: Tensor) -> Tensor:
    """‖v‖ of each output channel: (C_out, C_in, K) → (C_out, 1, 1)."""
    return v.norm(dim=(1, 2), keepdim=True)


def normalised(v: Tensor, g: Tensor) -> Tensor:
    """g·v/‖v‖: (C_out, C_in, K) and (C_out, 1, 1) → (C_out, C_in, K)."""
    return fused.weight_norm(v, g)


def adapt_state_dict(state: dict[str, Any], prefix: str, *, weight_norm: bool) -> None:
    """Rename and convert, in place, a layer's weights of any layout to the one that it has."""
    for old, new in _ORIGINALS.items():
        if prefix + old in state:
            state[prefix + new] = state.pop(prefix + old)
    plain, g, v = prefix + "weight", prefix + _G, prefix + _V
    # Only a layout that is whole is converted; a half one is left for torch to report what is missing.
    if weight_norm and plain in state and g not in state and v not in state:
        state[v] = state.pop(plain)
        # With g = ‖v‖ the product is the plain weight itself.
        state[g] = norms(state[v])
    elif not weight_norm and g in state and v in state and plain not in state:
        state[plain] = normalised(state.pop(v), state.pop(g))
