"""Gradients that can be differentiated again: one way to them for every engine with a hand-written backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["gradients_again"]


def gradients_again(
    run: Callable[[list[Any]], Sequence[Tensor | None]],
    inputs: Sequence[Tensor | None],
    grads: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of `run(inputs)` as a differentiable function of the inputs and of `grads`.

    run: the readable version of a call, inputs to results. grads: the gradient of each result, None where it has none.
    needed: for each input whether its gradient is wanted. Returns one gradient for each input, None where not needed.

    The inputs that a backward pass has saved still carry the graph that made them: where one depends on another (a
    state and the input of the call before, the two ends of a shortcut), differentiating with respect to them would
    count the path between them as well, which is autograd's own business. So `run` gets aliases that know nothing of
    each other; what is differentiated later reaches the true inputs through them.
    """
    with torch.enable_grad():
        apart = [None if t is None else t.view_as(t) for t in inputs]
        results = run(apart)
    pairs = [(r, g) for r, g in zip(results, grads, strict=True) if r is not None and g is not None]
    wanted = [i for i, (t, need) in enumerate(zip(apart, needed, strict=True)) if need and t is not None]
    out: list[Tensor | None] = [None] * len(needed)
    if not pairs or not wanted:
        return out
    found = torch.autograd.grad(
        [r for r, _ in pairs],
        [t for i in wanted if (t := apart[i]) is not None],
        [g for _, g in pairs],
        # Many gradients at once (vmap) come this way too, and those may need no graph.
        create_graph=torch.is_grad_enabled(),
        # A layer of a stack whose output nothing reads has weights without a gradient.
        allow_unused=True,
    )
    for i, one in zip(wanted, found, strict=True):
        out[i] = one
    return out
