"""`rule`: how each layer writes its ONNX operators, found by its very class: one derived from it may differ.

`Export` is one export under way, `Value` a tensor of its graph. The rules are in `nn.onnx_layers`, `nn.onnx_recurrent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from seqloom.nn.onnx_cells import ONNX_ACTIVATIONS
from seqloom.nn.onnx_graph import Graph
from seqloom.ops.activations import Activation, activation_name
from seqloom_runtime.errors import SettingError

__all__ = ["Export", "Value", "activated", "rule", "tensor"]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: (batch, steps, width), or (batch, width) where `steps` is None."""

    name: str
    width: int
    steps: str | None = "time"


@dataclass
class Export:
    """One export under way. lengths: the name of the input (batch) of row lengths, where there is one."""

    graph: Graph
    stateful: bool = False
    lengths: str | None = None
    path: tuple[str, ...] = ()

    def inside(self, name: str) -> Export:
        """The same for a module inside the one at hand."""
        return replace(self, path=(*self.path, name))

    def called(self, name: str) -> str:
        """A name of this module's own: the name, and where the module stands in the model."""
        return "_".join((name, *self.path))

    def state(self, name: str, axes: list[int | str], about: str) -> tuple[str, str]:
        """Declare an input of state, zeros at first; returns its name and that of the output to declare beside it."""
        given, after = self.called(name), self.called(f"{name}_next")
        self.graph.input(given, axes, f"{about}: zeros at first, then {after}")
        self.graph.metadata.setdefault("state", {})[given] = after
        return given, after

    def where(self) -> str:
        """Where the module stands, for a sentence."""
        return f"layer {'.'.join(self.path)}" if self.path else "the module"

    def apply(self, module: nn.Module, x: Value) -> Value:
        """Write a module's operators; raises SettingError for one without a rule."""
        found = _RULES.get(type(module))
        if found is None:
            known = ", ".join(sorted(kind.__name__ for kind in _RULES if kind.__module__.startswith("seqloom")))
            raise SettingError(
                f"{self.where()} is a {type(module).__name__}, which has no ONNX form here: it must be one of "
                f"seqloom.nn's {known}, or torch.nn's Linear, Sequential, activations, LayerNorm, Dropout or Identity."
            )
        return found(self, module, x)

    def refuse(self, why: str) -> SettingError:
        """The exception that says why this module can't be exported."""
        return SettingError(f"{self.where()} can't be exported to ONNX: {why}.")


_Rule = Callable[[Export, Any, Value], Value]
_RULES: dict[type[nn.Module], _Rule] = {}


def rule(*kinds: type[nn.Module]) -> Callable[[_Rule], _Rule]:
    """Register a function as the rule of classes of modules."""

    def register(function: _Rule) -> _Rule:
        _RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def activated(export: Export, name: str, activation: Activation) -> str:
    """A value behind an activation function of `ops.activations`."""
    known = activation_name(activation)
    if known is None:
        told = activation if isinstance(activation, str) else "a Python function"
        raise export.refuse(f"its activation is {told}; ONNX's are {', '.join(ONNX_ACTIVATIONS)}")
    if known == "identity":
        return name
    operator, alpha, beta = ONNX_ACTIVATIONS[known]
    given: dict[str, Any] = {"alpha": alpha, "beta": beta}
    return export.graph.node(operator, name, **{key: value for key, value in given.items() if value is not None})


def tensor(export: Export, name: str, value: Tensor) -> str:
    """A weight of the module at hand."""
    return export.graph.weight(export.called(name), value)
