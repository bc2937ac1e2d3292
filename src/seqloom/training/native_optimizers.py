"""Adam, AdamW, RMSprop and SGD of torch.optim, a whole step with its clipping in one call of the compiled module.

A step of a small model moves a few thousand numbers: torch's own takes 160 µs for a GRU's five arrays, most of it on
the way to its kernels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from seqloom.training.guards import clip_gradients, gradient_norm
from seqloom_runtime import native
from seqloom_runtime.errors import SettingError, shown

__all__ = ["SGD", "Adam", "AdamW", "OneCall", "RMSprop"]

_TYPES = frozenset((Tensor, Parameter))
_REAL = frozenset((torch.float32, torch.float64))
_Key = tuple[int, tuple[str | None, ...]]  # the group's number, and the names of a state's arrays
_NUMBERS = frozenset((float, int, bool))
_WIDTH = 9  # numbers of a group, and of a parameter
_UNUSUAL = ("maximize", "amsgrad", "centered", "differentiable", "capturable")


def _watched(function: Callable[..., Any]) -> Callable[..., Any]:
    """The step with torch's hooks and its note for profilers, which are looked for first: the note takes 10 µs."""
    told = Optimizer.profile_hook_step(function)

    @functools.wraps(function)
    def step(self: Any, *args: Any, **keywords: Any) -> Any:
        hooks = (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_optimizer_pre_hooks
            or _global_optimizer_post_hooks
        )
        profiled = torch.autograd._profiler_enabled()  # pyright: ignore[reportPrivateImportUsage]
        return (told if hooks or profiled else function)(self, *args, **keywords)

    setattr(step, "hooked", True)  # noqa: B010  what torch looks for before it puts hooks of its own around a step
    return step


