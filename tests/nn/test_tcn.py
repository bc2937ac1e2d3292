"""`TCN`: the published table's sizes, parity with torch's own layers, published weights, chunks, masks, dropout."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from oracles.published_tcn import PublishedTCN
from seqloom.errors import SettingError
from seqloom.nn import TCN, CausalConv1d, TemporalBlock, detach, receptive_field, truncated_bptt, weight_groups
from seqloom.nn import tcn as tcn_module
from seqloom.ops import StepRandom, causal_conv
from seqloom_runtime.forward.last_output import parts_for_last


def normal(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def shuffled(module: Any, seed: int = 2) -> Any:
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.double().parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=source))
    return module


def tied(words: int, size: int) -> int:
    """An embedding whose matrix the output layer shares, and that layer's bias."""
    return words * size + words


# arXiv 1803.01271, table of settings: inputs, channels, kernel; parameters of what is around; in all; receptive field.
SETTINGS: dict[str, Any] = {
    "adding": ((2, [24] * 8, 8), 24 + 1, 70_369, 3571),
    "MNIST": ((1, [25] * 8, 7), 25 * 10 + 10, 66_910, 3061),
    "copy": ((1, [10] * 8, 8), 10 * 10 + 10, 12_530, 3571),
    "JSB": ((88, [150] * 2, 3), 151 * 88, 269_938, 13),
    "Nottingham": ((88, [150] * 4, 6), 151 * 88, 1_053_238, 151),
    "PTB words": ((600, [600] * 4, 3), tied(10_000, 600), 14.66e6, 61),
    "PTB characters": ((100, [450, 450, 100], 3), tied(50, 100), 2.22e6, 29),
    "text8": ((100, [520] * 4 + [100], 2), tied(27, 100), 4.13e6, 63),
    "WikiText-103": ((400, [1000] * 4 + [400], 3), tied(267_735, 400), 132e6, 125),
    "LAMBADA": ((500, [500] * 5, 4), tied(93_215, 500), 56.7e6, 187),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_published_sizes(name):
    sizes, around, expected, field = SETTINGS[name]
    tcn = TCN(*sizes)
    count = sum(p.numel() for p in tcn.parameters()) + around
    assert count == (expected if isinstance(expected, int) else pytest.approx(expected, rel=3e-3))
    assert receptive_field(tcn) == field == 1 + 2 * (sizes[2] - 1) * (2 ** len(sizes[1]) - 1)


@pytest.mark.parametrize(
    ("sizes", "activation", "twin_activation"),
    [
        ((3, [5, 4], 3), "relu", nn.ReLU),
        ((4, [4, 4, 4], 2), "relu", nn.ReLU),
        ((1, [6, 3, 3, 2], 4), "tanh", nn.Tanh),
        ((2, [2], 1), "elu", nn.ELU),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_against_torch(sizes: Any, activation, twin_activation, seed):
    """Outputs and all gradients, with random weights, in double precision; and the published layout of weights."""
    twin = PublishedTCN(*sizes, activation=twin_activation, seed=seed).double()
    tcn = TCN(*sizes, activation=activation, seed=seed).double()
    assert tcn.load_state_dict(twin.state_dict()) == ([], [])
    x, weights = normal(3, 13, sizes[0], seed=seed).requires_grad_(), normal(3, 13, sizes[1][-1], seed=9)
    found, expected = tcn(x), twin(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    theirs = dict(twin.named_parameters())
    names, parameters = zip(*tcn.named_parameters(), strict=True)
    ours = torch.autograd.grad((found * weights).sum(), [x, *parameters])
    other = torch.autograd.grad((expected * weights).sum(), [x, *(theirs[name] for name in names)])
    for name, a, b in zip(["x", *names], ours, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


TWINS = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU, "softplus": nn.Softplus, "sigmoid": nn.Sigmoid}


def compare_with_torch(seed: int, backend: str) -> None:
    """A random network in single precision errs at most twice as much as torch's or the readable one, gradients too."""
    rng = np.random.default_rng([seed, 11])
    inputs, taps, batch, steps, levels = (int(n) for n in rng.integers(1, [7, 6, 5, 40, 5]))
    sizes: Any = (inputs, [int(n) for n in rng.integers(1, 9, levels)], taps)
    activation = str(rng.choice(list(TWINS)))
    twins = [PublishedTCN(*sizes, activation=TWINS[activation], seed=seed) for _ in range(2)]
    tcn, plain = (TCN(*sizes, activation=activation, backend=engine) for engine in (backend, "reference"))
    for network in (tcn, plain):
        network.load_state_dict(twins[0].state_dict())
    x, weights = normal(batch, steps, inputs, seed=seed), normal(batch, steps, sizes[1][-1], seed=seed + 1)
    results = []
    for network in (tcn, plain, twins[0], twins[1].double()):
        dtype = next(network.parameters()).dtype
        given = x.to(dtype).requires_grad_()
        twin = isinstance(network, PublishedTCN)
        y = network(given.transpose(1, 2)).transpose(1, 2) if twin else network(given)
        parameters = dict(network.named_parameters())
        names = [name for name, _ in tcn.named_parameters()]
        gradients = torch.autograd.grad((y * weights.to(dtype)).sum(), [given, *(parameters[name] for name in names)])
        results.append((y.detach().flatten(), torch.cat([g.flatten() for g in gradients])))
    for *found, true in zip(*results, strict=True):
        scale = true.abs().max().clamp(min=1e-6)  # zero where no relu lets anything through
        error, *others = (float((one - true).abs().max() / scale) for one in found)
        assert error <= 2 * max(others) + 1e-6


@pytest.mark.parametrize("backend", ["auto", "reference", "torch"])
@pytest.mark.parametrize("seed", range(12))
def test_single_precision_against_torch(seed, backend):
    compare_with_torch(seed, backend)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(12, 312))
def test_single_precision_against_torch_at_length(seed):
    compare_with_torch(seed, "auto")


def test_published_weights_in_torchs_newer_layout():
    """`parametrizations.weight.original0` and `…original1`, and no weight norm at all."""
    twin = PublishedTCN(3, [5, 4], 2, seed=4)
    expected = TCN(3, [5, 4], 2)
    expected.load_state_dict(twin.state_dict())
    newer = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): t
        for name, t in twin.state_dict().items()
    }
    x = normal(2, 9, 3, dtype=torch.float32)
    for target in (TCN(3, [5, 4], 2, seed=8), TCN(3, [5, 4], 2, weight_norm=False)):
        target.load_state_dict(newer)
        torch.testing.assert_close(target(x), expected(x))
    with pytest.raises(RuntimeError, match=r"Missing key.*conv2\.weight_v"):
        TCN(3, [5, 4], 2).load_state_dict({k: t for k, t in newer.items() if "1.conv2.p" not in k})


def test_weights_start_as_torchs():
    tcn = TCN(3, [5, 5], 4, seed=torch.Generator().manual_seed(3))
    torch.manual_seed(3)
    first = nn.Conv1d(3, 5, 4)
    block = tcn.blocks[0]
    torch.testing.assert_close(block.conv1.kernel(), first.weight)
    torch.testing.assert_close(block.conv1.bias, first.bias)
    assert block.downsample is not None
    assert tcn.blocks[1].downsample is None
    wide = TemporalBlock(60, 80, 2).downsample
    assert wide is not None
    assert float(wide.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    one, two, three = (TCN(3, [4], seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["network.0.conv1.weight_v"], three["network.0.conv1.weight_v"])


def test_dilations_of_ones_choice():
    tcn = TCN(2, [3, 3], 5, dilations=[1, 10])
    assert receptive_field(tcn) == 1 + 2 * 4 * 11
    assert [block.conv2.dilation for block in tcn.blocks] == [1, 10]


@given(st.integers(1, 4), st.integers(0, 12), st.lists(st.integers(0, 12), max_size=4), st.integers(0, 99))
def test_chunks_are_the_whole(taps, steps, cuts, seed):
    tcn = shuffled(TCN(2, [3, 3, 2], taps), seed)
    x = normal(2, steps, 2, seed=seed)
    places = sorted(min(cut, steps) for cut in cuts)
    context, parts = None, []
    for start, stop in zip([0, *places], [*places, steps]):
        y, context = tcn.carry(x[:, start:stop], context)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=1), tcn(x))
    more = normal(2, 3, 2, seed=5)
    torch.testing.assert_close(tcn(more, context=context), tcn(torch.cat([x, more], dim=1))[:, steps:])


def test_training_on_chunks():
    """The gradient stops at the window; with one window it is the whole one."""
    tcn, x = shuffled(TCN(2, [3, 3], 3)), normal(2, 12, 2)
    expected = tcn(x)
    parameters = list(tcn.parameters())
    whole = torch.autograd.grad(expected.square().sum(), parameters, retain_graph=True)
    for window in (4, 12):
        chunks = list(truncated_bptt(tcn.carry, x, window))
        torch.testing.assert_close(torch.cat([chunk.output for chunk in chunks], dim=1), expected)
        assert not detach(chunks[-1].state)[0][0].requires_grad
        parts = [torch.autograd.grad(chunk.output.square().sum(), parameters, retain_graph=True) for chunk in chunks]
        near = [torch.allclose(torch.stack(part).sum(0), g) for *part, g in zip(*parts, whole, strict=True)]
        assert all(near) == (window == 12)


@pytest.mark.parametrize("side", ["left", "right"])
def test_masks_equal_truncation(side):
    tcn = shuffled(TCN(2, [3, 4, 4], 3))
    lengths = [11, 8, 5, 1]
    x, steps = normal(4, 11, 2), torch.arange(11)
    count = torch.tensor(lengths)[:, None]
    mask = steps < count if side == "right" else steps >= 11 - count
    x[~mask] = torch.nan
    y = tcn(x, mask)
    for b in range(4):
        torch.testing.assert_close(y[b][mask[b]], tcn(x[b : b + 1, mask[b]])[0])
    torch.testing.assert_close(TemporalBlock(2, 2, 3)(x.float(), mask)[0], TemporalBlock(2, 2, 3)(x[:1].float())[0])


@given(st.integers(1, 12), st.integers(0, 99))
def test_causality(steps, seed):
    tcn = shuffled(TCN(2, [3, 2], 2), seed)
    x = normal(1, steps, 2, seed=seed)
    at = seed % steps
    changed = x.clone()
    changed[:, at + 1 :] -= 2.0
    assert torch.equal(tcn(x)[:, : at + 1], tcn(changed)[:, : at + 1])


@st.composite
def stacks(draw: Any) -> tuple[list[int], int, int]:
    """Dilations (doubling, or any), taps and steps."""
    levels = draw(st.integers(1, 5))
    any_dilations = st.lists(st.integers(1, 12), min_size=levels, max_size=levels)
    doubling = st.just([2**level for level in range(levels)])
    return draw(st.one_of(doubling, any_dilations)), draw(st.integers(1, 4)), draw(st.integers(1, 150))


def last_outputs(dilations: list[int], taps: int, steps: int, seed: int) -> list[tuple[Tensor, ...]]:
    """Output at the last step and all gradients, of that step alone and of the whole sequence."""
    tcn = shuffled(TCN(2, [3] * len(dilations), taps, dilations=dilations, activation="tanh"), seed)
    x, weights = normal(2, steps, 2, seed=seed).requires_grad_(), normal(2, 3, seed=seed + 1)
    both = tcn(x, last_only=True), tcn(x)[:, -1]
    return [(y, *torch.autograd.grad((y * weights).sum(), [x, *tcn.parameters()])) for y in both]


@given(stacks(), st.integers(0, 99))
def test_last_output_alone(stack, seed):
    for a, b in zip(*last_outputs(*stack, seed=seed), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("mistake", ["start", "thin"])
def test_last_output_of_wrong_steps_is_caught(monkeypatch, mistake):
    """Steps taken from one place further back, or all of them, are seen by the comparison above."""

    def wrong(dilations: Any, reaches: Any, steps: int) -> list[Any]:
        parts = parts_for_last(dilations, reaches, steps)
        change = {"start": 1} if mistake == "start" else {"thin": 1}
        return [parts[0], *(replace(part, **change) for part in parts[1:])]

    monkeypatch.setattr(tcn_module, "parts_for_last", wrong)
    a, b = last_outputs([1, 2, 4], 5, 65, 3)
    assert not torch.allclose(a[0], b[0])


def test_last_output_takes_few_steps():
    """Half as many in each level, until a call more is not worth it; none before the receptive field."""
    parts = parts_for_last([2**level for level in range(8)], [12 * 2**level for level in range(8)], 784)
    assert [(part.first, part.stop, part.every) for part in parts] == [
        (0, 1, 1), (1, 2, 2), (2, 3, 4), (3, 4, 8), (4, 5, 16), (5, 8, 32),
    ]  # fmt: skip
    assert parts_for_last([1, 1], [4, 4], 1000)[0].start == 991
    steps = [784, 392, 196, 98, 49, 25]
    assert [part.start for part in parts] == [0, *((n - 1) % 2 for n in steps[:-1])]


def test_last_output_with_the_rest():
    """A mask and a context run whole; dropout of a single part draws as the whole sequence does; no step is refused."""
    tcn, x = shuffled(TCN(2, [3, 4], 2)), normal(2, 40, 2)
    mask = torch.arange(40) >= torch.tensor([[5], [0]])
    assert torch.equal(tcn(x, mask, last_only=True), tcn(x, mask)[:, -1])
    _, context = tcn.carry(x)
    assert torch.equal(tcn(x, context=context, last_only=True), tcn(x, context=context)[:, -1])
    one, two = (TCN(2, [30, 30], 3, dropout=0.3, seed=1) for _ in range(2))
    short = normal(2, 11, 2, dtype=torch.float32)
    torch.testing.assert_close(one(short, last_only=True), two(short)[:, -1])
    with pytest.raises(SettingError, match=r"at least one step, but the input has shape \(2, 0, 2\)"):
        tcn(x[:, :0], last_only=True)
    torch._dynamo.reset()
    compiled = torch.compile(tcn, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, last_only=True), tcn(x)[:, -1])


def test_dropout_is_the_networks_own():
    x = normal(2, 20, 3, dtype=torch.float32)
    one, two = (TCN(3, [30, 30], 2, dropout=0.3, seed=1) for _ in range(2))
    before = torch.get_rng_state()
    first = one(x)
    assert torch.equal(first, two(x))
    assert not torch.equal(first, one(x))
    assert torch.equal(torch.get_rng_state(), before)
    plain = TCN(3, [30, 30], 2, seed=1)
    assert torch.equal(one.eval()(x), plain(x))
    # Each convolution draws by itself: with equal weights two levels' masks differ.
    block: Any = TemporalBlock(1, 400, 1, dropout=0.5, activation="identity", weight_norm=False)
    with torch.no_grad():
        for layer in (block.conv1, block.conv2):
            layer.weight.zero_()
            layer.bias.fill_(1.0)
        for p in block.downsample.parameters():
            p.zero_()
        block.conv2.weight.copy_(torch.eye(400)[:, :, None])
        block.conv2.bias.zero_()
    y = block(torch.zeros(1, 1, 1)).flatten()
    assert set(y.tolist()) == {0.0, 4.0}  # 1 / .5 / .5 where both kept it
    assert float((y > 0).float().mean()) == pytest.approx(0.25, abs=0.08)


def test_every_convolution_draws_under_its_own_number():
    """Dropout of a call: one key from the generator, the convolutions numbered 0, 1, 2, … in order."""
    tcn, x = shuffled(TCN(2, [3, 4], 2, dropout=0.4, activation="tanh")).float(), normal(2, 9, 2).float()
    source = torch.Generator()
    source.set_state(tcn.generator.get_state())
    seed = int(torch.randint(2**63 - 1, (1,), generator=source))
    h = x
    for level, block in enumerate(tcn.blocks):
        common = {"dilation": 2**level, "activation": "tanh", "dropout": 0.4, "training": True}
        assert block.downsample is not None
        shortcut = h @ block.downsample.weight[:, :, 0].T + block.downsample.bias
        first, second = (StepRandom(seed, 0, 2 * level + number) for number in range(2))
        h = causal_conv(h, block.conv1.kernel(), block.conv1.bias, rng=first, **common)
        h = causal_conv(h, block.conv2.kernel(), block.conv2.bias, rng=second, **common)
        h = torch.tanh(h + shortcut)
    torch.testing.assert_close(tcn(x), h)
    alone, given = tcn.blocks[0], tcn.generator.get_state()
    one, two = alone(x), alone(x)
    assert not torch.equal(one, two)
    tcn.generator.set_state(given)
    assert torch.equal(alone(x), one)


def test_copies_are_whole():
    """A deep copy draws by itself and loads other layouts."""
    tcn = TCN(2, [3, 3], dropout=0.5)
    twin = copy.deepcopy(tcn)
    x = normal(1, 6, 2, dtype=torch.float32)
    assert torch.equal(tcn(x), twin(x))
    assert torch.equal(tcn(x), twin(x))
    plain = TCN(2, [3, 3], weight_norm=False, seed=5)
    twin.load_state_dict(plain.state_dict())
    torch.testing.assert_close(twin.eval()(x), plain(x))
    assert not torch.equal(tcn.eval()(x), plain(x))


def test_weights_are_penalised():
    groups = weight_groups(TCN(3, [5, 4], 2))
    assert [tuple(w.shape) for w in groups["input"]] == [
        (5, 3, 2),
        (5, 5, 2),
        (5, 3, 1),
        (4, 5, 2),
        (4, 4, 2),
        (4, 5, 1),
    ]
    assert len(groups["bias"]) == 6
    assert not groups["recurrent"]


def test_bad_settings():
    for channels in ([], 25, None, "25"):
        with pytest.raises(SettingError, match="channels must be a list of the levels' channels, at least one"):
            TCN(1, channels)  # pyright: ignore[reportArgumentType]
    for channels in ([0], [3, -1], [3, 2.5]):
        with pytest.raises(SettingError, match="channels must be a whole number, 1 or more"):
            TCN(1, channels)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="in_channels must be a whole number"):
        TCN(0, [3])
    with pytest.raises(SettingError, match="kernel_size must be a whole number"):
        TCN(1, [3], 0)
    with pytest.raises(SettingError, match="dropout is a probability"):
        TCN(1, [3], dropout=1.0)
    with pytest.raises(SettingError, match="backend must be one of auto, native, torch, reference, not 'fast'"):
        TCN(2, [3], backend="fast")
    with pytest.raises(SettingError, match="dilations must be one for each of the 2 levels, not 1"):
        TCN(1, [3, 3], dilations=[1])
    with pytest.raises(SettingError, match="dilation must be a whole number"):
        TCN(1, [3], dilations=[0])
    with pytest.raises(SettingError, match="activation must be"):
        TCN(1, [3], activation="rleu")


