"""Backpropagation through time made visible: gradient norm by lag for each layer, and the spectrum of W_h.

The state at step T depends on the state at step T − k through k recurrent Jacobians. In a linear network each is W_h,
so ∂h_T/∂h_{T−k} is its k-th power exactly: a largest singular value below 1 makes it vanish, an absolute eigenvalue
above 1 makes it explode (Pascanu et al., arXiv 1211.5063). torch is loaded when a function runs, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError

if TYPE_CHECKING:
    from torch import Tensor

    from ..ops.cell import Cell, Weights

    Layer = tuple[Cell, Weights]

__all__ = ["LagNorms", "SpectrumTrace", "decay_rate", "gradient_by_lag", "jacobian_by_lag", "recurrent_spectrum"]


@dataclass(frozen=True, eq=False)
class LagNorms:
    """Norms by lag: `norms[layer, k]` belongs to the state k steps before the last one; `lags` = 0, 1, …, T − 1."""

    norms: np.ndarray

    @property
    def lags(self) -> np.ndarray:
        """(T,) steps back from the last one."""
        return np.arange(self.norms.shape[1])

    def relative(self) -> np.ndarray:
        """The norms over that of lag 0 of the same layer, (layers, T): how much of the gradient is left."""
        return self.norms / self.norms[:, :1]


def gradient_by_lag(
    module: Any, x: Any, loss: Callable[[Tensor], Tensor] | None = None, *, state: Any = None
) -> LagNorms:
    """Return the norm of ∂loss/∂h_{T−k} for every lag k and layer, averaged over the batch rows.

    module: a seqloom.nn or torch.nn RNN, LSTM or GRU, or a Jordan network (state y), forward in time. x: (B, T, I),
    an array or a tensor. loss: from the last step's output (B, S) to one number; without it the sum of all outputs.
    state: where the module starts, zeros where None. ∂h is the whole derivative, along every path (for an LSTM through
    c as well: h of a layer stands there for its pair, and the norm is that of both parts).

    The module runs as in evaluation (no dropout); its parameters and their gradients are left alone. Raises
    SettingError for other modules and shapes, DataError where the loss does not depend on the output.

    >>> from seqloom.nn import RNN
    >>> import torch
    >>> module = RNN(1, 2, activation="identity", recurrent_init="identity")
    >>> gradient_by_lag(module, torch.ones(1, 4, 1)).norms.round(4).tolist()  # W_h = 1: nothing is lost
    [[1.4142, 1.4142, 1.4142, 1.4142]]
    """
    import torch

    layers, x, starts = _prepare(module, x, state)
    with torch.enable_grad():
        output, states = _steps(layers, x, starts)
        value = output.sum() if loss is None else loss(output)
        flat = [s for step in states for pair in step for s in pair]
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            raise SettingError("loss must return one number, as a tensor.")
        if not value.requires_grad:
            raise DataError("The loss doesn't depend on the output of the last step, so it has no gradient.")
        # What the loss doesn't reach, such as c of the last step, has the gradient 0.
        found = torch.autograd.grad(value, flat, allow_unused=True, materialize_grads=True)
    norms = np.zeros((len(layers), len(states)))
    grads = iter(found)
    for t, step in enumerate(states):
        for layer, pair in enumerate(step):
            squares = sum(next(grads).double().square().sum(-1) for _ in pair)
            assert isinstance(squares, torch.Tensor)
            norms[layer, len(states) - 1 - t] = float(squares.sqrt().mean())
    return LagNorms(norms)


def jacobian_by_lag(module: Any, x: Any, lags: int | None = None, *, layer: int = -1, state: Any = None) -> np.ndarray:
    """Return the largest singular value of ∂h_T/∂h_{T−k} for k = 0 … lags − 1, (lags,), averaged over batch rows.

    Of one layer (the last by default), along the path inside that layer: in the linear case the spectral norm of the
    k-th power of W_h. For an LSTM of the pair (h, c). Arguments and errors as `gradient_by_lag`; lags at most T.
    """
    layers, x, starts = _prepare(module, x, state)
    if not -len(layers) <= layer < len(layers):
        raise SettingError(f"layer must lie between 0 and {len(layers) - 1}, not {layer}.")
    steps = x.shape[1]
    count = steps if lags is None else lags
    if not 1 <= count <= steps:
        raise SettingError(f"lags must lie between 1 and the {steps} steps of x, not {lags}.")
    # % turns −1, the last layer, into its number.
    for below in layers[: layer % len(layers)]:  # the layers under it only make its inputs
        x, _ = _run(below, x, starts.pop(0))
    start = starts[0]
    out = np.zeros(count)
    for row in range(x.shape[0]):
        states = [tuple(s[row : row + 1] for s in start)]
        for t in range(steps):
            _, last = _run(layers[layer], x[row : row + 1, t : t + 1], states[-1])
            states.append(last)
        total = np.eye(sum(s.shape[1] for s in start))
        # Lag 0: the state with respect to itself, whose norm is 1.
        out[0] += 1.0
        for k in range(1, count):
            t = steps - k  # the step from state t to state t + 1
            # From the last step backwards: the product for lag k is that of lag k − 1 times one more step.
            total = total @ _step_jacobian(layers[layer], x[row : row + 1, t : t + 1], states[t])
            out[k] += np.linalg.norm(total, 2)
    return out / x.shape[0]


def recurrent_spectrum(module: Any) -> dict[str, dict[str, np.ndarray]]:
    """Return, for every recurrent matrix, each gate's singular values and absolute eigenvalues, both descending.

    {"layer 0": {"h": …}} with keys "singular r", "eigen r" and so on by gate name; the backward direction is "layer 0
    reverse". Eigenvalues are left out where W_h is not square (LSTM with projection, Jordan).

    >>> from seqloom.nn import GRU
    >>> recurrent_spectrum(GRU(3, 4))["layer 0"]["singular z"].round(4).tolist()  # it starts orthogonal
    [1.0, 1.0, 1.0, 1.0]
    """
    ours, cells = _cells(module)
    found: dict[str, dict[str, np.ndarray]] = {}
    for number, part in enumerate(cells):
        layer, direction = divmod(number, ours.directions)
        w_h = part.weights().w_h.detach().cpu().double().numpy()
        values: dict[str, np.ndarray] = {}
        for name, block in zip(part.cell.gate_names, np.split(w_h, part.cell.gates, axis=1), strict=True):
            values[f"singular {name}"] = np.linalg.svd(block, compute_uv=False)
            if block.shape[0] == block.shape[1]:
                values[f"eigen {name}"] = np.sort(np.abs(np.linalg.eigvals(block)))[::-1]
        found[f"layer {layer}{' reverse' if direction else ''}"] = values
    return found


@dataclass
class SpectrumTrace:
    """The spectrum of W_h while it trains: call `record(step, module)` now and then.

    >>> from seqloom.nn import RNN
    >>> trace = SpectrumTrace()
    >>> trace.record(0, RNN(1, 3))
    >>> steps, largest = trace.largest("layer 0", "singular h")
    >>> steps.tolist(), largest.round(6).tolist()
    ([0], [1.0])
    """

    steps: list[int] = field(default_factory=list)
    spectra: list[dict[str, dict[str, np.ndarray]]] = field(default_factory=list)

    def record(self, step: int, module: Any) -> None:
        """Keep the spectrum of now; steps ascend."""
        if self.steps and step <= self.steps[-1]:
            raise SettingError(f"steps must ascend: {step} follows {self.steps[-1]}.")
        self.spectra.append(recurrent_spectrum(module))
        self.steps.append(int(step))

    def values(self, layer: str, name: str) -> np.ndarray:
        """One spectrum over time, (records, values)."""
        if not self.spectra:
            raise DataError("Nothing has been recorded yet: call record(step, module) first.")
        known = self.spectra[0]
        if layer not in known:
            raise SettingError(f"There is no {layer!r} in this trace; it has {', '.join(known)}.")
        if name not in known[layer]:
            raise SettingError(f"{layer} has no {name!r}; it has {', '.join(known[layer])}.")
        return np.array([spectrum[layer][name] for spectrum in self.spectra])

    def largest(self, layer: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The steps and the largest value at each."""
        return np.array(self.steps), self.values(layer, name).max(axis=1)


