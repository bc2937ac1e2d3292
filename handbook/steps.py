"""One cell stepped through with its numbers: worked out by NumPy from the equations, held to what the engine gives."""

# Torch types the parts of a module as tensors or modules: the steps stay free of casts.
# pyright: reportCallIssue=false, reportArgumentType=false
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from handbook.draw import lines, matrix
from seqloom import nn
from seqloom.diagnostics import gradient_by_lag
from seqloom.tasks.networks.attention import AdditiveAttention

__all__ = ["STEPS", "step_page"]

Lines = list[str]


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def _drawn(picture: str) -> Lines:
    return ["", f'<div class="drawn">{picture}</div>', ""]


def _shown(values: Mapping[str, Any], columns: Sequence[str] = ()) -> Lines:
    """Vectors of one length below each other, with their numbers."""
    return _drawn(matrix(list(values.values()), rows=list(values), columns=columns))


def _numbers(seed: int, *shape: int) -> np.ndarray:
    """Weights with one decimal, so that a reader can follow with a pencil."""
    return np.round(np.random.default_rng(seed).uniform(-1, 1, shape), 1)


def _set(layer: Any, **weights: np.ndarray) -> None:
    """Put weights into the one cell of a layer."""
    with torch.no_grad():
        for name, value in weights.items():
            getattr(layer.cells[0], name).copy_(torch.from_numpy(np.asarray(value, dtype=np.float32)))


def _tensor(values: np.ndarray, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).reshape(*shape)


def _agrees(found: Any, wanted: np.ndarray) -> str:
    """The sentence that the engine gives the same; raises AssertionError where it doesn't."""
    given = np.asarray(found.detach(), dtype=float).ravel()
    np.testing.assert_allclose(given, np.asarray(wanted).ravel(), atol=2e-6)
    said = ", ".join(f"{value:.6f}".replace("-", "−") for value in given)
    return f"The engine gives {said}: the same to the sixth decimal."


def rnn() -> Lines:
    """A step of an Elman network"""
    w_x, w_h, b = _numbers(1, 2, 2), _numbers(2, 2, 2), _numbers(3, 2)
    x, h = np.array([1.0, -0.5]), np.array([0.2, 0.7])
    inputs, state = x @ w_x, h @ w_h
    after = np.tanh(inputs + state + b)
    layer = nn.RNN(2, 2)
    _set(layer, w_x=w_x, w_h=w_h, bias=b)
    output, _ = layer(_tensor(x, 1, 1, 2), _tensor(h, 1, 1, 2))
    return [
        "h' = tanh(x W_x + h W_h + b), with two inputs and two units.",
        *_shown(
            {"W_x, from x₁": w_x[0], "W_x, from x₂": w_x[1], "W_h, from h₁": w_h[0], "W_h, from h₂": w_h[1], "b": b}
        ),
        "The input is x = (1, −0.5), the state before it h = (0.2, 0.7).",
        *_shown({"x W_x": inputs, "h W_h": state, "+ b": inputs + state + b, "h' = tanh": after}, ["unit 1", "unit 2"]),
        _agrees(output, after),
    ]


def lstm() -> Lines:
    """A step of an LSTM"""
    w_x, w_h, b = _numbers(4, 2, 8), _numbers(5, 2, 8), np.array([0, 0, 1, 1, 0, 0, 0, 0.0])
    x, h, c = np.array([0.5, 1.0]), np.array([0.3, -0.2]), np.array([0.8, -0.6])
    sums = x @ w_x + h @ w_h + b
    i, f, o = _sigmoid(sums[0:2]), _sigmoid(sums[2:4]), _sigmoid(sums[6:8])
    g = np.tanh(sums[4:6])
    cell = f * c + i * g
    after = o * np.tanh(cell)
    layer = nn.LSTM(2, 2)
    _set(layer, w_x=w_x, w_h=w_h, bias=b)
    output, (_, last) = layer(_tensor(x, 1, 1, 2), (_tensor(h, 1, 1, 2), _tensor(c, 1, 1, 2)))
    _agrees(last, cell)
    return [
        "Four sums a = x W_x + h W_h + b, for the gates i, f, o and the candidate g. The forget bias is 1.",
        *_shown({"a_i": sums[0:2], "a_f": sums[2:4], "a_g": sums[4:6], "a_o": sums[6:8]}, ["unit 1", "unit 2"]),
        "Through σ or tanh: how much enters, how much stays, what would enter, how much is shown.",
        *_shown({"i = σ(a_i)": i, "f = σ(a_f)": f, "g = tanh(a_g)": g, "o = σ(a_o)": o}),
        "The cell keeps the share f of what it held and takes the share i of the candidate; the output is its",
        "tanh, as far as",
        "o lets it through.",
        *_shown({"c": c, "f c": f * c, "i g": i * g, "c' = f c + i g": cell, "h' = o tanh(c')": after}),
        _agrees(output, after),
    ]


