"""Checks that the layers share: sizes, probabilities, seeds, inputs, masks; what torch.fx and torch.jit.script see."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom.ops.draws import remember
from seqloom.ops.operators import dense
from seqloom_runtime.errors import SettingError

__all__ = [
    "Drawing",
    "NotScriptable",
    "as_node",
    "check_input",
    "check_mask",
    "check_probability",
    "check_size",
    "generator_of",
    "kept_only",
    "symbolic",
    "tensor_of",
    "type_told",
]


class NotScriptable:
    """Base of modules that `torch.jit.script` can't read: it says so, and what to take instead, before it tries."""

    def __prepare_scriptable__(self) -> Any:
        raise SettingError(
            f"torch.jit.script can't read {type(self).__name__}, whose sums run on seqloom's engine: use torch.export, "
            "or torch.jit.trace on the module in evaluation."
        )


class Drawing(nn.Module):
    """Base of modules that draw from `generator`, of which a copy has one of its own."""

    generator: torch.Generator

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        remember(self.generator)


def symbolic(x: Any) -> bool:
    """Whether x is a proxy of `torch.fx`, which follows a program without numbers."""
    return not isinstance(x, Tensor) and type(x).__name__ == "Proxy" and type(x).__module__.startswith("torch.fx")


def tensor_of(x: Any, module: nn.Module) -> Any:
    """An array of NumPy as a tensor of the module's type and place; anything else as it is, for the checks to see.

    Raises SettingError for an array that holds no numbers.
    """
    if not isinstance(x, np.ndarray):
        return x
    if x.dtype.kind not in "fiub":
        raise SettingError(f"x of {type(module).__name__} must hold real numbers, not an array of {x.dtype}.")
    own = next(module.parameters(), None)
    wanted = own is not None and own.is_floating_point()
    dtype, device = (own.dtype, own.device) if own is not None and wanted else (torch.get_default_dtype(), None)
    # Contiguous: torch takes no array that runs backwards.
    return torch.as_tensor(np.ascontiguousarray(x)).to(device=device, dtype=dtype)


def type_told(x: Any) -> str:
    """The type of what is no tensor, for a sentence; with what to do about a recurrent layer's pair."""
    if isinstance(x, tuple):
        return (
            "tuple. A recurrent layer returns (output, state): in nn.Sequential put seqloom.nn.Outputs around it, "
            "elsewhere take the first of the pair"
        )
    return type(x).__name__


def as_node(module: nn.Module, x: Any, *arguments: Any, **keywords: Any) -> Any:
    """The call of a module as one node of the graph that `torch.fx` makes, as torch's own layers are.

    Raises SettingError where the module is the whole program, in which there is nothing for torch.fx to see.
    """
    try:
        path = x.tracer.path_of_module(module)
    # What the tracer raises for a module that it doesn't hold.
    except NameError:
        path = ""
    if not path:
        raise SettingError(
            f"torch.fx can't look inside {type(module).__name__}, it sees it as one node: trace a module that holds it."
        )
    return x.tracer.create_proxy("call_module", path, (x, *arguments), keywords)


def check_size(name: str, value: object, least: int = 1) -> int:
    """Return a whole number of at least `least`; raises SettingError naming the argument."""
    # bool is an int to Python: True would pass for 1.
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(f"{name} must be a whole number, {least} or more, not {value!r}.")
    return value


def check_probability(name: str, value: float) -> float:
    """Return a probability of dropping something; raises SettingError unless it is at least 0 and below 1."""
    # At 1 everything is dropped, and the scale 1/(1 − p) divides by 0.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
        raise SettingError(f"{name} is a probability: at least 0 and below 1, not {value!r}.")
    return float(value)


def generator_of(seed: int | torch.Generator) -> torch.Generator:
    """Return the generator for a seed, or the one that is given, known to compiled graphs."""
    if isinstance(seed, torch.Generator):
        # Shared, not copied: layers that are given one generator draw one after the other.
        return remember(seed)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise SettingError(f"seed must be an int or a torch.Generator, not {type(seed).__name__}.")
    return remember(torch.Generator().manual_seed(seed))


def check_input(layer: str, x: Tensor, channels: int | None = None) -> None:
    """Raise SettingError unless x is (B, T, channels); None stands for any number of channels."""
    if isinstance(x, Tensor) and (other := dense(x)) is not None:
        raise SettingError(f"x of {layer} must be a dense tensor, not {other}.")
    # Pools have no weights whose type x would have to match.
    if channels is None and isinstance(x, Tensor) and not x.is_floating_point():
        raise SettingError(f"x of {layer} must hold floating-point numbers, not {x.dtype}: call .float() on it.")
    if isinstance(x, Tensor) and x.dim() == 3 and channels in (None, x.shape[2]):
        return
    wanted = f"(batch, time, {'channels' if channels is None else f'{channels} channels'})"
    found = tuple(x.shape) if isinstance(x, Tensor) else type_told(x)
    hint = ""
    # The commonest mistake of those who come from torch.nn.Conv1d.
    if isinstance(x, Tensor) and x.dim() == 3 and x.shape[1] == channels:
        hint = " It looks like (batch, channels, time), as torch.nn.Conv1d takes it: give x.transpose(1, 2)."
    raise SettingError(f"x of {layer} must have shape {wanted}, not {found}.{hint}")


def check_mask(mask: Tensor, x: Tensor) -> None:
    """Raise SettingError unless mask is (B, T) bool for x (B, T, C)."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.shape != x.shape[:2]:
        found = f"{mask.dtype} of {tuple(mask.shape)}" if isinstance(mask, Tensor) else type(mask).__name__
        raise SettingError(f"mask must be bool of shape (batch, time) = {tuple(x.shape[:2])}, not {found}.")


def kept_only(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return x (B, T, C) with zeros at masked steps, whatever stood there; raises as `check_mask`."""
    if mask is None:
        return x
    check_mask(mask, x)
    # Not a product with the mask: 0·NaN is NaN, and padding may hold anything.
    return x.masked_fill(~mask[:, :, None], 0.0)
