"""Fields and arrays of a saved model: each is checked against what the others imply, else FormatError."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from .errors import FormatError, SeqloomError, brief, shown
from .limits import in_words, memory_left

__all__ = [
    "array_of",
    "damage_told",
    "field_of",
    "implied",
    "is_number",
    "plain",
    "refuse_stray",
    "same_spec",
    "spec_from_json",
    "texts_of",
]

_Spec = TypeVar("_Spec")


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


def refuse_stray(arrays: Mapping[str, np.ndarray], expected: Iterable[str]) -> None:
    """Raise FormatError for an array that is none of the `expected`: names, or their beginnings up to a dot."""
    names = set(expected)
    stray = sorted(name for name in arrays if name not in names and f"{name.partition('.')[0]}." not in names)
    if stray:
        raise FormatError(f"model.safetensors: {shown(stray[0])} belongs to nothing in model.json.")


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