def gru() -> Lines:
    """A step of a GRU"""
    w_x, w_h, b = _numbers(6, 2, 6), _numbers(7, 2, 6), _numbers(8, 6)
    x, h = np.array([1.0, 0.5]), np.array([-0.4, 0.6])
    a, u = x @ w_x + b, h @ w_h
    r, z = _sigmoid(a[0:2] + u[0:2]), _sigmoid(a[2:4] + u[2:4])
    n = np.tanh(a[4:6] + r * u[4:6])
    after = (1 - z) * n + z * h
    layer = nn.GRU(2, 2)
    _set(layer, w_x=w_x, w_h=w_h, bias=b)
    output, _ = layer(_tensor(x, 1, 1, 2), _tensor(h, 1, 1, 2))
    return [
        "Three sums, a = x W_x + b of the input and u = h W_h of the state, kept apart because the reset gate",
        "stands between.",
        *_shown(
            {"a_r": a[0:2], "u_r": u[0:2], "a_z": a[2:4], "u_z": u[2:4], "a_n": a[4:6], "u_n": u[4:6]},
            ["unit 1", "unit 2"],
        ),
        "The reset gate says how much of the state the candidate may see, the update gate how much of it stays.",
        *_shown({"r = σ(a_r + u_r)": r, "z = σ(a_z + u_z)": z, "n = tanh(a_n + r u_n)": n}),
        "What is not kept is replaced: the two shares sum to 1.",
        *_shown({"(1 − z) n": (1 - z) * n, "z h": z * h, "h' = (1 − z) n + z h": after}),
        _agrees(output, after),
    ]


def variants() -> Lines:
    """Variants of the LSTM and the GRU"""
    w_x, w_h, b = _numbers(4, 2, 8), _numbers(5, 2, 8), np.array([0, 0, 1, 1, 0, 0, 0, 0.0])
    x, h, c = np.array([0.5, 1.0]), np.array([0.3, -0.2]), np.array([0.8, -0.6])
    p = _numbers(9, 3, 2)
    sums = x @ w_x + h @ w_h + b
    i, f = _sigmoid(sums[0:2] + p[0] * c), _sigmoid(sums[2:4] + p[1] * c)
    cell = f * c + i * np.tanh(sums[4:6])
    seen = _sigmoid(sums[6:8] + p[2] * cell) * np.tanh(cell)
    peep = nn.LSTM(2, 2, peephole=True)
    _set(peep, w_x=w_x, w_h=w_h, bias=b, peephole=p)
    start = (_tensor(h, 1, 1, 2), _tensor(c, 1, 1, 2))
    with_peepholes = _agrees(peep(_tensor(x, 1, 1, 2), start)[0], seen)

    kept = _sigmoid(sums[2:4])
    joined = kept * c + (1 - kept) * np.tanh(sums[4:6])
    shown = _sigmoid(sums[6:8]) * np.tanh(joined)
    coupled = nn.LSTM(2, 2, coupled=True)
    _set(coupled, w_x=w_x[:, 2:], w_h=w_h[:, 2:], bias=b[2:])
    with_coupling = _agrees(coupled(_tensor(x, 1, 1, 2), start)[0], shown)

    v_x, v_h, d = _numbers(6, 2, 6), _numbers(7, 2, 6), _numbers(8, 6)
    a, u = x @ v_x + d, h @ v_h
    r, z = _sigmoid(a[0:2] + u[0:2]), _sigmoid(a[2:4] + u[2:4])
    before = (1 - z) * np.tanh(a[4:6] + (r * h) @ v_h[:, 4:6]) + z * h
    after = (1 - z) * np.tanh(a[4:6] + r * u[4:6]) + z * h
    first = nn.GRU(2, 2, reset_after=False)
    _set(first, w_x=v_x, w_h=v_h, bias=d)
    with_reset = _agrees(first(_tensor(x, 1, 1, 2), _tensor(h, 1, 1, 2))[0], before)
    return [
        "## LSTM with peepholes",
        "",
        "i and f see the old cell, o the new one, each unit its own through one weight: a_i + p_i c and so on.",
        *_shown({"i": i, "f": f, "c'": cell, "h'": seen}, ["unit 1", "unit 2"]),
        with_peepholes,
        "",
        "## LSTM with coupled gates",
        "",
        "What is forgotten is what is written: i = 1 − f, and no sum for i.",
        *_shown({"f": kept, "i = 1 − f": 1 - kept, "c'": joined, "h'": shown}, ["unit 1", "unit 2"]),
        with_coupling,
        "",
        "## GRU with the reset before the product",
        "",
        "The first paper resets the state, then multiplies; the usual one multiplies, then resets. The same",
        "weights give",
        "different numbers.",
        *_shown({"reset before": before, "reset after": after}, ["unit 1", "unit 2"]),
        with_reset,
    ]


