"""A module's weights by name, tied ones once, and the copy of the best epoch's."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import FormatError, shown

__all__ = ["BestWeights", "check_weights", "load_weights", "unique_weights"]


def unique_weights(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Parameters and buffers by name, each storage once, and the alias table {other name: name it is saved under}.

    Buffers that `state_dict` leaves out (persistent=False) are included: training goes on from them too.
    """
    tensors: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    seen: dict[object, str] = {}
    named = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    for name, tensor in named:
        # Tied by storage, not by identity: views that share memory are one weight too. Empty tensors all have address
        # 0.
        place = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype) if tensor.numel() else id(tensor)
        first = seen.setdefault(place, name)
        if first == name:
            tensors[name] = tensor.detach()
        else:
            aliases[name] = first
    return tensors, aliases


def load_weights(module: nn.Module, saved: Mapping[str, Tensor], aliases: Mapping[str, str], where: str) -> None:
    """Copy saved tensors into the module; nothing is copied unless all fit. Raises as `check_weights`."""
    check_weights(module, saved, aliases, where)
    with torch.no_grad():
        for name, tensor in unique_weights(module)[0].items():
            tensor.copy_(saved[name])


def check_weights(module: nn.Module, saved: Mapping[str, Tensor], aliases: Mapping[str, str], where: str) -> None:
    """Raise FormatError, naming the first name, tie, shape or dtype of saved tensors that differs from the module's.

    `where` says where they were saved.
    """
    own, own_aliases = unique_weights(module)
    # Sorted, because the order of names in a file is the file's, and the error should not depend on it.
    for name in [*own, *sorted(saved)]:
        if (name in own) != (name in saved):
            here, there = ("has", "doesn't hold") if name in own else ("lacks", "holds")
            raise FormatError(
                f"{where}: the module {here} {shown(name)}, which the checkpoint {there}; it is of another network."
            )
    # A tie that exists on one side only would load, and then train another network.
    if own_aliases != dict(aliases):
        name = sorted(set(own_aliases.items()) ^ set(aliases.items()))[0][0]
        raise FormatError(
            f"{where}: {shown(name)} is tied to another weight in the module or in the checkpoint, not in both."
        )
    for name, tensor in own.items():
        if tensor.shape != saved[name].shape or tensor.dtype != saved[name].dtype:
            raise FormatError(
                f"{where}: expected {shown(name)} of shape {tuple(tensor.shape)} and {tensor.dtype}, found "
                f"{shown(tuple(saved[name].shape))} and {saved[name].dtype}."
            )


class BestWeights:
    """A copy of the weights of the best epoch so far."""

    def __init__(self, module: nn.Module):
        """Watch `module`; nothing is copied yet."""
        self._module = module
        self.tensors: dict[str, Tensor] = {}

    def keep(self) -> None:
        """Copy the weights as they are now."""
        self.tensors = {name: tensor.clone() for name, tensor in unique_weights(self._module)[0].items()}

    def restore(self) -> None:
        """Put the copy into the module."""
        load_weights(self._module, self.tensors, unique_weights(self._module)[1], "best weights")
