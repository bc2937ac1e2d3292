"""Reading a saved model's fields and arrays: each is checked against what the others imply, else FormatError."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from seqloom_runtime.errors import FormatError, SeqloomError, brief, shown, suggest
from seqloom_runtime.limits import in_words, memory_left

from .memory import count_weights
from .model_folder import write_model

if TYPE_CHECKING:
    from .estimator import Estimator

__all__ = [
    "array_of",
    "damage_told",
    "field_of",
    "implied",
    "is_number",
    "load_network",
    "network_arrays",
    "plain",
    "refuse_stray",
    "same_spec",
    "saved_parameters",
    "spec_from_json",
    "texts_of",
    "with_parameters",
    "write_estimator",
]

_Estimator = TypeVar("_Estimator", bound="Estimator")
_Spec = TypeVar("_Spec")
_Network = TypeVar("_Network", bound="torch.nn.Module")


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Turn what a damaged model.json makes its reader raise into FormatError, the reason kept in its words."""
    try:
        yield
    except (FormatError, ImportError):
        raise
    except SeqloomError as error:
        raise FormatError(f"model.json: {error}") from error
    except MemoryError as error:
        raise FormatError(
            f"model.json: its sizes ask for more than the {in_words(memory_left())} that are free."
        ) from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        reason = brief(str(error).strip().partition("\n")[0], 160)
        raise FormatError(
            f"model.json: its fields and arrays don't fit together ({type(error).__name__}: {reason})."
        ) from error


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


def spec_from_json(kind: type[_Spec], value: Any, what: str = "network") -> _Spec:
    """A frozen dataclass of plain fields (text, numbers, bool, None, tuples of texts or whole numbers) from its JSON.

    Raises FormatError where a field is missing, unknown or of the wrong type.
    """
    wanted = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]  # each kind is a dataclass
    if not isinstance(value, Mapping) or set(value) != set(wanted):
        raise FormatError(f"{what}: expected the fields {', '.join(wanted)}, found {shown(value)}.")
    made = {}
    for name, hint in wanted.items():
        item = value[name]
        if not _fits(item, hint):
            raise FormatError(f"{what}: expected {hint} under {shown(name)}, found {shown(item)}.")
        made[name] = tuple(item) if isinstance(item, list) else item
    return kind(**made)


def same_spec(found: Any, described: Any) -> None:
    """Raise FormatError, naming the first field that differs, unless a saved specification is the one described."""
    if found == described:
        return
    for name, value in vars(described).items():
        if getattr(found, name) != value:
            if hasattr(value, "__dataclass_fields__"):
                same_spec(getattr(found, name), value)
            raise FormatError(
                f"model.json: the network differs from what the other fields say: its {name!r} is "
                f"{shown(getattr(found, name))}, they imply {shown(value)}."
            )


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


def refuse_stray(arrays: Mapping[str, np.ndarray], expected: Iterable[str]) -> None:
    """Raise FormatError for an array that is none of the `expected`: names, or their beginnings up to a dot."""
    names = set(expected)
    stray = sorted(name for name in arrays if name not in names and f"{name.partition('.')[0]}." not in names)
    if stray:
        raise FormatError(f"model.safetensors: {shown(stray[0])} belongs to nothing in model.json.")


def saved_parameters(header: Mapping[str, Any]) -> dict[str, Any]:
    """An estimator's parameters in a model folder's header; those of training that came later as they were before."""
    cell = {"layer_norm": False, "zoneout": 0.0, "peephole": False, "coupled": False, "weight_dropout": 0.0}
    return {**cell, "smooth_monitor": 0.0, "average_weights": None, **field_of(header, "parameters", dict)}


def array_of(arrays: Mapping[str, np.ndarray], name: str, kind: Any, axes: int) -> np.ndarray:
    """The array of that name, which must have that type and number of axes."""
    array = arrays.get(name)
    if array is None or array.dtype != kind or array.ndim != axes:
        found = "none" if array is None else f"{array.ndim} of {array.dtype}"
        raise FormatError(
            f"model.safetensors: expected {shown(name)} with {axes} axes of {np.dtype(kind)}, found {found}."
        )
    return array


def field_of(header: Any, name: str, kind: type) -> Any:
    """The value under `name`, which must be of that type."""
    if not isinstance(header, dict) or not isinstance(header.get(name), kind):
        raise FormatError(f"model.json: {shown(name)} is missing or of the wrong type.")
    return header[name]


def texts_of(header: Any, name: str) -> list[str]:
    """The list of texts under `name`."""
    items = field_of(header, name, list)
    if not all(isinstance(item, str) for item in items):
        raise FormatError(f"model.json: expected texts under {shown(name)}, found {shown(items)}.")
    return items


def implied(header: Any, name: str, value: Any) -> Any:
    """The value under `name`, which must equal what the other fields imply."""
    if not isinstance(header, dict) or name not in header:
        raise FormatError(f"model.json: {shown(name)} is missing.")
    found = header[name]
    if found != value or isinstance(found, bool) != isinstance(value, bool):
        raise FormatError(f"model.json: {shown(name)} is {shown(found)}, but the other fields imply {shown(value)}.")
    return value


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def plain(value: Any) -> Any:
    """A parameter as JSON can hold it: NumPy's numbers as Python's, tuples as lists, through dictionaries too."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _fits(value: Any, hint: str) -> bool:
    if isinstance(value, bool):
        return hint == "bool"
    if hint.endswith(" | None") and value is None:
        return True
    hint = hint.removesuffix(" | None")
    if hint == "tuple[str, ...]":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if hint == "tuple[int, ...]":
        return isinstance(value, list) and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    kinds: dict[str, Any] = {"str": str, "int": int, "bool": bool, "float": (int, float)}
    return isinstance(value, kinds[hint])
