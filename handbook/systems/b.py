"""B. Convolutions."""

# Torch types a module's parts as tensors or modules, and statsmodels has no types: examples stay free of casts.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import torch

from handbook.draw import bars, chain, lines, matrix, stacked
from seqloom import nn
from seqloom.nn import images


def b1() -> str:
    """Causal convolution

    The output at t sees x_t and what came before; zeros stand before the start. 10, 20, 30 under the kernel 1, 2 give
    20, 50, 80 (a slide prints 23).
    """
    layer = nn.CausalConv1d(1, 1, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0, 2.0]]]))
    y = layer(torch.tensor([10.0, 20.0, 30.0]).reshape(1, 3, 1))
    assert y.flatten().tolist() == [20.0, 50.0, 80.0]
    rows = ["1 · the step before", "2 · the step itself", "sum"]
    return matrix([[0, 10, 20], [20, 40, 60], y.detach().flatten()], rows=rows)


def b2() -> str:
    """Dilated causal stack and its receptive field

    With dilations 1, 2, 4, 8 four layers of kernel 2 see 16 steps, without any 5. Proved by the gradient: the oldest
    step that the formula counts matters, the one before it doesn't.
    """

    def stack(kernel: int, dilations: tuple[int, ...]) -> torch.nn.Sequential:
        layers = [nn.CausalConv1d(1, 1, kernel, dilation=d, seed=d) for d in dilations]
        return torch.nn.Sequential(*layers)

    fields = {}
    for kernel, dilations in ((2, (1, 2, 4, 8)), (2, (1, 1, 1, 1)), (5, (1, 1, 1, 1)), (5, (1, 2, 4, 8))):
        net, x = stack(kernel, dilations), torch.ones(1, 80, 1, requires_grad=True)
        (gradient,) = torch.autograd.grad(net(x)[0, -1].sum(), x)
        seen = int((gradient[0, :, 0] != 0).sum())
        assert nn.receptive_field(net) == seen
        fields[f"kernel {kernel}, dilations {', '.join(map(str, dilations))}"] = seen
    assert list(fields.values()) == [16, 5, 17, 61]
    return bars(fields, unit=" steps")


def b3() -> str:
    """Convolution arithmetic

    How many outputs there are: valid, same and full padding, stride and dilation. Three taps with dilation 2 span 5
    steps. Three 3×3 see what one 7×7 sees, with 27 weights for 49.
    """
    x, outputs = torch.zeros(1, 20, 1), {}
    for name, options in {
        "valid": {},
        "same": {"padding": "same"},
        "full": {"padding": "full"},
        "causal": {"padding": "causal"},
        "valid, stride 2": {"stride": 2},
        "valid, dilation 2 (spans 5)": {"dilation": 2},
    }.items():
        layer = nn.Conv1d(1, 1, 3, **options)
        outputs[name] = layer(x).shape[1]
        assert outputs[name] == nn.output_length(layer, 20)
    assert list(outputs.values()) == [18, 20, 22, 20, 9, 16]
    three = torch.nn.Sequential(*(torch.nn.Conv2d(1, 1, 3, bias=False) for _ in range(3)))
    assert images.receptive_field(three) == (7, 7)
    assert sum(p.numel() for p in three.parameters()) == 27
    return bars(outputs, unit=" of 20 steps")


def b4() -> str:
    """1-D convnet with pooling

    Words or values through convolutions, a pool between them, the largest of each channel at the end.
    """
    net = torch.nn.Sequential(
        nn.Embedding(10_000, 128),
        nn.Conv1d(128, 32, 7, activation="relu"),
        nn.MaxPool(5),
        nn.Conv1d(32, 32, 7, activation="relu"),
        nn.GlobalMax(),
        torch.nn.Linear(32, 1),
    )
    counts = [sum(p.numel() for p in part.parameters()) for part in net]
    assert sum(counts) == 1_315_937
    boxes = ["Embedding 128", "Conv 32×7", "MaxPool 5", "Conv 32×7", "GlobalMax", "Dense 1"]
    return chain(boxes, below=[f"{count:,}" if count else "" for count in counts])


def b5() -> str:
    """Convolutions that feed a recurrent network

    Convolutions and a pool make a long or finely sampled series short before a GRU reads it.
    """
    counts = {}
    for name, options in (("one bias", {}), ("two biases", {"recurrent_bias": True})):
        front = [nn.Conv1d(14, 32, 5, activation="relu"), nn.MaxPool(3), nn.Conv1d(32, 32, 5, activation="relu")]
        parts = [*front, nn.GRU(32, 32, **options), torch.nn.Linear(32, 1)]
        counts[name] = sum(p.numel() for part in parts for p in part.parameters())
        steps = nn.output_length(torch.nn.Sequential(*front), 240)
    assert counts == {"one bias": 13_697, "two biases": 13_793}
    return chain(["14 columns, 240 steps", "Conv 32×5", "Pool 3", "Conv 32×5", f"GRU 32 over {steps}", "Dense 1"])


def b6() -> str:
    """Temporal convolutional network

    Blocks of two causal dilated convolutions with weight norm, ReLU and dropout, and the input added back (through a
    1×1 convolution where widths differ). It sees 1 + 2(k − 1)(2ⁿ − 1) steps. Source: Bai et al., arXiv 1803.01271.
    """
    fields = {}
    for kernel, levels in ((2, 8), (3, 8), (7, 8), (8, 8)):
        fields[f"kernel {kernel}, {levels} levels"] = nn.receptive_field(nn.TCN(1, [4] * levels, kernel))
        assert fields[f"kernel {kernel}, {levels} levels"] == 1 + 2 * (kernel - 1) * (2**levels - 1)
    digits = torch.nn.Sequential(nn.TCN(1, [25] * 8, 7), torch.nn.Linear(25, 10))
    assert sum(p.numel() for p in digits.parameters()) == 66_910
    return bars(fields, unit=" steps")


