"""Networks for pictures: counts, shapes, fields as published; blocks beside NumPy in float64; weights from the seed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqloom.errors import SettingError
from seqloom.nn import images
from seqloom.nn.images import VGG, AlexNet, GoogLeNet, HighwayConv2d, Inception2d, LeNet5, ResidualBlock, ResNet

# Each with its source: LeNet-5, AlexNet, VGG and ResNet by their papers' tables, GoogLeNet as Caffe's bvlc_googlenet.
COUNTS: list[tuple[Callable[[], nn.Module], int]] = [
    (LeNet5, 61_706), (lambda: LeNet5(size=28), 61_706), (AlexNet, 62_378_344), (lambda: AlexNet(groups=2), 60_965_224),
    (VGG, 138_357_544), (lambda: VGG(19), 143_667_240), (GoogLeNet, 6_998_552), (lambda: ResNet(18), 11_689_512),
    (ResNet, 60_192_808),
]  # fmt: skip
MORE: list[tuple[Callable[[], nn.Module], int]] = [
    (lambda: VGG(11), 132_863_336), (lambda: ResNet(34), 21_797_672), (lambda: ResNet(50), 25_557_032),
    (lambda: ResNet(101), 44_549_160),
]  # fmt: skip


def on_meta(make: Callable[[], Any]) -> Any:
    with torch.device("meta"):
        return make()


def weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(("make", "count"), [*COUNTS, *(pytest.param(*each, marks=pytest.mark.deep) for each in MORE)])
def test_counts_are_those_of_the_papers(make: Callable[[], nn.Module], count: int) -> None:
    assert weights(on_meta(make)) == count


def test_batch_norm_takes_the_place_of_the_biases() -> None:
    for make in (VGG, GoogLeNet):
        plain, normed = on_meta(make), on_meta(lambda make=make: make(batch_norm=True))
        convolutions = [m for m in plain.modules() if isinstance(m, nn.Conv2d)]
        # One bias each goes, a gain and a shift come.
        assert weights(normed) - weights(plain) == sum(m.out_channels for m in convolutions)


def shapes(net: Any, channels: int, size: int) -> list[tuple[int, ...]]:
    x, found = torch.empty(1, channels, size, size, device="meta"), []
    for layer in net.features:
        x = layer(x)
        if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d, Inception2d, ResidualBlock)):
            found.append(tuple(x.shape[1:3]))
    return found


def test_maps_have_the_published_sizes() -> None:
    assert shapes(on_meta(LeNet5), 1, 32) == [(6, 14), (16, 5)]
    assert shapes(on_meta(AlexNet), 3, 227) == [(96, 27), (256, 13), (256, 6)]
    assert shapes(on_meta(VGG), 3, 224) == [(64, 112), (128, 56), (256, 28), (512, 14), (512, 7)]
    assert shapes(on_meta(GoogLeNet), 3, 224) == [
        (64, 56), (192, 28), (256, 28), (480, 28), (480, 14), (512, 14), (512, 14), (512, 14), (528, 14), (832, 14),
        (832, 7), (832, 7), (1024, 7),
    ]  # fmt: skip
    deep = shapes(on_meta(ResNet), 3, 224)
    assert len(deep) == 51
    assert [deep[n] for n in (0, 1, 3, 11, 47, 50)] == [
        (64, 56),
        (256, 56),
        (256, 56),
        (512, 28),
        (1024, 14),
        (2048, 7),
    ]
    assert on_meta(AlexNet)(torch.empty(2, 3, 227, 227, device="meta")).shape == (2, 1000)


SMALL: list[tuple[str, Callable[[], Any], int]] = [
    ("lenet", lambda: LeNet5(width=0.2), 1),
    ("alexnet", lambda: AlexNet(4, width=0.01), 3),
    ("alexnet of 32", lambda: AlexNet(4, size=32, groups=2, width=0.03), 3),
    ("vgg", lambda: VGG(11, 4, size=64, width=0.02, units=32), 3),
    ("googlenet", lambda: GoogLeNet(4, width=0.01), 3),
    ("resnet-18", lambda: ResNet(18, 4, width=0.02), 3),
    ("resnet-50 of 32", lambda: ResNet(50, 4, size=32, width=0.02), 3),
    ("resnet of 32", lambda: ResNet(18, 4, size=32, width=0.02), 3),
]


def some(*quick: str) -> list[Any]:
    """The small networks, those that are not named in the long sweep alone."""
    return [pytest.param(*one, id=one[0], marks=() if one[0] in quick else pytest.mark.deep) for one in SMALL]


def linear_twin(features: nn.Module) -> nn.Module:
    """The same windows with all weights 1 and means for pools, so that every input that can matter has a gradient."""
    for name, layer in list(features.named_children()):
        if isinstance(layer, nn.MaxPool2d):
            twin = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)
            setattr(features, name, twin)
        elif isinstance(layer, (nn.Tanh, nn.LocalResponseNorm)):
            setattr(features, name, nn.Identity())
        else:
            linear_twin(layer)
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return features


@pytest.mark.parametrize(("name", "make", "channels"), some("lenet", "alexnet of 32", "googlenet", "resnet of 32"))
def test_the_field_is_where_an_output_has_gradients(name: str, make: Callable[[], Any], channels: int) -> None:
    features = linear_twin(make().features.double().eval())
    high, wide = images.fields_of(features)
    size = int(high.size) + 4 * int(high.stride)
    assert high == wide
    # Low pictures see the width alone, as the height would be all zeros around.
    x = torch.ones(1, channels, 67 if "len" not in name and "32" not in name else 40, size, dtype=torch.float64)
    x.requires_grad_()
    y = features(x)
    assert tuple(y.shape[2:]) == images.output_length(features, (x.shape[2], size))
    place = y.shape[3] // 2
    # Of all channels: those of an inception module see unequally far.
    y[0, :, y.shape[2] // 2, place].sum().backward()
    assert x.grad is not None
    seen = torch.nonzero(x.grad.abs().sum((0, 1, 2)) > 0)[:, 0].tolist()
    first = place * int(wide.stride) - int(wide.before)
    assert (seen[0], seen[-1]) == (max(first, 0), min(place * int(wide.stride) + int(wide.after), size - 1))
    assert len(seen) == min(int(wide.size), size) or first < 0


def test_a_field_that_is_too_small_is_found() -> None:
    # A planted mistake: a pool taken for one without a stride.
    stack = nn.Sequential(nn.Conv2d(1, 1, 3), nn.AvgPool2d(2), nn.Conv2d(1, 1, 3))
    wrong = images.fields_of(nn.Sequential(nn.Conv2d(1, 1, 3), nn.AvgPool2d(2, 1), nn.Conv2d(1, 1, 3)))[0].size
    x = torch.zeros(1, 1, 20, 20, requires_grad=True)
    linear_twin(stack)(x)[0, 0, 2, 2].backward()
    assert x.grad is not None
    seen = int((x.grad[0, 0].abs().sum(0) > 0).sum())
    assert images.receptive_field(stack) == (seen, seen)
    assert wrong != seen


def test_published_fields() -> None:
    fields = {
        "alexnet": (AlexNet, 195),
        "vgg-16": (VGG, 212),
        "vgg-19": (lambda: VGG(19), 268),
        "resnet-50": (lambda: ResNet(50), 427),
    }
    for make, pixels in fields.values():
        assert images.receptive_field(on_meta(make).features) == (pixels, pixels)
    assert images.receptive_field(LeNet5()) == (math.inf, math.inf)
    oblong = nn.Conv2d(1, 1, (3, 5), stride=(1, 2), dilation=(2, 1))
    assert images.receptive_field(oblong) == (5, 5)
    assert images.receptive_field(nn.Sequential(oblong, nn.Conv2d(1, 1, 3))) == (7, 9)


@pytest.mark.parametrize("size", [(7, 7), (12, 17), (31, 8), (64, 33)])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, (2, 5), dilation=(3, 1)),
        nn.Conv2d(1, 1, (3, 5), dilation=2, padding="same"), nn.MaxPool2d(6, 2, ceil_mode=True),
        nn.MaxPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2, 3, 1, ceil_mode=True),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d((2, 3)), nn.Conv2d(1, 1, 5, padding="valid"),
    ],
)  # fmt: skip
def test_output_lengths_are_torch_s(layer: nn.Module, size: tuple[int, int]) -> None:
    assert images.output_length(layer, size) == tuple(layer(torch.zeros(1, 1, *size)).shape[2:])


def conv2d(x: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    """A convolution by its definition, a sum over taps, in float64."""
    w = layer.weight.detach().numpy().astype(np.float64)
    (p, q), (s, t) = layer.padding, layer.stride  # type: ignore[misc]
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)))  # type: ignore[list-item]
    rows, columns = (x.shape[2] - w.shape[2]) // s + 1, (x.shape[3] - w.shape[3]) // t + 1
    y = np.zeros((len(x), len(w), rows, columns))
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            tap = x[:, :, i : i + s * (rows - 1) + 1 : s, j : j + t * (columns - 1) + 1 : t]
            y += np.einsum("bchw,oc->bohw", tap, w[:, :, i, j])
    return y if layer.bias is None else y + layer.bias.detach().numpy()[:, None, None]


def batch_norm(x: np.ndarray, layer: nn.BatchNorm2d) -> np.ndarray:
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    if not layer.training:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        mean, var = (v.numpy().astype(np.float64)[None, :, None, None] for v in (layer.running_mean, layer.running_var))
    gain, shift = (v.detach().numpy()[:, None, None] for v in (layer.weight, layer.bias))
    return (x - mean) / np.sqrt(var + layer.eps) * gain + shift


def pool(x: np.ndarray) -> np.ndarray:
    """The largest of 3×3, stride 1."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.max((-2, -1))


