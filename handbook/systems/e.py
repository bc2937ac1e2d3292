"""E. How training behaves."""

# Torch types a module's parts as tensors or modules, and statsmodels has no types: examples stay free of casts.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

import seqloom
from handbook.draw import bars, lines, matrix, stacked
from handbook.measured import figure, table
from seqloom import nn
from seqloom.diagnostics import decay_rate, gradient_by_lag, jacobian_by_lag


def e1() -> str:
    """Backpropagation through time, seen

    How much of the gradient is left k steps back. In the linear case it is exact: the k-th power of W_h.
    """
    layer, x = nn.RNN(1, 2, activation="identity", seed=0), np.zeros((1, 12, 1), np.float32)
    w = torch.tensor([[0.9, 0.3], [0.0, 0.6]])
    with torch.no_grad():
        layer.cells[0].w_h.copy_(w)
    found = jacobian_by_lag(layer, x)
    powers = [float(torch.linalg.matrix_norm(torch.linalg.matrix_power(w, k), 2)) for k in range(12)]
    np.testing.assert_allclose(found, powers, rtol=1e-4)
    return lines({"∂h_T / ∂h_{T−k}": found}, across="k", up="largest singular value", log=True, points=True)


def e2() -> str:
    """Vanishing and exploding gradients, and their cures

    A largest singular value below 1 and the past is lost, above 1 and a step can throw the weights away. Gates, an
    orthogonal start, ReLU on the identity and layer norm keep it longer; clipping bounds what explodes. `seqloom
    reproduce gradients` trains them.
    """

    def scaled(factor: float, **options: object) -> nn.RNN:
        layer = nn.RNN(1, 24, seed=1, **options)
        with torch.no_grad():
            layer.cells[0].w_h.mul_(factor)
        return layer

    x = torch.randn(8, 40, 1) * 0.1
    layers = {
        "W_h × 0.7": scaled(0.7),
        "W_h × 1.3, linear": scaled(1.3, activation="identity"),
        "orthogonal": scaled(1.0),
        "identity, ReLU": nn.RNN(1, 24, activation="relu", recurrent_init="identity", seed=1),
        "LSTM": nn.LSTM(1, 24, seed=1),
    }
    norms = {name: gradient_by_lag(layer, x).norms[0] for name, layer in layers.items()}
    assert decay_rate(norms["W_h × 0.7"]) < 0.75
    assert decay_rate(norms["W_h × 1.3, linear"]) > 1.25
    assert 0.95 < decay_rate(norms["orthogonal"]) < 1.05
    assert decay_rate(norms["W_h × 0.7"]) < 0.9 < decay_rate(norms["LSTM"]) < 1  # its forget bias starts at 1
    return lines(norms, across="steps back", up="gradient", log=True, height=300)


def e3() -> str:
    """Truncated backpropagation

    The gradient reaches back to the start of a window and no further. Where the window covers the sequence it is the
    full one.
    """
    layer, x = nn.RNN(2, 6, seed=0), torch.randn(3, 24, 2)

    def gradient(window: int) -> torch.Tensor:
        layer.zero_grad()
        for chunk in nn.truncated_bptt(layer, x, window):
            chunk.output.square().sum().backward()
        return layer.cells[0].w_h.grad.clone()

    full = gradient(24)
    layer.zero_grad()
    layer(x)[0].square().sum().backward()
    torch.testing.assert_close(full, layer.cells[0].w_h.grad)
    missed = {f"window {window}": float((gradient(window) - full).norm() / full.norm()) for window in (1, 2, 4, 8, 12)}
    return bars({name: 100 * value for name, value in missed.items()}, unit=" % of the gradient missed")


def e4() -> str:
    """RNN, LSTM and GRU compared

    One task, one command: parameters, seconds per epoch, accuracy. `seqloom reproduce compare-cells`.
    """
    rows = table("### RNN, GRU and LSTM on one task")
    assert len(rows) > 3
    shown = {}
    for column in ("parameters", "seconds per epoch", "test accuracy"):
        found = {row["model"]: figure(row[column]) for row in rows}
        shown[column] = bars({f"{name}: {column}": value for name, value in found.items()})
    return stacked(*shown.values())


