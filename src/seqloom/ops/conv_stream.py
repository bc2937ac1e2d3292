"""A stack of causal convolutions one step at a time: `ConvLayer` describes a layer, `ConvStack` runs them.

Each layer keeps the rows that its kernel looks back on in a ring, so that a step costs one row of every layer, however
long the kernel reaches. Dropout is off, as in evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom.ops.activations import Activation, activation_name, check_activation
from seqloom.ops.operators import ACTIVATION_CODES
from seqloom.ops.step_face import StepFace, check_batch_size, to_array
from seqloom.ops.stream import in_place
from seqloom.ops.weight_norm import weight_norm
from seqloom_runtime import native
from seqloom_runtime.errors import BackendError, SettingError, suggest
from seqloom_runtime.forward.step_conv import StepConv, StepConvs

__all__ = ["CONV_STREAM_BACKENDS", "ConvLayer", "ConvStack", "wire_layers"]

CONV_STREAM_BACKENDS = ("auto", "native", "numpy")


@dataclass(frozen=True, eq=False)
class ConvLayer:
    """One causal convolution of a stack: y = ψ(φ(conv(source) + b) + residual), as `ops.causal_conv`.

    weight: (C_out, C_in, K), a tensor or an array; bias: (C_out) or None; dilation: rows between taps.
    activation, final_activation: φ and ψ, names of `ops.activations` or callables.
    source, residual: whose output the layer reads and adds: 0 is the stack's input, j the j-th layer's output (1 for
    the first layer). Without `source` it reads the layer before it; without `residual` it adds nothing.
    dropout: of the numbers between φ and the residual, in training alone.
    gain: g (C_out, 1, 1) of weight norm, a tensor; the layer's kernel is then g·weight/‖weight‖ (`ops.weight_norm`).
    """

    weight: Any
    bias: Any = None
    dilation: int = 1
    activation: Activation = "identity"
    final_activation: Activation = "identity"
    source: int | None = None
    residual: int | None = None
    dropout: float = 0.0
    gain: Any = None

    def kernel(self) -> Any:
        """What multiplies the inputs, (C_out, C_in, K)."""
        return self.weight if self.gain is None else weight_norm(self.weight, self.gain)


class ConvStack(StepFace):
    """The state of running sequences through a stack of causal convolutions, and a copy of its weights.

    Equal to `causal_conv` layer by layer over the whole sequence, to the rounding of the weights' type. Nothing is
    allocated from step to step. One stack belongs to one thread at a time. `backend` says what runs it: "native", or
    "numpy" for float64, callables and installations without the compiled module.

    >>> stack = ConvStack([ConvLayer(np.ones((1, 1, 2), dtype=np.float32), dilation=2)])
    >>> [float(stack.step(np.array([v], dtype=np.float32))[0]) for v in (1.0, 2.0, 4.0, 8.0)]
    [1.0, 2.0, 5.0, 10.0]
    """

    def __init__(self, layers: Sequence[ConvLayer], batch_size: int = 1, backend: str = "auto"):
        """Copy the weights; the state is zeros. The last layer's output is the stack's.

        Raises SettingError where layers don't fit together, BackendError where the named backend can't run them.
        """
        check_batch_size(batch_size)
        if backend not in CONV_STREAM_BACKENDS:
            near = suggest(str(backend), CONV_STREAM_BACKENDS)
            raise SettingError(f"backend must be one of {', '.join(CONV_STREAM_BACKENDS)}, not {backend!r}.{near}")
        arrays = _arrays(layers)
        wired = wire_layers(layers, [weight.shape[:2] for weight, _ in arrays])
        dtype = arrays[0][0].dtype
        super().__init__(batch_size, arrays[0][0].shape[1], arrays[-1][0].shape[0], dtype)
        reason = _not_native(layers, dtype)
        if backend == "native" and reason is not None:
            raise BackendError(f"backend='native' can't run this stream: {reason}. Use backend='auto'.")
        self.backend = "numpy" if backend == "numpy" or reason is not None else "native"
        self._core: Any
        if self.backend == "numpy":
            steps = [
                StepConv(
                    *pair, layer.dilation, in_place(layer.activation), in_place(layer.final_activation), batch_size
                )
                for layer, pair in zip(layers, arrays, strict=True)
            ]
            self._core = StepConvs(steps, wired)
        else:
            self._core = _NativeConvs(layers, arrays, wired, batch_size, (self._y, self._row))
            self._fast = self._core.step

    def _slow(self, x: np.ndarray, y: np.ndarray) -> None:
        self._core.step(x, y)

    def reset(self) -> None:
        """Start new sequences: the rows before them are zeros again."""
        self._core.set_state([np.zeros_like(rows) for rows in self._core.get_state()])

    def state(self) -> list[np.ndarray]:
        """Return, for every layer, a copy of the rows it still looks back on, oldest first: (B, (K−1)·d, C_in).

        It is the `context` that `causal_conv` takes to go on from here.
        """
        return self._core.get_state()

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from a state of `state()`; arrays or tensors, a copy is taken.

        Raises SettingError where a shape doesn't fit; then nothing has changed.
        """
        # All parts are checked before one is written: a refused state must leave the stream as it was.
        old = self._core.get_state()
        parts = [to_array(rows) for rows in state]
        if len(parts) != len(old):
            raise SettingError(f"the state must be {len(old)} arrays, one for each layer, not {len(parts)}.")
        for number, (rows, wanted) in enumerate(zip(parts, old, strict=True), start=1):
            if rows.shape != wanted.shape:
                raise SettingError(f"the state of layer {number} must have shape {wanted.shape}, not {rows.shape}.")
            # Floats, whole numbers, bool. A cast of complex numbers would drop half of them.
            if rows.dtype.kind not in "fiub":
                raise SettingError(f"the state of layer {number} must hold real numbers, not {rows.dtype}.")
        self._core.set_state([np.ascontiguousarray(rows, dtype=self.dtype) for rows in parts])


