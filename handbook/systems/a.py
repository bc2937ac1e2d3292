"""A. Recurrent networks."""

# Torch types a module's parts as tensors or modules, and statsmodels has no types: examples stay free of casts.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import torch

from handbook.draw import bars, chain, lines, matrix, stacked
from seqloom import nn
from seqloom.diagnostics import recurrent_spectrum


def a1() -> str:
    """Elman network

    h' = φ(x W_x + h W_h + b): the state of a step is a function of the input and of the state before. The worked
    step: h = (0, 1), x = (1, 0), and the rows of W stand first for h, then for x. A well-known slide prints 1.8 for a
    sum that is 1.5. Source: Elman, Cognitive Science 14, 1990.
    """
    layer = nn.RNN(2, 2, seed=0)
    with torch.no_grad():
        layer.cells[0].w_h.copy_(torch.tensor([[1.5, -2.0], [0.0, 1.0]]))
        layer.cells[0].w_x.copy_(torch.tensor([[-1.0, 0.5], [2.0, 0.0]]))
        layer.cells[0].bias.zero_()
    x, h = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
    output, _ = layer(x, h)
    before = np.array([0.0, 1.0]) @ [[1.5, -2.0], [0.0, 1.0]] + np.array([1.0, 0.0]) @ [[-1.0, 0.5], [2.0, 0.0]]
    assert before.tolist() == [-1.0, 1.5]
    np.testing.assert_allclose(output[0, 0].detach(), [-0.762, 0.905], atol=1e-3)
    assert sum(p.numel() for p in nn.RNN(1, 12).parameters()) == 168
    h, shown = np.zeros(2), []  # all weights 1, linear, inputs with the sums 1, 2, 3: the order counts
    for total in (1, 2, 3):
        h = total + h.sum() * np.ones(2)
        shown.append(h.sum())
    assert shown == [2, 8, 22]
    return matrix([[0, 1], before, np.tanh(before)], rows=["h", "x W_x + h W_h", "h' = tanh"], columns=["1", "2"])


def a2() -> str:
    """Jordan network

    The output is fed back instead of the state: h = φ(x W_x + y U + b), y' = ψ(h V + c). With everything linear and
    weights of 1, the output is the running sum. Source: Jordan, 1986.
    """
    layer = nn.Jordan(1, 1, 1, activation="identity", output_activation="identity", bias=False)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.fill_(1.0)
    x = torch.tensor([1.0, 2.0, -1.0, 0.5]).reshape(1, 4, 1)
    y, _ = layer(x)
    assert y.flatten().tolist() == [1.0, 3.0, 2.0, 2.5]
    return lines({"input": x, "output": y.detach()}, points=True)


def a3() -> str:
    """Long short-term memory

    Gates i, f and o decide what enters the cell c, what stays and what is shown: c' = f c + i g, h' = o tanh(c').
    With the forget gate open the cell is a sum that no step shrinks. Sources: Hochreiter and Schmidhuber, 1997; Gers
    et al., 2000.
    """
    assert sum(p.numel() for p in nn.LSTM(1, 12).parameters()) == 672
    layer, x = nn.LSTM(1, 1, seed=0), torch.zeros(1, 30, 1)
    x[0, 3] = 1.0
    with torch.no_grad():
        layer.cells[0].w_h.zero_()
        layer.cells[0].w_x.copy_(torch.tensor([[8.0, 0.0, 3.0, 0.0]]))  # gates i, f, g, o
        layer.cells[0].bias.copy_(torch.tensor([-4.0, 9.0, 0.0, 2.0]))
    output, (_, c) = layer(x)
    assert 0.9 < float(c.detach()) < 1.0  # 26 steps after the only input
    return lines({"input": x, "h": output.detach()})


def a4() -> str:
    """LSTM with coupled gates

    What is forgotten is what is written: i = 1 − f. One gate less, three quarters of the weights.
    """
    coupled, whole = nn.LSTM(4, 8, coupled=True, seed=0), nn.LSTM(4, 8, seed=0)
    with torch.no_grad():  # 1 − σ(a) = σ(−a): the full cell with its i gate set to minus f
        for name in ("w_x", "w_h", "bias"):
            f, g, o = getattr(coupled.cells[0], name).chunk(3, dim=-1)
            getattr(whole.cells[0], name).copy_(torch.cat([-f, f, g, o], dim=-1))
    x = torch.randn(2, 10, 4)
    torch.testing.assert_close(coupled(x)[0], whole(x)[0])
    counts = {name: sum(p.numel() for p in m.parameters()) for name, m in (("LSTM", whole), ("coupled", coupled))}
    assert counts["coupled"] * 4 == counts["LSTM"] * 3
    return bars(counts, unit=" parameters")


