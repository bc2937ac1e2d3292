"""Gradients: their norm, their clipping, and the search for the first value that is NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom.training.settings import FitSettings
from seqloom.training.trees import leaves
from seqloom_runtime.errors import TrainingError

__all__ = ["check_weights", "clip_gradients", "explain_bad_step", "gradient_norm"]


def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """The L2 norm of the whole gradient; 0 where there is none."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    # One foreach kernel and one transfer; a loop over weights would synchronise once for each.
    return torch.nn.utils.get_total_norm(gradients).item() if gradients else 0.0


def clip_gradients(
    parameters: Iterable[Tensor], clip_norm: float | None, clip_value: float | None, norm: float
) -> None:
    """Scale the gradient down to `clip_norm` where its `norm` is larger, then cut each element to ±`clip_value`."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if clip_norm is not None and norm > clip_norm:
        # torch's clip_grad_norm_ divides by norm + 1e-6; here the norm afterwards is clip_norm exactly.
        scale = clip_norm / norm
        for gradient in gradients:
            gradient.mul_(scale)
    if clip_value is not None:
        for gradient in gradients:
            gradient.clamp_(-clip_value, clip_value)


def explain_bad_step(
    loss: float,
    penalty: float | None,
    batch: Any,
    parameters: Mapping[str, nn.Parameter],
    epoch: int,
    step: int,
    settings: FitSettings,
) -> TrainingError:
    """The error for a step whose loss or gradient norm is not finite: names the first bad value.

    Looked through in the order of cause and effect: the batch, the weights, the loss, the penalty, the gradients.
    """
    place = f"at epoch {epoch}, step {step}"
    # What comes first caused what comes later: a NaN in the batch is in the loss and in every gradient too.
    for path, tensor in leaves(batch):
        bad = _bad_values(tensor)
        if bad:
            return TrainingError(f"{path} holds {bad} {place}; clean the data, then train again.")
    for name, parameter in parameters.items():
        bad = _bad_values(parameter.detach())
        if bad:
            return TrainingError(f"Weight {name!r} holds {bad} {place}, after the step before; {_advice(settings)}")
    if not math.isfinite(loss):
        return TrainingError(
            f"The loss is {loss} {place}, although batch and weights are finite; look for a division by zero or a "
            f"logarithm of zero in the loss, or {_advice(settings)}"
        )
    if penalty is not None and not math.isfinite(penalty):
        return TrainingError(f"The penalty is {penalty} {place}, although the weights are finite; lower its strength.")
    for name, parameter in parameters.items():
        bad = "" if parameter.grad is None else _bad_values(parameter.grad)
        if bad:
            return TrainingError(
                f"The gradient of {name!r} holds {bad} {place}, although the loss is {loss:g}; {_advice(settings)}"
            )
    return TrainingError(
        f"The norm of the gradient is too large for its number type {place}, although every element is finite; "
        f"{_advice(settings)}"
    )


def check_weights(parameters: Mapping[str, nn.Parameter], epoch: int, settings: FitSettings) -> None:
    """Raise TrainingError where a weight is not finite after an epoch: the last step may have broken it."""
    # One pass for the usual case. Where only the norm overflowed, the search below finds nothing and the run goes on.
    norm = torch.nn.utils.get_total_norm([p.detach() for p in parameters.values()])
    if math.isfinite(norm.item()):
        return
    for name, parameter in parameters.items():
        bad = _bad_values(parameter.detach())
        if bad:
            raise TrainingError(f"Weight {name!r} holds {bad} at the end of epoch {epoch}; {_advice(settings)}")


def _bad_values(value: Tensor | np.ndarray) -> str:
    """How many values are NaN or infinite, in words; empty where all are finite."""
    if isinstance(value, Tensor):
        if not (value.is_floating_point() or value.is_complex()):
            return ""
        nan, bad = int(torch.isnan(value).sum()), int((~torch.isfinite(value)).sum())
        count = value.numel()
    else:
        if value.dtype.kind not in "fc":
            return ""
        nan, bad, count = int(np.isnan(value).sum()), int((~np.isfinite(value)).sum()), value.size
    if not bad:
        return ""
    kind = "NaN" if nan == bad else "infinity" if not nan else "NaN and infinity"
    return f"{kind} in {bad} of {count} values"


def _advice(settings: FitSettings) -> str:
    clip = "" if settings.clip_norm is not None else " or set clip_norm=1.0"
    return f"lower learning_rate (now {settings.learning_rate:g}){clip}."