def run(layers: nn.Module, x: np.ndarray) -> np.ndarray:
    assert isinstance(layers, nn.Sequential)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            x = conv2d(x, layer)
        elif isinstance(layer, nn.BatchNorm2d):
            x = batch_norm(x, layer)
        elif isinstance(layer, nn.ReLU):
            x = np.maximum(x, 0)
        else:
            assert isinstance(layer, nn.MaxPool2d)
            x = pool(x)
    return x


def twin(block: Any, x: np.ndarray) -> np.ndarray:
    if isinstance(block, Inception2d):
        return np.concatenate([run(branch, x) for branch in block.branches], axis=1)
    if isinstance(block, ResidualBlock):
        beside = x if isinstance(block.shortcut, nn.Identity) else run(block.shortcut, x)
        return np.maximum(run(block.body, x) + beside, 0)
    t = 1 / (1 + np.exp(-conv2d(x, block.gate)))
    return np.maximum(conv2d(x, block.transform), 0) * t + x * (1 - t)


BLOCKS: dict[str, Callable[[], nn.Module]] = {
    "inception": lambda: Inception2d(4, (3, 2, 4, 1, 2, 3)),
    "inception with norm": lambda: Inception2d(4, (3, 2, 4, 1, 2, 3), batch_norm=True),
    "residual": lambda: ResidualBlock(4, 4),
    "residual, halved": lambda: ResidualBlock(4, 5, stride=2),
    "bottleneck": lambda: ResidualBlock(4, 3, bottleneck=True, stride=2),
    "highway": lambda: HighwayConv2d(4, gate_bias=0.3),
}


