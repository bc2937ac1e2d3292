"""The optimizer of a run, and its state as named tensors and JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.training.dynamo import optimizers_without_dynamo
from seqloom.training.native_optimizers import SGD, Adam, AdamW, OneCall, RMSprop
from seqloom.training.settings import FitSettings
from seqloom_runtime.errors import SettingError, shown

__all__ = ["make_optimizer", "optimizer_state", "restore_optimizer", "trainable"]


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, tied ones once; raises SettingError where there is none."""
    found = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not found:
        raise SettingError(
            f"{type(module).__name__} has no parameter that requires a gradient; there is nothing to train."
        )
    for name, parameter in found.items():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise SettingError(
                f"Weight {name!r} has no shape yet; run one batch through the module before training it."
            )
    return found


def make_optimizer(settings: FitSettings, parameters: Mapping[str, nn.Parameter]) -> OneCall:
    """The optimizer that the settings name, with torch's defaults for what they don't say.

    What the compiled module can't move, torch's fused kernels do where there are some.
    """
    optimizers_without_dynamo()
    weights = list(parameters.values())
    common: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.optimizer == "rmsprop":
        # torch has no fused RMSprop.
        return RMSprop(weights, momentum=settings.momentum, **common)
    # None leaves the choice to torch where the fused kernels have no version for a device or a complex weight.
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in weights) or None
    if settings.optimizer in ("sgd", "nt-asgd"):  # the latter's mean is `averaging.MeanWeights`
        return SGD(weights, momentum=settings.momentum, fused=fused, **common)
    kind = AdamW if settings.optimizer == "adamw" else Adam
    return kind(weights, fused=fused, **common)


def optimizer_state(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Its state as tensors and as JSON values, both under "parameter/key"."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            (tensors if isinstance(value, Tensor) else values)[f"{name}/{key}"] = value
    return tensors, values


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    tensors: Mapping[str, Tensor],
    values: Mapping[str, Any],
    settings: FitSettings,
) -> None:
    """Put a saved state back; raises ValueError for a state of another parameter, shape, type or optimizer."""
    for path, value in [*tensors.items(), *values.items()]:
        # From the right: names of parameters may hold a slash, keys of an optimizer don't.
        name, _, key = path.rpartition("/")
        if name not in parameters:
            raise ValueError(f"an optimizer state for {shown(name)}, which is not trained")
        parameter = parameters[name]
        if isinstance(value, Tensor):
            # The step count is a tensor without axes.
            if value.dim() and value.shape != parameter.shape:
                raise ValueError(f"the optimizer's {shown(path)} has shape {shown(tuple(value.shape))}")
            value = value.to(parameter.device)
        optimizer.state[parameter][key] = value
    for name, parameter in parameters.items():
        state = optimizer.state.get(parameter)
        if state and _kinds(state) != (expected := _kinds(_state_after_a_step(settings, parameter))):
            raise ValueError(f"the optimizer's state for {name!r} holds {shown(_kinds(state))}, expected {expected}")


def _kinds(state: Mapping[str, Any]) -> dict[str, str]:
    """What a state holds under each name: a number, or a tensor of some type."""
    return {
        key: f"{value.dtype}{' number' if value.dim() == 0 else ''}"
        if isinstance(value, Tensor)
        else type(value).__name__
        for key, value in sorted(state.items())
    }


def _state_after_a_step(settings: FitSettings, parameter: nn.Parameter) -> Mapping[str, Any]:
    """The state that an optimizer has for a weight of that type once it was moved, taken from a twin of one number."""
    # Asked of torch itself, so that a new version with another state needs no change here.
    twin = nn.Parameter(torch.zeros((1,) * parameter.dim(), dtype=parameter.dtype, device=parameter.device))
    twin.grad = torch.zeros_like(twin)
    other = make_optimizer(settings, {"twin": twin})
    other.step()
    return other.state[twin]
