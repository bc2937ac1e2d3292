"""`accelerate(model)`: the torch.nn.RNN, LSTM and GRU inside a built or trained model, moved to the engine in place.

A layer stays the object it is, with its parameters, hooks, mode and state dict; its class alone changes, to a subclass
of torch's whose forward pass is that of `nn.compat`. A class that someone derived from torch's keeps its methods: its
subclass here puts the engine right before torch's class, where `super().forward` finds it. Files that hold the model
name the classes as they were, so that they load where seqloom is not installed.
"""

from __future__ import annotations

import copy
import copyreg
import threading
import types
from dataclasses import dataclass, field
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from torch import nn

from seqloom.nn import compat
from seqloom_runtime.errors import SettingError, brief

__all__ = ["GRU", "LSTM", "RNN", "Accelerated", "accelerate", "convert", "convertible", "obstacle", "restore"]


class _Converted(nn.RNNBase):
    """How a converted layer is copied and stored: a copy stays converted, a file names torch's class."""

    plain: ClassVar[type[nn.RNNBase]]

    def __copy__(self) -> Any:
        other = object.__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        other = object.__new__(type(self))
        memo[id(self)] = other
        other.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return other

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The standard library's own function: pickle lets no `__newobj__` make an object of another class.
        make = copyreg._reconstructor  # pyright: ignore[reportAttributeAccessIssue]
        return make, (self.plain, object, None), self.__getstate__()

    def __prepare_scriptable__(self) -> nn.Module:
        """What `torch.jit.script` reads instead: the same layer in the class that it had."""
        other = copy.copy(self)
        restore(other)
        return other


class RNN(_Converted, compat.RNN):
    """A torch.nn.RNN that `accelerate` moved to the engine."""

    plain = nn.RNN


class LSTM(_Converted, compat.LSTM):
    """A torch.nn.LSTM that `accelerate` moved to the engine."""

    plain = nn.LSTM


class GRU(_Converted, compat.GRU):
    """A torch.nn.GRU that `accelerate` moved to the engine."""

    plain = nn.GRU


_CONVERTED: dict[type[nn.RNNBase], type[_Converted]] = {kind.plain: kind for kind in (RNN, LSTM, GRU)}
_ENGINES: dict[type[nn.RNNBase], type[compat.Engine]] = {nn.RNN: compat.RNN, nn.LSTM: compat.LSTM, nn.GRU: compat.GRU}
_CELLS = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
_OWN = ("__copy__", "__deepcopy__", "__reduce__", "__reduce_ex__", "__init_subclass__")
_derived: WeakValueDictionary[type[nn.RNNBase], type[_Converted]] = WeakValueDictionary()
_lock = threading.Lock()


def convertible(module: nn.Module) -> bool:
    """Whether the module is a recurrent layer or cell of torch, or derived from one, and not ours already."""
    return isinstance(module, (*_CONVERTED, *_CELLS)) and not isinstance(module, compat.Engine)


def obstacle(layer: nn.Module) -> str | None:
    """Why a `convertible` layer has to stay on torch's own code; None where it needn't."""
    name = type(layer).__name__
    if isinstance(layer, _CELLS):
        return f"a {name} runs one step for each call, where there is little to gain"
    if "forward" in vars(layer):
        return "its forward pass was replaced by another"
    why = None if type(layer) in _CONVERTED else _refused(type(layer))
    if why is not None:
        base = next(kind.__name__ for kind in _CONVERTED if isinstance(layer, kind))
        return f"its class {name}, derived from torch.nn.{base}, {why}"
    for parameter in layer.parameters():
        if parameter.device.type not in ("cpu", "meta") or parameter.dtype not in compat.RUNS:
            kind = str(parameter.dtype).removeprefix("torch.")
            return f"its weights are {kind} on {parameter.device}; the engine runs float32 and float64 on the processor"
    return None


def _refused(kind: type) -> str | None:
    """What a class derived from torch's has of its own that a subclass of it would break; None where nothing is."""
    for parent in kind.__mro__[: min(kind.__mro__.index(base) for base in _CONVERTED if issubclass(kind, base))]:
        for name in _OWN:
            if name in vars(parent):
                return f"has a {name} of its own"
        code = getattr(vars(parent).get("forward"), "__code__", None)
        # `super(type(self), self)` finds itself again in a subclass, for ever.
        if code is not None and "super" in code.co_names and {"__class__", "type"} & set(code.co_names):
            return "may call super() for the class of the object"
    try:
        _served(kind)
    except TypeError:
        return "can have no subclass"
    return None