def a5() -> str:
    """LSTM with peepholes

    The gates see the cell too: i and f the old one, o the new one, each unit its own. Three more vectors; the input P
    of ONNX's LSTM. Source: Gers et al., JMLR 3, 2002.
    """
    plain, with_view = nn.LSTM(2, 6, seed=1), nn.LSTM(2, 6, peephole=True, seed=1)
    assert sum(p.numel() for p in with_view.parameters()) == sum(p.numel() for p in plain.parameters()) + 3 * 6
    with torch.no_grad():
        with_view.cells[0].peephole.copy_(torch.linspace(-2, 2, 18).reshape(3, 6))
    x = torch.randn(1, 20, 2)
    shown = {"plain": plain(x)[0], "with peepholes": with_view(x)[0]}
    return lines({name: y[0, :, 0].detach() for name, y in shown.items()}, up="unit 0")


def a6() -> str:
    """Gated recurrent unit, three kinds

    Reset after the product with one bias (the default), reset before it (the first paper), and reset after with two
    biases (torch.nn, cuDNN, Keras). They have different weights and give different numbers; saved models can't be
    swapped.
    """
    kinds = {
        "reset after, one bias": nn.GRU(14, 32, seed=0),
        "reset before": nn.GRU(14, 32, reset_after=False, seed=0),
        "reset after, two biases": nn.GRU(14, 32, recurrent_bias=True, seed=0),
    }
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in kinds.items()}
    assert list(counts.values()) == [3 * (32 * 46 + 32), 3 * (32 * 46 + 32), 3 * (32 * 46 + 64)]
    theirs = torch.nn.GRU(14, 32, batch_first=True)
    assert counts["reset after, two biases"] == sum(p.numel() for p in theirs.parameters())
    x = torch.randn(1, 40, 14)
    outputs = {name: layer(x)[0][0, :, 0].detach() for name, layer in kinds.items()}
    assert not torch.allclose(outputs["reset after, one bias"], outputs["reset before"], atol=1e-3)
    return stacked(bars(counts, unit=" parameters"), lines(outputs, up="unit 0"))


def a7() -> str:
    """Stacked layers

    Each layer reads the outputs of the one below; the layers above see longer stretches already summed up.
    """
    stack = torch.nn.Sequential(nn.Embedding(10_000, 32), nn.RNN(32, 32, num_layers=4))
    counts = [sum(p.numel() for p in part.parameters()) for part in stack]
    assert counts == [320_000, 4 * 2_080]
    boxes = ["words (B, T)", "Embedding", *["RNN 32"] * 4]
    return chain(boxes, below=["", "320,000", *["2,080"] * 4])


def a8() -> str:
    """Bidirectional layers

    A second set of weights reads the sequence backwards; outputs are put back into the order of time, so that step t
    has both what came before and what comes after. Joined as features, as a sum or as a mean.
    """
    both = nn.GRU(1, 4, bidirectional=True, seed=0)
    x = torch.zeros(1, 21, 1)
    x[0, 10] = 1.0
    quiet, _ = both(torch.zeros(1, 21, 1))
    change = (both(x)[0] - quiet)[0].abs().detach()
    assert change[:10, :4].max() == 0  # forward: nothing before the input
    assert change[11:, 4:].max() == 0  # backward: nothing after it
    return lines(
        {"forward": change[:, :4].sum(1), "backward": change[:, 4:].sum(1)}, up="change by an input at step 10"
    )


def a9() -> str:
    """Reading in reverse, as an experiment

    A network that reads the window from its end to its start forecasts the weather worse (validation MAE 0.399
    against 0.264 in the published table): what came last matters most, and is then the longest way off.
    """
    forward, backward = nn.RNN(1, 8, seed=3), nn.RNN(1, 8, reverse=True, seed=3)
    x = torch.randn(1, 30, 1, requires_grad=True)
    felt = {}
    for name, layer, last in (("forward", forward, -1), ("in reverse", backward, 0)):
        (gradient,) = torch.autograd.grad(layer(x)[0][0, last].sum(), x)
        felt[name] = gradient[0, :, 0].abs()
    assert felt["forward"][-1] > felt["forward"][0]
    assert felt["in reverse"][0] > felt["in reverse"][-1]
    return lines(felt, up="influence of a step on the answer", log=True)


def a10() -> str:
    """Variational dropout

    One mask for the whole sequence, for the inputs and for the state: the same units are out at every step. A new
    mask at every step would drown what is to be remembered (see E6). Source: Gal and Ghahramani, arXiv 1512.05287.
    """
    layer = nn.RNN(6, 6, input_dropout=0.5, activation="identity", bias=False, seed=2).train()
    with torch.no_grad():
        layer.cells[0].w_h.zero_()
        layer.cells[0].w_x.copy_(torch.eye(6))
    output, _ = layer(torch.ones(1, 12, 6))  # ones in: the output is the mask itself
    mask = output[0].detach()
    assert (mask == mask[0]).all()  # constant in time
    assert set(mask.unique().tolist()) <= {0.0, 2.0}
    return matrix(mask.T, rows=[f"input {n}" for n in range(6)], title="mask over 12 steps", numbers=False, cell=22)