def decay_rate(norms: np.ndarray | LagNorms, layer: int | None = None) -> float:
    """Return the factor by which norms (T,) change from one lag to the next: the slope of a line through their logs.

    norms: also what `gradient_by_lag` returns; of several layers then say which `layer`. Below 1 they vanish, above 1
    they explode. Zeros and what is not finite are left out; nan with fewer than two left.

    >>> round(decay_rate(np.array([8.0, 4.0, 2.0, 1.0])), 6)
    0.5
    """
    if isinstance(norms, LagNorms):
        layers = len(norms.norms)
        if layer is None and layers > 1:
            raise SettingError(f"layer: the norms are of {layers} layers; say of which one, 0 to {layers - 1}.")
        if layer is not None and not -layers <= layer < layers:
            raise SettingError(f"layer: expected one of 0 to {layers - 1}, got {layer!r}.")
        norms = norms.norms[layer or 0]
    elif layer is not None:
        raise SettingError("layer: these norms (lags,) are of one layer; leave it out.")
    norms = np.asarray(norms, dtype=np.float64)
    if norms.ndim != 1:
        raise SettingError(f"norms: expected shape (lags,), or what gradient_by_lag returns, got {norms.shape}.")
    good = np.isfinite(norms) & (norms > 0)
    if good.sum() < 2:
        return float("nan")
    # A line through all logs, not the ratio of two norms: single lags scatter.
    return float(np.exp(np.polyfit(np.flatnonzero(good), np.log(norms[good]), 1)[0]))