def convolution() -> Lines:
    """A causal convolution"""
    x, kernel = np.array([1.0, 3.0, -2.0, 0.5, 4.0]), np.array([0.5, -1.0, 2.0])
    padded = np.concatenate([np.zeros(2), x])
    y = np.array([padded[t : t + 3] @ kernel for t in range(5)])
    layer = nn.CausalConv1d(1, 1, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(_tensor(kernel, 1, 1, 3))
    steps = [f"t = {t}" for t in range(5)]
    return [
        "Three taps slide over the series; the last tap stands on the step itself, zeros stand before the start.",
        *_shown(
            {"0.5 · x two before": 0.5 * padded[0:5], "−1 · x one before": -padded[1:6], "2 · x": 2 * x, "y": y}, steps
        ),
        _agrees(layer(_tensor(x, 1, 5, 1)), y),
    ]


def dilation() -> Lines:
    """Dilation, and how far a stack sees"""
    x, kernel = np.arange(1.0, 9.0), np.array([1.0, 10.0])
    padded = np.concatenate([np.zeros(4), x])
    y = kernel[0] * padded[:8] + kernel[1] * x
    layer = nn.CausalConv1d(1, 1, 2, dilation=4, bias=False)
    with torch.no_grad():
        layer.weight.copy_(_tensor(kernel, 1, 1, 2))
    said = _agrees(layer(_tensor(x, 1, 8, 1)), y)
    reach, seen = np.zeros((5, 16)), {15}
    reach[0, 15] = 1
    for n, step in enumerate((8, 4, 2, 1)):
        seen = seen | {t - step for t in seen}
        reach[n + 1, sorted(seen)] = 1
    net = torch.nn.Sequential(*(nn.CausalConv1d(1, 1, 2, dilation=d) for d in (1, 2, 4, 8)))
    if nn.receptive_field(net) != int(reach[-1].sum()):
        raise AssertionError("the receptive field is another")
    return [
        "With dilation 4 the two taps stand four steps apart.",
        *_shown({"x": x, "1 · x four before": padded[:8], "10 · x": 10 * x, "y": y}, [f"t = {t}" for t in range(8)]),
        said,
        "",
        "Four layers with dilations 1, 2, 4 and 8, from the output on top down to the inputs: each layer doubles",
        "what the last",
        "output sees, so that it sees 16 steps.",
        *_drawn(
            matrix(reach, rows=["output", "dilation 8", "dilation 4", "dilation 2", "inputs"], numbers=False, cell=26)
        ),
    ]


def bptt() -> Lines:
    """Backpropagation through time"""
    w, u, x = 0.8, 1.0, np.array([1.0, 0.5, -0.5, 1.0])
    h = [0.0]
    for value in x:
        h.append(float(np.tanh(u * value + w * h[-1])))
    slopes = 1 - np.array(h[1:]) ** 2
    arrives = np.ones(4)  # ∂h_T/∂h_t
    for t in (2, 1, 0):
        arrives[t] = arrives[t + 1] * slopes[t + 1] * w
    by_step = arrives * slopes * np.array(h[:-1])
    layer = nn.RNN(1, 1, bias=False)
    _set(layer, w_x=np.array([[u]]), w_h=np.array([[w]]))
    output, _ = layer(_tensor(x, 1, 4, 1))
    output[0, -1, 0].backward()
    said = _agrees(layer.cells[0].w_h.grad, np.array([by_step.sum()]))
    _agrees(output, np.array(h[1:]))
    long = nn.RNN(1, 8, seed=1)  # whose W_h starts orthogonal
    start = long.cells[0].w_h.detach().clone()
    norms = {}
    for factor in (0.6, 1.0, 1.4):
        with torch.no_grad():
            long.cells[0].w_h.copy_(factor * start)
        norms[f"W_h × {factor}"] = gradient_by_lag(long, np.zeros((1, 30, 1), np.float32)).norms[0]
    return [
        "One unit, h_t = tanh(x_t + 0.8 h_{t−1}), four steps. What is the gradient of the last state by the weight",
        "0.8?",
        *_shown({"x": x, "h": h[1:], "slope 1 − h²": slopes}, [f"t = {t}" for t in range(1, 5)]),
        "Backwards: what arrives at a step is what arrived at the next one times that one's slope times 0.8. Each",
        "step then adds",
        "arrived · slope · state before.",
        *_shown({"arrives": arrives, "adds": by_step}, [f"t = {t}" for t in range(1, 5)]),
        f"Sum: {by_step.sum():.6f}. {said}",
        "",
        "Over many steps the same product, with a matrix in place of 0.8, dies away or grows:",
        *_drawn(lines(norms, across="steps back", up="gradient", log=True)),
    ]


def dropout() -> Lines:
    """Dropout masks"""
    shown: Lines = []
    for title, options in (
        ("One mask for a sequence (variational)", {"input_dropout": 0.5}),
        ("A mask for each gate (as Keras 3 draws them)", {"input_dropout": 0.5, "per_gate_masks": True}),
    ):
        layer = nn.GRU(5, 5, bias=False, activation="identity", seed=3, **options).train()
        _set(layer, w_x=np.concatenate([np.zeros((5, 10)), np.eye(5)], axis=1), w_h=np.zeros((5, 15)))
        output, _ = layer(torch.ones(1, 1, 5))
        mask = 2 * output[0, 0].detach().numpy()  # z = σ(0) = ½, so that h' is half of the candidate
        if not set(np.unique(mask)) <= {0.0, 2.0}:
            raise AssertionError(f"a mask of {mask}")
        shown += ["", f"## {title}", "", "What the candidate sees of an input of ones:", *_shown({"mask": mask})]
    draw = np.random.default_rng(0)
    fresh = 2.0 * (draw.random((5, 16)) > 0.5)
    return [
        "A unit is left out with probability p, what stays is divided by 1 − p, so that the mean stays. The",
        "question is when the",
        "mask is drawn anew.",
        *shown,
        "",
        "## A mask for each step",
        "",
        "What a plain dropout layer would draw: after 16 steps no path is left that was open throughout.",
        *_drawn(matrix(fresh, title="units by step", numbers=False, cell=18)),
        f"Open at all 16 steps: {int((fresh > 0).all(axis=1).sum())} of 5 units. One mask for the sequence leaves",
        "half of them.",
    ]


def attention() -> Lines:
    """A step of attention"""
    layer = AdditiveAttention(3, seed=2)
    h, s = _numbers(10, 4, 3), _numbers(11, 3)
    w, bias = layer.query.weight.detach().numpy(), layer.query.bias.detach().numpy()
    u, v = layer.key.weight.detach().numpy(), layer.score.detach().numpy()
    scores = np.tanh(w @ s + bias + h @ u.T) @ v
    weights = np.exp(scores) / np.exp(scores).sum()
    found = layer.weights(_tensor(s, 1, 1, 3), _tensor(h, 1, 4, 3))
    said = _agrees(found, weights)
    context = weights @ h
    _agrees(layer(_tensor(s, 1, 1, 3), _tensor(h, 1, 4, 3)), context)
    places = [f"place {n}" for n in range(1, 5)]
    return [
        "A decoder in state s looks at four places h of the source: score = v · tanh(W s + U h + b), weights =",
        "softmax of the",
        "scores, context = their mean of h.",
        *_shown({"score": scores, "e^score": np.exp(scores), "weight": weights}, places),
        said,
        *_shown({f"{weight:.3f} · h of {place}": weight * row for weight, place, row in zip(weights, places, h)}),
        *_shown({"context": context}),
    ]


STEPS: Mapping[str, Callable[[], Lines]] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
    "variants": variants,
    "convolution": convolution,
    "dilation": dilation,
    "bptt": bptt,
    "dropout": dropout,
    "attention": attention,
}
"""Name of a page → what makes its lines."""


def step_page(name: str) -> str:
    """A page with the title that its function's docstring gives."""
    return "\n".join([f"# {STEPS[name].__doc__}", "", *STEPS[name]()]) + "\n"
