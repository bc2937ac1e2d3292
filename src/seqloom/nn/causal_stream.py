"""`CausalStream`: a causal stack of layers one step at a time; `carry`: a long sequence in chunks.

A layer joins in by two methods of its own:
- `carry(x, context=None) -> (y, context)` for chunks;
- `wire(layers, source) -> (node, places)` where it is made of causal convolutions: it appends them to `layers`, the
  layers of an `ops.conv_stream.ConvStack`, and says which node holds its output and where its contexts are; or
  `stage(size, batch, backend) -> Stage` where it is more than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom.nn.causal_stages import ChainStage, PassStage, Places, StackStage, Stage, TorchStage
from seqloom.nn.receptive_field import POINTWISE, field_of, method_of
from seqloom.ops.conv_stream import CONV_STREAM_BACKENDS, ConvLayer
from seqloom.ops.step_face import StepFace, check_batch_size, to_array
from seqloom_runtime.errors import BackendError, SettingError, suggest

__all__ = [
    "CausalStream",
    "carry",
    "check_causal",
    "check_parts",
    "open_stream",
    "stage_of",
    "wire",
    "wire_chain",
    "wire_sum",
]

Wired = tuple[int, Places]


class CausalStream:
    """The state of running sequences through causal layers, and a copy of their weights.

    Made by `module.stream(batch_size)`, or `open_stream` for nn.Sequential. Equal to the module's evaluation run over
    the whole sequence, to the rounding of the weights' type. The weights are those of the moment when the stream was
    made. `step(x, out=None)` is that of `Stream`: x (B, C), or (C,) for a batch of 1; without `out` the result is a
    buffer that the next step writes over. `backend`: "native" or "numpy", what runs the convolutions. One stream
    belongs to one thread at a time.

    >>> from seqloom.nn import TCN
    >>> stream = TCN(3, [8, 8]).stream()
    >>> stream.step(np.zeros(3, dtype=np.float32)).shape
    (8,)
    """

    def __init__(self, module: nn.Module, batch_size: int = 1, backend: str = "auto"):
        """Copy the weights; the state is zeros. Raises as `open_stream`."""
        check_batch_size(batch_size)
        if backend not in CONV_STREAM_BACKENDS:
            near = suggest(str(backend), CONV_STREAM_BACKENDS)
            raise SettingError(f"backend must be one of {', '.join(CONV_STREAM_BACKENDS)}, not {backend!r}.{near}")
        check_causal(module)
        # Under weight norm the kernel is worked out here, and would bring its graph along.
        with torch.no_grad():
            self._stage = stage_of(module, None, batch_size, backend)
        if backend == "native" and self._stage.backend is None:
            raise BackendError(f"backend='native' is for convolutions, which {type(module).__name__} doesn't have.")
        stack = self._stage.stack if isinstance(self._stage, StackStage) else None
        # A plain stack of convolutions is its own face: a step is then one call of the compiled method.
        face: StepFace = _Staged(self._stage, batch_size) if stack is None else stack
        self.backend = self._stage.backend or "numpy"
        self.batch_size, self.input_size, self.output_size = batch_size, face.input_size, face.output_size
        self.dtype, self.step = face.dtype, face.step

    def reset(self) -> None:
        """Start new sequences: the rows before them are zeros again."""
        self._stage.set_state(_zeros(self._stage.get_state()))

    def state(self) -> Any:
        """Return a copy of the state: the context that the module's `carry` would return, as arrays."""
        return self._stage.get_state()

    def restore(self, state: Any) -> None:
        """Go on from what `state()`, or the module's `carry`, returned; arrays or tensors; a copy is taken.

        Raises SettingError where it doesn't fit; then nothing has changed.
        """
        # Fitted as a whole before any part is written.
        self._stage.set_state(_fitted(state, self._stage.get_state(), "state"))


class _Staged(StepFace):
    """A stage with the outside of a stream."""

    def __init__(self, stage: Stage, batch_size: int):
        super().__init__(batch_size, stage.inputs, stage.outputs, stage.dtype or np.dtype(np.float32))
        self._stage = stage

    def _slow(self, x: np.ndarray, y: np.ndarray) -> None:
        y[...] = self._stage.step(x)