def test_bad_inputs():
    tcn = TCN(3, [4, 4])
    with pytest.raises(SettingError, match=r"x of TCN .* looks like \(batch, channels, time\)"):
        tcn(torch.zeros(2, 3, 50))
    with pytest.raises(SettingError, match="x of TCN must have shape"):
        tcn(torch.zeros(2, 50))
    for context in ((), (None,), 5, torch.zeros(2)):
        with pytest.raises(SettingError, match="the context of TCN must be a tuple of 2 parts"):
            tcn(torch.zeros(2, 5, 3), context=context)
    with pytest.raises(SettingError, match="the context of TemporalBlock must be a tuple of 2 parts"):
        tcn(torch.zeros(2, 5, 3), context=(None, (None,)))
    for shape in ((0, 5, 3), (2, 0, 3)):
        assert tcn(torch.zeros(shape)).shape == (*shape[:2], 4)
    x = torch.zeros(1, 9, 3)
    x[0, 4, 0] = torch.nan
    assert torch.isnan(tcn(x)[0, :, 0]).tolist() == [False] * 4 + [True] * 5


def test_a_block_alone_and_its_parts():
    block = shuffled(TemporalBlock(2, 3, 2, dilation=2))
    assert receptive_field(block) == 5
    assert isinstance(block.conv1, CausalConv1d)
    x = normal(1, 7, 2)
    first, context = block.carry(x[:, :3])
    second, _ = block.carry(x[:, 3:], context)
    torch.testing.assert_close(torch.cat([first, second], dim=1), block(x))