class OneCall(Optimizer):
    """What the optimizers of this module share.

    Parameters on the CPU of float32 or float64 are moved by the compiled module; what it can't move (other types and
    devices, sparse gradients, amsgrad, centered, maximize, a rate that is a tensor) by torch. State and `state_dict`
    are torch's.
    """

    _rule: ClassVar[int]  # as in UpdateRule of optimizers.h
    _states: ClassVar[tuple[str | None, str | None]]  # the arrays first and second of UpdatedParameter
    _counts = True  # whether it keeps the number of steps

    @_watched
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the parameters by their gradients; returns what `closure`, called first, returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._move(self._gathered())
        return loss

    @_watched
    def clipped_step(self, *, clip_norm: float | None = None, clip_value: float | None = None) -> float:
        """Clip the gradient, move the parameters by it, and return its L2 norm before clipping.

        clip_norm: the gradient of all parameters together is scaled down to this norm where it is longer; clip_value:
        then each number is cut to ±clip_value. The gradients themselves stay as they are. A norm that is NaN or
        infinite, or whose square is beyond the parameters' type, is returned as NaN or infinity, and nothing moves.
        Raises SettingError where a bound is no number above 0.

        >>> weight = Parameter(torch.tensor([3.0, 4.0]))
        >>> weight.grad = torch.tensor([3.0, 4.0])
        >>> SGD([weight], lr=1.0).clipped_step(clip_norm=1.0)
        5.0
        >>> weight.data
        tensor([2.4000, 3.2000])
        """
        for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if value is not None and not 0 < value < math.inf:
                raise SettingError(f"{name}: expected a finite number above 0, got {shown(value)}.")
        self._opt_called = True  # what torch's schedulers ask, which watch `step` alone
        work = self._gathered()
        if not work.left:
            return self._move(work, (1.0, clip_norm or 0.0, clip_value or 0.0))
        # Of one norm, whoever moves which: torch's operations measure and clip what both will read.
        weights = [p for group in self.param_groups for p in group["params"]]
        norm = gradient_norm(weights)
        if math.isfinite(norm):
            own = [p.grad for p in weights]
            for p in weights:
                p.grad = None if p.grad is None else p.grad.clone()
            clip_gradients(weights, clip_norm, clip_value, norm)
            self._move(self._gathered())
            for p, gradient in zip(weights, own, strict=True):
                p.grad = gradient
        return norm

    def _gathered(self) -> _Work:
        """What the next step has to do."""
        work = _Work()
        compiled = _kernel() is not None and not torch.compiler.is_compiling()
        slots = self._known()
        for group in self.param_groups:
            numbers = self._numbers(group) if compiled else None
            key = None
            if numbers is not None:
                key = (len(work.groups) // _WIDTH, self._names(group))
                work.groups += numbers
            for p in group["params"]:
                gradient = p.grad
                if gradient is None:
                    continue
                slot = slots.get(id(p))
                if key is None or slot is None or not slot.holds(p, key):
                    slot = None if key is None else self._slot(work, p, key)
                if slot is None or not slot.takes(gradient):
                    work.left = True
                else:
                    work.add(slot, gradient if gradient.is_contiguous() else gradient.contiguous())
        return work

    def _known(self) -> dict[int, _Slot]:
        """The slots of earlier steps, by the parameter's id; none where someone put other states in their place."""
        states = list(map(id, self.state.values()))
        # Not among what torch copies and pickles of an optimizer, so it may be missing.
        if self.__dict__.get("_seen") != states:
            self._seen, self._slots = states, {}
        return self._slots

    def _numbers(self, group: dict[str, Any]) -> list[float] | None:
        """A group as the compiled module reads it, UpdateGroup of optimizers.h; None where it can't."""
        get = group.get
        numbers = [
            3 if get("decoupled_weight_decay") else self._rule,
            get("nesterov", False),
            group["lr"],
            group["weight_decay"],
            get("momentum", 0.0),
            get("dampening", 0.0),
            *(get("betas") or (0.0, get("alpha", 0.0))),
            get("eps", 0.0),
        ]
        unusual = any(map(get, _UNUSUAL)) or not _NUMBERS.issuperset(map(type, numbers))
        return None if unusual else numbers

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        """The names of a state's arrays: first and second of UpdatedParameter, and its step."""
        momentum = group.get("momentum") or "betas" in group
        return (self._states[0] if momentum else None, self._states[1], "step" if self._counts else None)

    def _slot(self, work: _Work, p: Tensor, key: _Key) -> _Slot | None:
        """What moves a parameter from now on; None where the compiled module can't."""
        if not _at_hand(p, p.dtype, p.numel()):
            return None
        names = key[1]
        state = self.state.get(p) or {}
        # Before the first step, or of torch's SGD, which saves that there is no momentum yet.
        fresh = all(value is None for value in state.values())
        if fresh and any(names):
            state = {name: torch.zeros_like(p) for name in names[:2] if name is not None}
            if self._counts:
                state["step"] = torch.zeros((), dtype=torch.float32)
            work.states.append((p, state))
        for name in names:
            kind, size = (torch.float32, 1) if name == "step" else (p.dtype, p.numel())
            if name is not None and not (name in state and _at_hand(state[name], kind, size)):
                return None
        slot = _Slot(p, state, key, fresh)
        if not fresh:
            self._slots[id(p)] = slot
        return slot

    def _move(self, work: _Work, clipping: Sequence[float] = (0.0, 0.0, 0.0)) -> float:
        """Do the work; returns the norm where it was asked for."""
        norm = 0.0
        if work.moved:
            kernel: Any = _kernel()
            norm = kernel(work.groups, work.rows, clipping, native.threads())
            # As any change in place does, so that a graph that still needs the old numbers is refused.
            torch.autograd.graph.increment_version(work.moved)
            if math.isfinite(norm):
                self.state.update(work.states)
        if work.left:
            hidden = [(p, p.grad) for p in work.moved]
            for p, _ in hidden:
                p.grad = None
            try:
                self._torch_step()
            finally:
                for p, gradient in hidden:
                    p.grad = gradient
        return norm

    def _torch_step(self) -> None:
        """The step of torch's class, without its hooks, which have run."""
        whole: Any = super().step
        getattr(whole.__func__, "__wrapped__", whole.__func__)(self) if getattr(whole, "hooked", False) else whole()


class _Slot:
    """A parameter with the arrays of its state, found fit for the compiled module once, and recognised from then on."""

    __slots__ = ("address", "arrays", "dtype", "key", "parameter", "row", "state")

    def __init__(self, p: Tensor, state: dict[str, Tensor], key: _Key, fresh: bool) -> None:
        """The numbers are those of UpdatedParameter in optimizers.h; the gradient's address comes with each step."""
        index, names = key
        self.parameter, self.state, self.key, self.dtype = p, state, key, p.dtype
        self.arrays = [(name, state[name]) for name in names if name is not None]
        self.address = p.data_ptr()
        places = [0 if name is None else state[name].data_ptr() for name in names]
        self.row = [index, p.dtype is torch.float64, fresh, p.numel(), self.address, 0, *places]

    def holds(self, p: Tensor, key: _Key) -> bool:
        """Whether nothing of it was replaced or moved."""
        if self.parameter is not p or self.address != p.data_ptr() or self.key != key:
            return False
        return all(self.state.get(name) is array for name, array in self.arrays)

    def takes(self, gradient: Tensor) -> bool:
        """Whether the compiled module can read a gradient."""
        return (
            type(gradient) is Tensor
            and gradient.layout is torch.strided
            and gradient.dtype is self.dtype
            and gradient.numel() == self.row[3]
            and not gradient.is_neg()
        )


class _Work:
    """What one step has to do."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.groups: list[float] = []
        self.rows: list[int] = []
        self.gradients: list[Tensor] = []  # held, as the rows have their addresses alone
        self.moved: list[Tensor] = []
        self.states: list[tuple[Tensor, dict[str, Tensor]]] = []  # of parameters that were never moved before
        self.left = False  # whether some parameters are torch's to move

    def add(self, slot: _Slot, gradient: Tensor) -> None:
        """Move that parameter by a contiguous gradient."""
        self.gradients.append(gradient)
        self.moved.append(slot.parameter)
        self.rows += slot.row
        self.rows[5 - _WIDTH] = gradient.data_ptr()


def _kernel() -> Callable[..., float] | None:
    """The compiled step; None in a pure-Python installation and in a runtime of a version that lacks it."""
    return getattr(native.module(), "optimizer_step", None)


def _at_hand(t: Tensor, dtype: torch.dtype, count: int) -> bool:
    """Whether it is an array of that many numbers of a type, one after the other, whose memory is there."""
    return (
        type(t) in _TYPES
        and t.layout is torch.strided
        and t.is_cpu
        and t.dtype is dtype
        and dtype in _REAL
        and t.numel() == count
        and not t.is_neg()
        and t.is_contiguous()
        and (t.data_ptr() != 0 or not count)
    )


class Adam(OneCall, torch.optim.Adam):
    """`torch.optim.Adam`, with the same arguments and state: fused with clipping on the CPU (see `OneCall`).

    m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − lr·m̂/(√v̂ + eps), with m̂ and v̂ corrected for their start at 0.
    Source: Kingma and Ba, arXiv 1412.6980.

    >>> weight = Parameter(torch.tensor([1.0]))
    >>> optimizer = Adam([weight], lr=0.1)
    >>> weight.grad = torch.tensor([0.3])
    >>> optimizer.step()
    >>> round(weight.item(), 4)
    0.9
    """

    _rule, _states = 2, ("exp_avg", "exp_avg_sq")


class AdamW(OneCall, torch.optim.AdamW):
    """`torch.optim.AdamW`: Adam whose weight decay is w ← (1 − lr·λ)w, apart from the gradient (see `OneCall`).

    Source: Loshchilov and Hutter, arXiv 1711.05101.
    """

    _rule, _states = 3, ("exp_avg", "exp_avg_sq")


class RMSprop(OneCall, torch.optim.RMSprop):
    """`torch.optim.RMSprop`: v ← αv + (1 − α)g², w ← w − lr·g/(√v + eps); see `OneCall`.

    With momentum b ← μb + g/(√v + eps), w ← w − lr·b.
    Source: Hinton, Srivastava and Swersky, Neural Networks for Machine Learning, lecture 6e (2012).
    """

    _rule, _states = 1, ("momentum_buffer", "square_avg")


class SGD(OneCall, torch.optim.SGD):
    """`torch.optim.SGD`: w ← w − lr·g, with momentum b ← μb + (1 − dampening)g, Nesterov's on request (see `OneCall`).

    Source: Sutskever et al., ICML 2013.
    """

    _rule, _states, _counts = 0, ("momentum_buffer", None), False
