"""`seqloom.accelerate()`: from now on, or within a `with`, torch builds its RNN, LSTM and GRU on seqloom's engine.

torch's three constructors are wrapped, and what makes a layer from a file. A layer that they have made is converted
(`nn.accelerated`); so a library that imported the classes long before is served too. One table of what is at work holds
for all threads of the process.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any
from weakref import WeakSet

from torch import nn

from seqloom.nn.accelerated import convert, convertible, obstacle, restore

__all__ = ["Acceleration", "accelerate"]

_PLACES: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.RNN, "__init__"),
    (nn.LSTM, "__init__"),
    (nn.GRU, "__init__"),
    (nn.RNNBase, "__setstate__"),  # a model read from a file
)
_lock = threading.RLock()
_active: list[Acceleration] = []
_wrapped: dict[tuple[type[nn.Module], str], tuple[Callable[..., Any], Callable[..., Any]]] = {}  # torch's own, and ours


class Acceleration:
    """Torch's RNN, LSTM and GRU are built on seqloom's engine while this is at work; `accelerate` starts one.

    built: how many layers of each kind were. left: each class of layers that stayed with torch, and why.
    """

    def __init__(self) -> None:
        """Start at once."""
        self.built: Counter[str] = Counter()
        self.left: dict[str, str] = {}
        self._layers: WeakSet[nn.Module] = WeakSet()
        with _lock:
            if not _active:
                _wrap()
            _active.append(self)

    def stop(self) -> None:
        """Have torch build its own layers again; those built meanwhile stay on the engine. Twice does nothing more."""
        with _lock:
            if self in _active:
                _active.remove(self)
                if not _active:
                    _unwrap()

    def undo(self) -> None:
        """`stop`, and give the layers built meanwhile torch's own classes back."""
        self.stop()
        for layer in list(self._layers):
            restore(layer)

    def __enter__(self) -> Acceleration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __str__(self) -> str:
        lines = [f"{name}: {count} built on seqloom's engine." for name, count in sorted(self.built.items())]
        lines += [f"{name}: left to torch, as {why}." for name, why in self.left.items()]
        return "\n".join(lines) or "No torch.nn.RNN, LSTM or GRU has been built since accelerate() was called."


def accelerate() -> Acceleration:
    """Have any library build its torch.nn.RNN, LSTM and GRU on seqloom's engine: from now on, or within a `with`.

    Call it before the model is built; `seqloom.nn.accelerate(model)` serves one that is. The layers keep torch's
    signatures, first weights for the same `torch.manual_seed`, state dicts and results (to rounding), are instances of
    torch's classes, and files hold them as those, so that they load anywhere. Classes derived from torch's are served
    where they call `super().forward`. Layers on a GPU or in half precision stay with torch: `print` the result to read
    what was built and what was left. It holds for all threads; starts may be nested, and torch's own constructors are
    back when the last one ends.

    >>> with accelerate() as running:
    ...     layer = nn.LSTM(3, 5)
    >>> print(running)
    LSTM: 1 built on seqloom's engine.
    >>> type(layer).__module__, isinstance(layer, nn.LSTM), type(nn.LSTM(3, 5)) is nn.LSTM
    ('seqloom.nn.accelerated', True, True)
    """
    return Acceleration()


def _wrap() -> None:
    for kind, name in _PLACES:
        original = getattr(kind, name)
        ours = _serving(original, new=name == "__init__")
        setattr(kind, name, ours)
        _wrapped[kind, name] = (original, ours)


def _unwrap() -> None:
    for (kind, name), (original, ours) in _wrapped.items():
        # Whoever wrapped it once more keeps what they made: ours then only hands on.
        if vars(kind).get(name) is ours:
            setattr(kind, name, original)
    _wrapped.clear()


def _serving(original: Callable[..., Any], *, new: bool) -> Callable[..., Any]:
    """torch's method, after which the layer is converted where it can be."""

    @functools.wraps(original)
    def method(self: nn.Module, *arguments: Any, **named: Any) -> Any:
        result = original(self, *arguments, **named)
        if _active and convertible(self):
            _serve(self, new=new)
        return result

    return method


def _serve(layer: nn.Module, *, new: bool) -> None:
    kind = type(layer)
    why = obstacle(layer)
    if why is None:
        convert(layer)
    elif not new:
        return
    with _lock:
        for running in _active:
            if why is None:
                running.built[kind.__name__] += 1
                running._layers.add(layer)
            else:
                running.left[f"{kind.__module__}.{kind.__qualname__}"] = why