def open_stream(module: nn.Module, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
    """Return a `CausalStream` of a causal layer, or of nn.Sequential of causal and point-wise layers.

    backend: "native", "numpy", or "auto" for the first of them that can. Raises SettingError for a module that looks
    ahead, with the reason, BackendError where the named backend can't run its convolutions.
    """
    return CausalStream(module, batch_size, backend)


def carry(module: nn.Module, x: Tensor, context: Any = None) -> tuple[Tensor, Any]:
    """Run a chunk of a long sequence: its outputs, and the context from which the chunk that follows goes on.

    module: a causal layer, or nn.Sequential of causal and point-wise layers. x: (B, T, C), any T. context: what the
    call before returned, None for the start; `seqloom.nn.detach` cuts its gradient. The chunks' outputs are those of
    the whole sequence. Raises SettingError for a module that looks ahead.

    >>> from seqloom.nn import TCN
    >>> tcn, x = TCN(1, [4, 4]).eval(), torch.ones(1, 7, 1)
    >>> first, context = carry(tcn, x[:, :3])
    >>> second, context = carry(tcn, x[:, 3:], context)
    >>> torch.allclose(torch.cat([first, second], dim=1), tcn(x))
    True
    """
    # The layer's own way first: it knows best what it needs to go on.
    own = method_of(module, "carry")
    if own is not None:
        return own(x, context)
    check_causal(module)
    if not isinstance(module, nn.Sequential):
        return module(x), check_parts(context, 0, type(module).__name__)
    after = []
    for part, before in zip(module, check_parts(context, len(module), type(module).__name__), strict=True):
        x, last = carry(part, x, before)
        after.append(last)
    return x, tuple(after)


def check_parts(context: Any, count: int, layer: str) -> tuple[Any, ...]:
    """The context of each of `count` parts; raises SettingError unless it is None or holds as many."""
    if context is None:
        return (None,) * count
    if not isinstance(context, (tuple, list)) or len(context) != count:
        found = f"{len(context)} parts" if isinstance(context, (tuple, list)) else type(context).__name__
        raise SettingError(f"the context of {layer} must be a tuple of {count} parts, as from carry, not {found}.")
    return tuple(context)


def check_causal(module: nn.Module) -> None:
    """Raise SettingError, with the reason, for a module that can't run step by step."""
    field, name = field_of(module), type(module).__name__
    if field.after > 0:
        ahead = "the whole sequence" if math.isinf(field.after) else f"inputs up to {field.after:g} steps later"
        raise SettingError(
            f"an output of {name} reads {ahead}, which a step doesn't have yet, so it can't run step by step: use "
            "causal layers (CausalConv1d, or padding='causal')."
        )
    # Most steps would have no output to return.
    if field.stride != 1:
        raise SettingError(
            f"{name} gives one output for {field.stride} inputs, so it can't run step by step: use stride 1."
        )


def stage_of(module: nn.Module, size: int | None, batch: int, backend: str) -> Stage:
    """Return the stage that runs a layer step by step; size: how many channels come in, where that is known."""
    layers: list[ConvLayer] = []
    wired = wire(module, layers, 0)
    if wired is not None and layers:
        return StackStage(layers, wired[1], batch, backend)
    own = method_of(module, "stage")
    if own is not None:
        return own(size, batch, backend)
    if isinstance(module, nn.Sequential) and len(module):
        stages: list[Stage] = []
        for part in module:
            stages.append(stage_of(part, stages[-1].outputs if stages else size, batch, backend))
        return ChainStage(stages)
    if size is None or not isinstance(module, (*POINTWISE, nn.LayerNorm, nn.Sequential)):
        raise SettingError(
            f"{type(module).__name__} can't begin a stream, which takes its number of channels from a layer of "
            "seqloom.nn or a linear one: put it behind such a layer."
        )
    return PassStage(size) if wired is not None else TorchStage(module, size)


def wire(module: nn.Module, layers: list[ConvLayer], source: int) -> Wired | None:
    """Append a layer's convolutions, reading node `source`: its output's node and its contexts' places.

    None, with nothing appended, for a module that is more than causal convolutions.
    """
    own = method_of(module, "wire")
    if own is not None:
        return own(layers, source)
    # Dropout passes everything in evaluation, which a stream is.
    if isinstance(module, (nn.Identity, nn.Dropout)):
        return source, ()
    if isinstance(module, nn.Linear):
        # A linear layer is a convolution of one tap, so it doesn't break a stack in two.
        layers.append(ConvLayer(module.weight[:, :, None], module.bias, source=source))
        return len(layers), ()
    if isinstance(module, nn.Sequential):
        return wire_chain(list(module), layers, source)
    return None


def wire_chain(modules: Sequence[nn.Module], layers: list[ConvLayer], source: int) -> Wired | None:
    """`wire` for layers one after the other."""
    count, places = len(layers), []
    for part in modules:
        wired = wire(part, layers, source)
        if wired is None:
            # All or nothing: half a chain in the stack would run twice.
            del layers[count:]
            return None
        source = wired[0]
        places.append(wired[1])
    return source, tuple(places)


def wire_sum(module: nn.Module, layers: list[ConvLayer], source: int) -> Wired | None:
    """`wire` for x + F(x): the last convolution of F adds x, where there is one that adds nothing else."""
    count = len(layers)
    wired = wire(module, layers, source)
    # The shortcut is added by the last convolution, so F must end with one, and with one that has room for it.
    if wired is None or wired[0] != len(layers) or len(layers) == count or layers[-1].residual is not None:
        del layers[count:]
        return None
    layers[-1] = replace(layers[-1], residual=source)
    return wired


def _zeros(state: Any) -> Any:
    return tuple(_zeros(part) for part in state) if isinstance(state, tuple) else np.zeros_like(state)


def _fitted(given: Any, own: Any, name: str) -> Any:
    """`given` as arrays like `own`; raises SettingError where it is built otherwise."""
    if isinstance(own, tuple):
        if not isinstance(given, (tuple, list)) or len(given) != len(own):
            found = f"{len(given)} parts" if isinstance(given, (tuple, list)) else type(given).__name__
            raise SettingError(f"{name} must be a tuple of {len(own)} parts, as state() returns it, not {found}.")
        return tuple(_fitted(one, other, f"{name}[{k}]") for k, (one, other) in enumerate(zip(given, own, strict=True)))
    array = to_array(given)
    if array.shape != own.shape:
        raise SettingError(f"{name} must have shape {own.shape}, not {array.shape}.")
    if array.dtype.kind not in "fiub":
        raise SettingError(f"{name} must hold real numbers, not {array.dtype}.")
    # astype copies, so the caller's array stays the caller's.
    return array.astype(own.dtype)