def e5() -> str:
    """Over-fitting

    The training loss goes on falling, the validation loss turns. Early stopping keeps the weights of the best epoch;
    a baseline beside it says whether even that is good.
    """
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(40, 10, 1)).astype(np.float32), draw.normal(size=40)
    model = seqloom.SequenceRegressor(model="gru", units=32, epochs=30, learning_rate=0.01, seed=0)
    model.fit(list(x[:30]), y[:30], valid=(list(x[30:]), y[30:]))
    rows = model.history_.epochs
    train, valid = [row.train_loss for row in rows], [row.valid["loss"] for row in rows]
    assert train[-1] < 0.5 * train[0]
    assert min(valid) < valid[-1]
    return lines({"training": train, "validation": valid}, across="epoch", up="loss")


def e6() -> str:
    """Dropout at every step, or once for a sequence

    Drawn anew at every step the noise adds up and drowns what was to be remembered; one mask for the sequence trains
    a thinner network that can remember. `seqloom reproduce dropout`.
    """
    found = {row["model"]: figure(row["test accuracy"]) for row in table("### Dropout with a new mask at every step")}
    names = list(found)
    draw = np.random.default_rng(0)
    once = np.repeat(draw.random((6, 1)) > 0.4, 24, axis=1)
    anew = draw.random((6, 24)) > 0.4
    assert (once == once[:, :1]).all()
    assert len(names) >= 3
    masks = [
        matrix(m, title=t, numbers=False, cell=16) for m, t in ((once, "one mask per sequence"), (anew, "every step"))
    ]
    return stacked(*masks, bars(found))


def e7() -> str:
    """An update at every step, or one after the sequence

    Backpropagation through time may change the weights at every step or once after the last. For small steps both end
    at the same weights; `seqloom reproduce bptt` compares them on one task.
    """
    x, target, apart = torch.randn(4, 12, 2), torch.randn(4, 12, 5), {}
    for rate in (0.1, 0.01, 0.001):
        ends = []
        for every_step in (False, True):
            layer = nn.RNN(2, 5, seed=0)
            start = layer.cells[0].w_h.detach().clone()
            optimizer = torch.optim.SGD(layer.parameters(), rate)
            state = None
            total = torch.zeros(())
            for t in range(12):
                y, state = layer(x[:, t : t + 1], None if state is None else state.detach())
                loss = functional.mse_loss(y[:, 0], target[:, t])
                if every_step:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                total = total + loss
            if not every_step:
                total.backward()
                optimizer.step()
            ends.append(layer.cells[0].w_h.detach() - start)
        apart[f"step size {rate}"] = 100 * float((ends[0] - ends[1]).norm() / ends[0].norm())
    assert list(apart.values()) == sorted(apart.values(), reverse=True)
    assert apart["step size 0.001"] < 1
    return bars(apart, unit=" % apart")


def e8() -> str:
    """Cures, each measured

    Regularisation, identity and orthogonal starts, ReLU and leaky ReLU: what each leaves of the gradient after 30
    steps.
    """
    x, left = torch.randn(8, 31, 1) * 0.5, {}
    for name, options in {
        "Glorot start, tanh": {"recurrent_init": "glorot"},
        "orthogonal, tanh": {},
        "identity, tanh": {"recurrent_init": "identity"},
        "identity, ReLU": {"recurrent_init": "identity", "activation": "relu"},
        "identity, leaky ReLU": {"recurrent_init": "identity", "activation": "leaky_relu"},
        "orthogonal, layer norm": {"layer_norm": True},
    }.items():
        norms = gradient_by_lag(nn.RNN(1, 24, seed=2, **options), x).norms[0]
        left[name] = float(norms[-1] / norms[0])
    assert left["identity, ReLU"] > 0.1 > left["orthogonal, layer norm"]
    return bars(left, log=True)
