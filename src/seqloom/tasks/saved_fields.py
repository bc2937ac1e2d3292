"""Reading a saved model's fields and arrays: each is checked against what the others imply, else FormatError."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from seqloom_runtime.errors import FormatError, shown, suggest
from seqloom_runtime.model_folder import write_model
from seqloom_runtime.saved_fields import field_of, plain

from .memory import count_weights

if TYPE_CHECKING:
    from .estimator import Estimator

__all__ = [
    "load_network",
    "network_arrays",
    "saved_parameters",
    "with_parameters",
    "write_estimator",
]

_Estimator = TypeVar("_Estimator", bound="Estimator")
_Spec = TypeVar("_Spec")
_Network = TypeVar("_Network", bound="torch.nn.Module")


def with_parameters(kind: type[_Estimator], parameters: Mapping[str, Any]) -> _Estimator:
    """An unfitted estimator with saved parameters.

    Raises FormatError for missing and unknown names, SettingError for values out of range.
    """
    defaults = {name: p.default for name, p in inspect.signature(kind.__init__).parameters.items()}
    del defaults["self"]
    for name in [*parameters, *defaults]:
        if name not in defaults or name not in parameters:
            what = "missing." if name in defaults else f"unknown.{suggest(name, defaults)}"
            raise FormatError(f"model.json: the parameter {shown(name)} is {what}")
    # JSON has no tuples; an estimator's defaults are tuples, never lists.
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}
    estimator = kind(**values)
    estimator._check_parameters()
    return estimator


def write_estimator(
    estimator: Estimator,
    path: str | os.PathLike[str],
    task: str,
    facts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    network: tuple[Any, torch.nn.Module] | None = None,
) -> None:
    """Write a fitted estimator to the folder `path`: parameters, `facts`, what was counted and said, and all arrays.

    `network` is the specification of a network and the network; `facts` may hold parameters in a form of their own.
    Raises as `write_model`.
    """
    # The order of the file: parameters, facts, count and notes, network.
    body = {"parameters": plain(estimator.get_params()), **facts}
    body |= {name: getattr(estimator, f"{name}_") for name in ("n_parameters", "notes")}
    if network is not None:
        spec, module = network
        body["network"] = spec.to_json()
        arrays = {**arrays, **network_arrays(module)}
    write_model(path, task, body, arrays)


def network_arrays(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """A network's weights by the names that they are saved under, tied ones once.

    A network whose parts have other names than in the first models says so in `saved_as`: {beginning of a name here:
    beginning in the file}.
    """
    return {f"network.{name}": tensor.numpy() for name, tensor in _saved(network).items()}


def load_network(make: Callable[[], _Network], arrays: Mapping[str, np.ndarray]) -> _Network:
    """The network that `make` builds, with the saved weights, ready to predict.

    Raises FormatError where the file holds another number of weights, before a network of a damaged size is built, and
    where names, shapes or types differ, or a weight is not finite.
    """
    weights = {name.removeprefix("network."): a for name, a in arrays.items() if name.startswith("network.")}
    found, expected = sum(array.size for array in weights.values()), count_weights(make, buffers=True)
    if found != expected:
        raise FormatError(
            f"model.safetensors: the network that model.json describes has {expected} weights, the file holds {found}."
        )
    network = make()
    own = _saved(network)
    if set(own) != set(weights):
        odd = sorted(set(own) ^ set(weights))[0]
        raise FormatError(
            f"model.safetensors: the weights don't fit the network that model.json names: {shown(odd)} is on one "
            "side only."
        )
    for name, tensor in own.items():
        array = weights[name]
        if array.dtype != np.float32 or tuple(tensor.shape) != array.shape:
            raise FormatError(
                f"model.safetensors: expected {shown(name)} of shape {tuple(tensor.shape)} and float32, found "
                f"{array.shape} and {array.dtype}."
            )
        if name.endswith("running_var") and (array < 0).any():
            raise FormatError(f"model.safetensors: {shown(name)} holds variances below 0.")
        if not np.isfinite(array).all():
            raise FormatError(f"model.safetensors: {shown(name)} holds NaN or infinite weights.")
        tensor.copy_(torch.from_numpy(array.copy()))
    return network.eval()


def _saved(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What a network's state holds, without gradients, by the saved names; of tied tensors the first alone."""
    renamed: Mapping[str, str] = getattr(network, "saved_as", {})
    found, seen = {}, set()
    for name, tensor in network.state_dict().items():
        if tensor.numel() and tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        for ours, saved in renamed.items():
            if name.startswith(ours):
                name = saved + name.removeprefix(ours)
                break
        found[name] = tensor
    return found


def saved_parameters(header: Mapping[str, Any]) -> dict[str, Any]:
    """An estimator's parameters in a model folder's header; those of training that came later as they were before."""
    cell = {"layer_norm": False, "zoneout": 0.0, "peephole": False, "coupled": False, "weight_dropout": 0.0}
    return {**cell, "smooth_monitor": 0.0, "average_weights": None, **field_of(header, "parameters", dict)}