def b7() -> str:
    """Inception for texts

    Kernels of 3, 5 and 7 words side by side on the same embedding, the largest of each channel, then joined. Sources:
    Kim, arXiv 1408.5882; Szegedy et al., arXiv 1409.4842.
    """
    block = nn.Inception1d(32, 16, (3, 5, 7), pool="max")
    assert block(torch.zeros(2, 40, 32)).shape == (2, 48)
    boxes = ["words", "Embedding 32", "Conv 3 | Conv 5 | Conv 7", "GlobalMax of each", "48 features", "Dense"]
    return chain(boxes)


def b8() -> str:
    """Highway and residual

    y = H(x) T(x) + x (1 − T(x)): with the gate shut the layer is the identity, its Jacobian too. y = x + F(x) is the
    same idea without a gate; a GRU with z = 1 keeps its state. Sources: Srivastava et al., 1505.00387; He et al.,
    1512.03385.
    """
    x, far = torch.randn(1, 1, 6), {}
    for bias in (-200.0, -4.0, -2.0, 0.0, 2.0, 4.0):
        layer = nn.Highway(6, gate_bias=bias, seed=0)
        jacobian = torch.autograd.functional.jacobian(lambda v, layer=layer: layer(v[None, None])[0, 0], x[0, 0])
        far[bias] = float((jacobian - torch.eye(6)).norm())
    assert far[-200.0] == 0.0
    keeps = nn.GRU(1, 4, seed=0)
    with torch.no_grad():
        keeps.cells[0].bias[4:8] = 200.0  # gate z
    start = torch.randn(1, 1, 4)
    assert torch.equal(keeps(torch.randn(1, 50, 1), start)[1], start)
    assert torch.equal(nn.Residual(torch.nn.Identity())(x), 2 * x)
    gate, distance = list(far)[1:], list(far.values())[1:]
    up = "distance of the Jacobian from the identity"
    return lines({"": distance}, x=gate, across="bias of the gate", up=up, points=True)


def b9() -> str:
    """Image networks behind the ideas

    LeNet-5, AlexNet, VGG, GoogLeNet and ResNet, whose convolutions, inception modules and shortcuts the 1-D layers
    took over. Counted on torch's meta device, where no weight is stored.
    """
    with torch.device("meta"):
        nets = {
            "LeNet-5": images.LeNet5(),
            "AlexNet": images.AlexNet(),
            "VGG-16": images.VGG(16),
            "VGG-19": images.VGG(19),
            "GoogLeNet": images.GoogLeNet(),
            "ResNet-152": images.ResNet(152),
        }
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}
    assert counts["LeNet-5"] == 61_706
    assert counts["AlexNet"] == 62_378_344
    assert (counts["VGG-16"], counts["VGG-19"]) == (138_357_544, 143_667_240)
    assert counts["ResNet-152"] == 60_192_808
    return bars(counts, unit=" weights", log=True)


def b10() -> str:
    """Image sequences

    A convolutional network reads each frame, a recurrent one the sequence of what it saw: here a dot that moves to
    the left or to the right.
    """
    draw, frames, labels = np.random.default_rng(0), np.zeros((64, 6, 8, 8), np.float32), np.zeros(64, np.int64)
    for n in range(64):
        labels[n], row, start = n % 2, draw.integers(8), draw.integers(6, 8)
        for t in range(6):
            frames[n, t, row, start - t if labels[n] else 7 - start + t] = 1.0
    eye = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten())
    memory, out = nn.GRU(256, 8, seed=0), torch.nn.Linear(8, 2)
    parts = torch.nn.ModuleList([eye, memory, out])
    optimizer = torch.optim.Adam(parts.parameters(), 0.01)
    x, y, loss = torch.from_numpy(frames), torch.from_numpy(labels), torch.zeros(())
    for _ in range(40):
        seen = eye(x.reshape(-1, 1, 8, 8)).reshape(64, 6, -1)
        loss = torch.nn.functional.cross_entropy(out(memory(seen)[0][:, -1]), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.3
    return stacked(*(matrix(frames[n].transpose(1, 0, 2).reshape(8, 48), numbers=False, cell=12) for n in (0, 1)))


def b11() -> str:
    """A convolution is a sparse fully connected layer

    Six inputs and six outputs have 36 places for a weight; a kernel of three taps leaves 16 of them and shares 3
    values. A stride of 2 takes every other row.
    """
    layer = nn.Conv1d(1, 1, 3, padding="same", bias=False, seed=1)
    whole = torch.stack([layer(row.reshape(1, 6, 1)).flatten() for row in torch.eye(6)], dim=1).detach()
    assert int((whole != 0).sum()) == 16
    assert len(set(whole[whole != 0].tolist())) == 3
    halved = nn.Conv1d(1, 1, 3, padding="same", stride=2, bias=False, seed=1)
    fewer = torch.stack([halved(row.reshape(1, 6, 1)).flatten() for row in torch.eye(6)], dim=1).detach()
    assert fewer.shape == (3, 6)
    return stacked(
        matrix(whole, title="stride 1: outputs below each other, inputs across"), matrix(fewer, title="stride 2")
    )
