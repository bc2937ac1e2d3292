"""`mse_loss`: the mean squared error, its gradient worked out in the same pass over the arrays."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from seqloom.ops.operators import address, compiled, dense, eager, missing, refuse_freed, room, settled, transformed
from seqloom_runtime import native
from seqloom_runtime.errors import BackendError, SettingError

__all__ = ["mse_loss"]

_BACKENDS = ("auto", "native", "torch")


def mse_loss(y: Tensor, target: Tensor, *, backend: str = "auto") -> Tensor:
    """mean((y − target)²) over all numbers, as `torch.nn.functional.mse_loss`, but y and target must have one shape.

    backend: "native" (CPU, float32; loss and gradient in one pass, the same bits for any number of threads), "torch",
    or "auto" for the first of them that can. Raises SettingError where the shapes differ, as (N,) against (N, 1) would
    be a mean over N² differences; BackendError where the native module was asked for and can't.

    >>> mse_loss(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 2.0]))
    tensor(2.)
    """
    for name, value in (("y", y), ("target", target)):
        if not isinstance(value, Tensor):
            raise SettingError(f"{name} must be a torch tensor, not {type(value).__name__}.")
        if (other := dense(value)) is not None:
            raise SettingError(f"{name} must be a dense tensor, not {other}.")
    if y.device != target.device or y.dtype != target.dtype:
        raise SettingError(
            f"y and target must be of one type on one device, not {y.dtype} on {y.device} and {target.dtype} on "
            f"{target.device}."
        )
    if y.shape != target.shape:
        raise SettingError(
            f"y and target must have one shape, not {tuple(y.shape)} and {tuple(target.shape)}: reshape one of them, "
            "as broadcasting would compare every number with every other."
        )
    if backend not in _BACKENDS:
        raise SettingError(f"backend must be one of {', '.join(_BACKENDS)}, not {backend!r}.")
    reason = None if backend == "torch" else _why_not(y, target)
    if backend == "native" and reason is not None:
        raise BackendError(f"the compiled mse_loss can't run here: {reason}.")
    if backend == "torch" or reason is not None:
        refuse_freed(y, target)
        return torch.nn.functional.mse_loss(y, target)
    if torch.is_grad_enabled() and (y.requires_grad or target.requires_grad):
        return _SquaredError.apply(y, target)  # pyright: ignore[reportReturnType]
    # No gradient will be asked for, so none is written.
    return _measure(y.detach(), target.detach(), None)


def _why_not(y: Tensor, target: Tensor) -> str | None:
    if transformed() or not eager(y, target):
        return "something looks at its operations one by one"
    if missing() is not None:
        return missing()
    if not (y.is_cpu and target.is_cpu) or y.dtype != torch.float32 or target.dtype != torch.float32:
        return f"it takes float32 on the CPU, not {y.dtype} on {y.device} and {target.dtype} on {target.device}"
    return None if y.numel() else "there is no number to compare"


def _measure(y: Tensor, target: Tensor, gradient: Tensor | None) -> Tensor:
    """The loss; its slope along y goes to `gradient`."""
    kept = [settled(y), settled(target)]
    count = y.numel()
    total = compiled().squared_error([*map(address, kept), address(gradient)], count, 2.0 / count, native.threads())
    return torch.tensor(total / count, dtype=y.dtype)


class _SquaredError(Function):
    """The loss with its gradient."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        gradient = room(compiled(), y, tuple(y.shape))
        # For a second backward pass and for second derivatives, which need the formula.
        ctx.save_for_backward(y, target)
        # Outside save_for_backward, which would hold on to an array that is to be handed out.
        ctx.gradient = gradient
        return _measure(y.detach(), target.detach(), gradient)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients of y and target."""
        y, target = ctx.saved_tensors
        (upstream,) = grads
        gradient, ctx.gradient = ctx.gradient, None  # handed out once: who gets it may write to it
        if gradient is None or torch.is_grad_enabled() or not eager(upstream):
            slope = (y - target) * (2.0 / y.numel()) * upstream
        else:
            # `loss.backward()` starts from 1: no second array then.
            slope = gradient if float(upstream) == 1.0 else gradient * upstream
        needs_y, needs_target = ctx.needs_input_grad
        return slope if needs_y else None, -slope if needs_target else None
