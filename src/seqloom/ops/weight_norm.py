"""Weight norm: w = g·v/‖v‖, one length g for each output channel. Salimans & Kingma, arXiv 1602.07868."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import Function

from seqloom.ops.again import gradients_again
from seqloom.ops.operators import (
    address,
    came_back,
    compiled,
    dense,
    eager,
    forms_of,
    missing,
    plain,
    refuse_freed,
    settled,
    transformed,
    unchanged,
)
from seqloom_runtime import native

__all__ = ["weight_norm"]


def weight_norm(v: Tensor, g: Tensor) -> Tensor:
    """g·v/‖v‖: (C_out, C_in, K) and (C_out, 1, 1) → (C_out, C_in, K).

    float32 by the compiled module, with the bits that a stack of convolutions works with, float64 by torch's fused
    operator; second derivatives, which torch's has wrong (torch 2.13; `test_weight_norm` compares), through plain
    operations, as all that a transform or a compiler looks at.
    """
    # The plain formula serves every shape, stride and type, the fused operator one of them.
    if not _fits_fused(v, g) or transformed() or not eager(v, g):
        return _plain(v, g)
    refuse_freed(v, g)
    if v.dtype == torch.float32 and missing() is None:
        return _Compiled.apply(plain(v), plain(g))  # pyright: ignore[reportReturnType]
    return _Fused.apply(plain(v), plain(g))  # pyright: ignore[reportReturnType]


def _fits_fused(v: Tensor, g: Tensor) -> bool:
    """Whether torch's fused operator can run: it looks at no size, and reads what it is not given."""
    shapes = v.dim() == 3 and g.shape == (v.shape[0], 1, 1) and 0 not in v.shape
    kinds = v.dtype == g.dtype in (torch.float32, torch.float64) and v.is_cpu and g.is_cpu
    return shapes and kinds and dense(v) is None and dense(g) is None and v.is_contiguous() and g.is_contiguous()


def _plain(v: Tensor, g: Tensor) -> Tensor:
    """The formula."""
    return v * (g / v.norm(dim=(1, 2), keepdim=True))


class _Compiled(Function):
    """The compiled module's, with its gradient: dg = v·dw/‖v‖, dv = g/‖v‖ (dw − v dg/‖v‖)."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, g: Tensor) -> Tensor:
        """Return w."""
        w, norms = torch.empty_like(v), torch.empty_like(g)
        ctx.forms = forms_of((v, g, norms))
        rows, length = v.shape[0], v.shape[1] * v.shape[2]
        compiled().weight_norm([address(t) for t in (v, g, w, norms)], rows, length, native.threads())
        ctx.save_for_backward(v, g, norms)
        return w

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients of v and g."""
        # Many gradients at once (vmap) have no address.
        if torch.is_grad_enabled() or is_legacy_batchedtensor(grads[0]) or not eager(grads[0]):
            v, g, _ = ctx.saved_tensors
            return tuple(gradients_again(lambda given: [_plain(*given)], (v, g), grads, ctx.needs_input_grad))
        saved = ctx.saved_tensors
        came_back(ctx.forms, saved)
        kept = [settled(t) for t in (*saved, *unchanged(plain(grads[0])))]
        v, g = kept[:2]
        assert v is not None
        assert g is not None
        dv, dg = torch.empty_like(v), torch.empty_like(g)
        rows, length = v.shape[0], v.shape[1] * v.shape[2]
        compiled().weight_norm_backward([address(t) for t in (*kept, dv, dg)], rows, length, native.threads())
        return dv, dg


class _Fused(Function):
    """The fused operator with its fused gradient."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, g: Tensor) -> Tensor:
        """Return w."""
        w, norms = torch.ops.aten._weight_norm_interface(v, g, 0)
        ctx.save_for_backward(v, g, norms)
        return w

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients of v and g."""
        v, g, norms = ctx.saved_tensors
        # The fused gradient's own derivative is the one that is wrong.
        if torch.is_grad_enabled() or not eager(grads[0]):
            return tuple(gradients_again(lambda given: [_plain(*given)], (v, g), grads, ctx.needs_input_grad))
        return torch.ops.aten._weight_norm_interface_backward(plain(grads[0]).contiguous(), v, g, norms, 0)