def _cells(module: Any) -> tuple[Any, list[Any]]:
    """The module as one of ours, and its cells."""
    from ..nn import Recurrent, from_torch
    from ..nn.recurrent_cell import RecurrentCell

    ours = module if isinstance(module, Recurrent) else from_torch(module)
    return ours, [part for part in ours.cells if isinstance(part, RecurrentCell)]


def _prepare(module: Any, x: Any, state: Any) -> tuple[list[Layer], Any, list[Any]]:
    """The layers with their weights cut off from the module, x as a tensor of their type, and each layer's state."""
    import torch

    ours, cells = _cells(module)
    if ours.directions > 1 or ours.options.reverse:
        raise SettingError("Lags are counted from the last step, so the module must read forward in time alone.")
    first = next(ours.parameters())
    x = torch.as_tensor(x).detach().to(dtype=first.dtype, device=first.device)
    if x.dim() != 3 or x.shape[2] != ours.input_size or 0 in x.shape:
        raise SettingError(f"x: expected shape (batch, time, {ours.input_size} inputs), got {tuple(x.shape)}.")
    layers: list[Layer] = []
    for part in cells:
        weights = part.weights()
        layers.append((part.cell, type(weights)(**{name: w.detach() for name, w in weights.items()})))
    state = ours.initial_state(x.shape[0]) if state is None else state
    pairs = [p.detach() for p in (state if isinstance(state, tuple) else (state,))]
    expected = ours.initial_state(x.shape[0])
    shapes = [tuple(p.shape) for p in (expected if isinstance(expected, tuple) else (expected,))]
    if [tuple(p.shape) for p in pairs] != shapes:
        raise SettingError(f"state: expected the shapes {shapes}, got {[tuple(p.shape) for p in pairs]}.")
    return layers, x, list(zip(*(p.unbind(0) for p in pairs), strict=True))


def _run(layer: Layer, x: Any, start: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """One layer over x: outputs, and the state as a tuple."""
    from ..ops.reference import reference_scan

    cell, weights = layer
    # The reference runs step by step in plain operations, so autograd can be asked for any state in between.
    y, last = reference_scan(cell, x, start if cell.pair else start[0], weights)
    return y, last if isinstance(last, tuple) else (last,)


def _steps(layers: list[Layer], x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
    """All layers step by step: the last output (B, S), and for every step the state of every layer, to differentiate.

    What is kept are copies that everything later reads: h and c of an LSTM are then two coordinates of one state, and
    the way from c into the h of the same step isn't counted in both.
    """
    states: list[list[tuple[Any, ...]]] = []
    output = x[:, :1]
    state = list(state)
    for t in range(x.shape[1]):
        output = x[:, t : t + 1]
        for number, layer in enumerate(layers):
            _, new = _run(layer, output, state[number])
            new = tuple(s.clone() if s.requires_grad else s.clone().requires_grad_() for s in new)
            state[number], output = new, new[0].unsqueeze(1)
        states.append(list(state))
    return output[:, 0], states


def _step_jacobian(layer: Layer, x: Any, state: tuple[Any, ...]) -> np.ndarray:
    """∂(new state)/∂(old state) of one step of one row."""
    import torch

    sizes = [s.shape[1] for s in state]

    def step(joined: Any) -> Any:
        _, new = _run(layer, x, tuple(part.unsqueeze(0) for part in joined.split(sizes)))
        return torch.cat([s[0] for s in new])

    found = torch.autograd.functional.jacobian(step, torch.cat([s[0] for s in state]))
    assert isinstance(found, torch.Tensor)
    return found.double().cpu().numpy()