def a11() -> str:
    """Layer norm inside the cell

    The sums of a step are standardised over the units of one sample, not over the batch: no statistic ties the
    samples or the steps together. Source: Ba et al., arXiv 1607.06450.
    """
    plain, normed = nn.RNN(3, 16, seed=0), nn.RNN(3, 16, layer_norm=True, seed=0)
    x = torch.randn(4, 30, 3)
    one = normed(x[:1])[0]
    torch.testing.assert_close(normed(x)[0][:1], one)  # the other samples don't matter
    sizes = {}
    for name, layer in (("plain", plain), ("layer norm", normed)):
        sizes[name] = [float(layer(scale * x)[0].detach().abs().mean()) for scale in (0.1, 0.3, 1, 3, 10, 30)]
    assert np.ptp(sizes["layer norm"]) < np.ptp(sizes["plain"])
    return lines(sizes, x=np.log10([0.1, 0.3, 1, 3, 10, 30]), across="log10 of the input's scale", up="mean |h|")


def a12() -> str:
    """Stateful training

    Row j of the next batch goes on where row j of this one ended: the state is carried, the gradient is cut. Windows
    of two days then still know what happened a week ago; `seqloom reproduce weather-stock` measures it.
    """
    layer, x = nn.GRU(1, 4, seed=0).eval(), torch.randn(3, 12, 1)
    carried = nn.Stateful(layer, rows=3)
    pieces = [carried(x[:, t : t + 2], fresh=t == 0) for t in range(0, 12, 2)]
    torch.testing.assert_close(torch.cat(pieces, 1), layer(x)[0])
    alone = torch.cat([layer(x[:, t : t + 2])[0] for t in range(0, 12, 2)], 1)
    shown = {"whole": layer(x)[0], "carried": torch.cat(pieces, 1), "each window anew": alone}
    return lines({name: y[0, :, 0].detach() for name, y in shown.items()}, up="unit 0 of row 0, windows of 2")


def a13() -> str:
    """Initialisation

    An orthogonal W_h neither shrinks nor stretches what passes through it: all singular values are 1. The identity
    with ReLU is the IRNN (Le, Jaitly and Hinton, arXiv 1504.00941). The LSTM's forget bias starts at 1.
    """
    starts = {}
    for start in ("orthogonal", "identity", "glorot"):
        layer = nn.RNN(8, 24, recurrent_init=start, seed=0)
        starts[start] = recurrent_spectrum(layer)["layer 0"]["singular h"]
    np.testing.assert_allclose(starts["orthogonal"], 1.0, atol=1e-5)
    np.testing.assert_allclose(starts["identity"], 1.0, atol=1e-6)
    assert starts["glorot"][0] > 1.2 > 0.2 > starts["glorot"][-1]
    assert (nn.LSTM(2, 3).cells[0].bias[3:6] == 1).all()
    return lines(starts, up="singular values of W_h", across="number")


def a14() -> str:
    """Gradient clipping

    By norm: the direction stays, the length is bounded. By value: each component is bounded. Both act after backward
    and before the step; programs that clip before backward (some published ones) clip nothing.
    """
    weight = torch.nn.Parameter(torch.zeros(2))
    before = torch.tensor([3.0, 4.0])
    weight.grad = before.clone()
    torch.nn.utils.clip_grad_norm_([weight], 1.0)
    by_norm = weight.grad.clone()
    weight.grad = before.clone()
    torch.nn.utils.clip_grad_value_([weight], 1.0)
    torch.testing.assert_close(by_norm, torch.tensor([0.6, 0.8]), atol=1e-5, rtol=0)
    assert weight.grad.tolist() == [1.0, 1.0]
    return matrix([before, by_norm, weight.grad], rows=["gradient", "norm at most 1", "value at most 1"])


def a15() -> str:
    """Penalties by group

    L1 and L2 on input weights, recurrent weights and biases, each with its own strength, as Keras' three
    regularisers.
    """
    layer = nn.GRU(3, 5, seed=0)
    penalty = nn.WeightPenalty(l2_input=0.1, l1_recurrent=0.01, l2_bias=1.0)
    cell = layer.cells[0]
    parts = {
        "0.1 Σ w_x²": 0.1 * float(cell.w_x.detach().square().sum()),
        "0.01 Σ |w_h|": 0.01 * float(cell.w_h.detach().abs().sum()),
        "1 Σ b²": float(cell.bias.detach().square().sum()),
    }
    np.testing.assert_allclose(float(penalty(layer).detach()), sum(parts.values()), rtol=1e-6)
    return bars(parts)


def a16() -> str:
    """Zoneout, candidate dropout, weight dropout

    Zoneout keeps a unit's old value now and then (arXiv 1606.01305), candidate dropout silences what would be written
    (1603.05118), weight dropout removes recurrent weights for a whole call (1708.02182). In evaluation all are quiet.
    """
    x, drawn = torch.ones(1, 30, 1), {}
    for name, options in {
        "none": {},
        "zoneout": {"zoneout": 0.5},
        "candidate dropout": {"candidate_dropout": 0.5},
        "weight dropout": {"weight_dropout": 0.5},
    }.items():
        layer = nn.GRU(1, 8, seed=4, **options)
        drawn[name] = layer.train()(x)[0][0, :, 0].detach()
        assert not options or not torch.equal(layer(x)[0], layer.eval()(x)[0])
        torch.testing.assert_close(layer.eval()(x)[0], layer(x)[0])
    return lines(drawn, up="unit 0 while training")
