"""How far numbers are from what they should be: the losses that forecasts and targets of sequences share."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["number_loss"]


def number_loss(name: str, output: Tensor, target: Tensor) -> Tensor:
    """The loss of each number, of the shape that output and target share, with e = output − target.

    mse: e²; mae: |e|; huber: ½e² up to |e| = 1, |e| − ½ beyond (Huber 1964).
    """
    if name == "mse":
        return (output - target).square()
    if name == "mae":
        return (output - target).abs()
    # Unlike a difference, it refuses tensors of two types, as float64 scores and float32 targets are.
    return functional.huber_loss(output, target.to(output.dtype), reduction="none")