def drawn(name: str) -> nn.Module:
    """A block with unequal weights everywhere, norms' running numbers too."""
    block, draw = BLOCKS[name](), torch.Generator().manual_seed(7)
    with torch.no_grad():
        for own, values in block.state_dict().items():
            if "num_batches" not in own:
                values.add_(torch.rand(values.shape, generator=draw) * 0.5 + 0.1)
    return block


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_equal_numpy_in_float64(name: str, train: bool) -> None:
    block = drawn(name).double().train(train)
    x = np.random.default_rng(3).normal(size=(2, 4, 7, 6))
    expected = twin(block, x)
    found = block(torch.from_numpy(x))
    assert found.shape == expected.shape
    assert np.abs(found.detach().numpy() - expected).max() <= 1e-12 * np.abs(expected).max()
    assert images.output_length(block, (7, 6)) == tuple(found.shape[2:])
    # A planted mistake: x turned over is another picture.
    assert np.abs(twin(block, x[..., ::-1]) - expected).max() > 0.01


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_have_right_gradients(name: str) -> None:
    block = drawn(name).double().eval()
    x = torch.randn(1, 4, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)

    def of(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(block, dict(zip(dict(block.named_parameters()), values)), (x,))

    assert torch.autograd.gradcheck(of, (x, *block.parameters()), fast_mode=True)


@pytest.mark.parametrize(("name", "make", "channels"), some("lenet", "alexnet of 32", "resnet of 32"))
def test_every_weight_of_a_network_has_a_gradient(name: str, make: Callable[[], Any], channels: int) -> None:
    net = make()
    draw = torch.Generator().manual_seed(2)
    net(torch.randn(3, channels, *net.size, generator=draw)).square().sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in net.parameters())