def _served(kind: type[Any]) -> type[_Converted]:
    """The subclass that runs on the engine, of one of torch's three classes or of one derived from it.

    Raises TypeError for a class that can't have one.
    """
    if kind in _CONVERTED:
        return _CONVERTED[kind]
    with _lock:
        made = _derived.get(kind)
        if made is None:
            engine = next(ours for theirs, ours in _ENGINES.items() if issubclass(kind, theirs))
            names = {"plain": kind, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
            # The class itself first, whose layout in memory the other must have for an object to change over.
            bases = (kind, _Converted, engine)
            made = types.new_class(kind.__name__, bases, {}, lambda body: body.update(names))
            object.__setattr__(object.__new__(kind), "__class__", made)
            _derived[kind] = made
        return made


def convert(layer: nn.Module) -> None:
    """Move a layer without an `obstacle` to the engine."""
    layer.__class__ = _served(type(layer))


def restore(layer: nn.Module) -> None:
    """Give a converted layer the class back that it had; any other is left as it is."""
    if isinstance(layer, _Converted):
        layer.__class__ = layer.plain  # pyright: ignore[reportAttributeAccessIssue]


def leads(kind: type) -> bool:
    """Whether a class derived from torch's has a forward pass of its own, which may hand on to the engine's."""
    return getattr(kind, "forward", None) not in [base.forward for base in _CONVERTED]


@dataclass
class Accelerated:
    """What `accelerate` did to a model; printing it says so, a sentence for each layer.

    replaced: for each layer that was moved to the engine, its name inside the model and what it is, as
        `LSTM(14, 32, num_layers=2)`. left: for each that was not, its name and why.
    """

    replaced: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    _layers: list[nn.Module] = field(default_factory=list, repr=False)
    _leads: set[str] = field(default_factory=set, repr=False)

    def undo(self) -> None:
        """Give the layers that this call replaced the classes back that they had; twice does nothing more."""
        for layer in self._layers:
            restore(layer)

    def __str__(self) -> str:
        where = dict.fromkeys(self._leads, ", where its own forward pass calls super().forward")
        lines = [
            f"{name}: {what} runs on seqloom's engine{where.get(name, '')}." for name, what in self.replaced.items()
        ]
        lines += [f"{name}: left to torch, as {why}." for name, why in self.left.items()]
        return "\n".join(lines) or "The model has no torch.nn.RNN, LSTM or GRU: nothing to replace."


def accelerate(model: nn.Module) -> Accelerated:
    """Have every torch.nn.RNN, LSTM and GRU inside a model run on seqloom's engine, in place, and say what was done.

    model: any module, built or trained, with the layers anywhere inside; also a layer itself. Parameters, state dict,
    hooks, optimizers that hold the parameters and results (to rounding) stay what they are. A class derived from
    torch's keeps its methods: its `super().forward` runs on the engine. Layers on a GPU or in half precision are left
    alone, and said; a replaced one that moves to a GPU later runs torch's code there. Raises SettingError for what is
    no module.

    >>> model = nn.Sequential(nn.GRU(3, 5, batch_first=True))
    >>> done = accelerate(model)
    >>> print(done)
    0: GRU(3, 5, batch_first=True) runs on seqloom's engine.
    >>> done.undo()
    >>> type(model[0]) is nn.GRU
    True
    """
    if not isinstance(model, nn.Module):
        raise SettingError(
            f"model must be a torch.nn.Module, not {brief(type(model).__name__)}: give the network inside it (a "
            "library that wraps one often calls it .model)."
        )
    done = Accelerated()
    for name, module in list(model.named_modules()):
        called = name or "the model"
        if isinstance(module, compat.Engine):
            done.left[called] = "it runs on seqloom's engine already"
        elif convertible(module):
            why = obstacle(module)
            if why is not None:
                done.left[called] = why
                continue
            if leads(type(module)):
                done._leads.add(called)
            convert(module)
            done.replaced[called] = f"{type(module).__name__}({module.extra_repr()})"
            done._layers.append(module)
    return done