def _arrays(layers: Sequence[ConvLayer]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Copies of weight (C_out, C_in, K) and bias (C_out) of every layer, checked."""
    if not layers:
        raise SettingError("a stream needs at least one layer.")
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for number, layer in enumerate(layers, start=1):
        weight = to_array(layer.kernel())
        if weight.ndim != 3 or 0 in weight.shape or weight.dtype not in (np.float32, np.float64):
            raise SettingError(
                f"weight of layer {number} must be a float32 or float64 array (channels out, channels in, kernel "
                f"size), all 1 or more, not {weight.dtype} of {weight.shape}."
            )
        # Zeros instead of None, so that a step has one case.
        bias = np.zeros(weight.shape[0], dtype=weight.dtype) if layer.bias is None else to_array(layer.bias)
        if bias.shape != weight.shape[:1]:
            raise SettingError(f"bias of layer {number} must have shape {weight.shape[:1]}, not {bias.shape}.")
        if found and weight.dtype != found[0][0].dtype:
            raise SettingError(
                f"weight of layer {number} must be {found[0][0].dtype} like the first, not {weight.dtype}."
            )
        if isinstance(layer.dilation, bool) or not isinstance(layer.dilation, int) or layer.dilation < 1:
            raise SettingError(f"dilation of layer {number} must be a whole number, 1 or more, not {layer.dilation!r}.")
        check_activation(layer.activation, f"activation of layer {number}")
        check_activation(layer.final_activation, f"final_activation of layer {number}")
        found.append((weight.copy(), bias.astype(weight.dtype)))
    return found


def wire_layers(layers: Sequence[ConvLayer], shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int | None]]:
    """(source, residual) of every layer, checked: earlier outputs of the right width; shapes: (C_out, C_in) of each."""
    widths = [shapes[0][1], *(shape[0] for shape in shapes)]
    wired: list[tuple[int, int | None]] = []
    for number, (layer, (outputs, inputs)) in enumerate(zip(layers, shapes, strict=True), start=1):
        source = number - 1 if layer.source is None else layer.source
        for name, node, width in (("source", source, inputs), ("residual", layer.residual, outputs)):
            if node is None:
                continue
            if isinstance(node, bool) or not isinstance(node, int) or not 0 <= node < number:
                raise SettingError(
                    f"{name} of layer {number} must be 0 (the input) or the number of an earlier layer, not {node!r}."
                )
            if widths[node] != width:
                raise SettingError(
                    f"{name} of layer {number} must have {width} channels, but "
                    f"{f'layer {node}' if node else 'the input'} has {widths[node]}."
                )
        wired.append((source, layer.residual))
    return wired


def _not_native(layers: Sequence[ConvLayer], dtype: np.dtype) -> str | None:
    """Why the compiled stream can't run these layers, or None where it can."""
    if getattr(native.module(), "ConvStreamCore", None) is None:
        return f"this installation is {native.flavour()}, without compiled streams of convolutions"
    if dtype != np.float32:
        return f"the weights are {dtype}, it has float32 only"
    if any(activation_name(a) is None for layer in layers for a in (layer.activation, layer.final_activation)):
        return "it knows the named activations only"
    return None


class _NativeConvs:
    """The stack in compiled memory. `step(x, out)` is the compiled method itself, as in `ops.native_stream`."""

    def __init__(
        self,
        layers: Sequence[ConvLayer],
        arrays: Sequence[tuple[np.ndarray, np.ndarray]],
        wired: Sequence[tuple[int, int | None]],
        batch: int,
        outputs: tuple[np.ndarray, np.ndarray],
    ):
        module = native.module()
        assert module is not None
        whole, addresses, wires, kept = [], [], [], []
        self._shapes: list[tuple[int, int, int]] = []
        for layer, (weight, bias), (source, residual) in zip(layers, arrays, wired, strict=True):
            held = np.ascontiguousarray(weight), np.ascontiguousarray(bias)
            kept.append(held)  # until the core has copied them
            channels_out, channels_in, taps = weight.shape
            phi, psi = (ACTIVATION_CODES.index(str(a)) for a in (layer.activation, layer.final_activation))
            sizes = [batch, 1, channels_in, channels_out, taps]
            # The zeros: the dropout's key (seed, call, layer) and, behind the residual, that nothing is saved.
            whole.append([phi, psi, layer.dilation, 0, 0, 0, int(residual is not None), 0, *sizes])
            addresses.append([a.ctypes.data for a in held])
            wires.append([source, -1 if residual is None else residual])
            self._shapes.append((batch, (taps - 1) * layer.dilation, channels_in))
        self._core: Any = module.ConvStreamCore(whole, addresses, wires, *outputs)
        self.step = self._core.step

    def get_state(self) -> list[np.ndarray]:
        state = [np.empty(shape, dtype=np.float32) for shape in self._shapes]
        for layer, rows in enumerate(state):
            self._core.read(layer, rows.ctypes.data)
        return state

    def set_state(self, state: Sequence[np.ndarray]) -> None:
        for layer, rows in enumerate(state):
            held = np.ascontiguousarray(rows, dtype=np.float32)
            self._core.write(layer, held.ctypes.data)