def test_weights_come_from_the_seed_alone() -> None:
    before = torch.get_rng_state()
    makers: list[Callable[[Any], nn.Module]] = [
        lambda seed: LeNet5(seed=seed), lambda seed: AlexNet(4, size=32, width=0.02, seed=seed),
        lambda seed: GoogLeNet(4, size=32, width=0.05, seed=seed),
        lambda seed: ResNet(18, 4, size=32, width=0.1, seed=seed),
        lambda seed: VGG(11, 4, size=32, width=0.05, seed=seed), lambda seed: HighwayConv2d(3, seed=seed),
    ]  # fmt: skip
    for make in makers:
        one, two, other = (make(seed).state_dict() for seed in (1, 1, 2))
        assert all(torch.equal(one[name], two[name]) for name in one)
        drawn = [name for name in one if one[name].dim() > 1]
        assert not any(torch.equal(one[name], other[name]) for name in drawn)
        # Layers of one shape don't start alike.
        shapes = {one[name].shape: name for name in drawn}
        assert all(
            name == shapes[one[name].shape] or not torch.equal(one[name], one[shapes[one[name].shape]])
            for name in drawn
        )
    assert torch.equal(torch.get_rng_state(), before)
    deep = ResNet(18, size=32, seed=0).features[9]
    assert isinstance(deep, ResidualBlock)
    first = deep.body[0]
    assert isinstance(first, nn.Conv2d)
    fan = first.in_channels * 9
    assert float(first.weight.detach().std()) == pytest.approx(math.sqrt(2 / fan), rel=0.02)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LeNet5(size=8), "needs pictures of at least 12 by 12 pixels, not 8 by 8"),
        (lambda: AlexNet(size=(14, 40)), "at least 15 by 15 pixels, not 14 by 40"),
        (lambda: VGG(size=31), "at least 32 by 32"),
        (lambda: VGG(17), "one of 11, 13, 16, 19, not 17"),
        (lambda: ResNet(20), "one of 18, 34, 50, 101, 152, not 20"),
        (lambda: ResNet(18, width=0), "above 0 and at most 64"),
        (lambda: LeNet5(activation="elu"), "activation of LeNet5 is one of tanh, relu, sigmoid"),
        (lambda: AlexNet(groups=3), "groups of AlexNet is 1 or 2"),
        (lambda: Inception2d(3, (1, 2)), "six: 1×1, 1×1 before 3×3"),
        (lambda: HighwayConv2d(3, 4), "must be odd"),
        (lambda: LeNet5(size=0), "size is a whole number or (height, width)"),
        (lambda: LeNet5()(torch.zeros(1, 32, 32, 1)), "(batch, height, width, channels): give x.permute(0, 3, 1, 2)"),
        (lambda: LeNet5()(torch.zeros(1, 1, 28, 28)), "must have shape (batch, 1, 32, 32), not (1, 1, 28, 28)"),
        (lambda: images.receptive_field(nn.GRU(1, 1)), "is not known"),
        (lambda: images.output_length(nn.Flatten(), 4), "is not known"),
    ],
)
def test_one_sentence_for_what_is_not_possible(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(SettingError, match=re.escape(said)):
        make()


def test_pictures_of_other_sizes_where_places_don_t_matter() -> None:
    net = ResNet(18, 4, size=(32, 48), width=0.05).eval()
    assert net(torch.zeros(1, 3, 40, 33)).shape == (1, 4)
    assert LeNet5(None, size=(20, 28))(torch.zeros(2, 1, 20, 28)).shape == (2, 84)
