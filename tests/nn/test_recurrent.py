"""The recurrent modules against torch.nn, by counts, and in how they draw, carry state and refuse."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from oracles.numpy_recurrent import Twin
from seqloom.errors import SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan, Recurrent, detach, mask_from_lengths

KINDS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def shuffled(module: Any, seed: int = 7, scale: float = 0.5) -> Any:
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=source, dtype=torch.float64))
    return module


def normal(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_textbook_counts():
    assert count(RNN(1, 12)) == 168
    assert count(nn.Sequential(RNN(1, 12), nn.Linear(12, 1))) == 181
    assert count(LSTM(1, 12)) == 672
    assert count(nn.Sequential(LSTM(1, 12), nn.Linear(12, 1))) == 685
    h, x = 32, 14
    assert count(GRU(x, h)) == 3 * (h * (h + x) + h)
    assert count(GRU(x, h, recurrent_bias=True)) == 3 * (h * (h + x) + 2 * h)
    assert count(RNN(32, 32, 4)) == 4 * 2080
    assert count(nn.Sequential(nn.Embedding(10_000, 32), RNN(32, 32, 4))) == 320_000 + 4 * 2080
    assert count(GRU(x, h, bias=False)) == 3 * h * (h + x)
    assert count(LSTM(x, h, coupled=True)) == 3 * (h * (h + x) + h)
    assert count(LSTM(x, h, peephole=True)) == 4 * (h * (h + x) + h) + 3 * h
    assert count(LSTM(x, h, projection_size=5)) == 4 * (h * (5 + x) + h) + 5 * h
    assert count(LSTM(x, h, layer_norm=True)) == 4 * (h * (h + x) + h) + 2 * 4 * h + h
    assert count(Jordan(x, h, 5)) == h * (x + 5) + h + h * 5 + 5
    assert count(GRU(x, h, 2, bidirectional=True)) == 2 * 3 * (h * (h + x) + h) + 2 * 3 * (h * (h + 2 * h) + h)
    assert count(GRU(x, h, 2, bidirectional=True, merge="sum")) == 2 * 3 * (h * (h + x) + h) + 2 * 3 * (h * 2 * h + h)


def load_torch(ours: Recurrent, theirs: nn.RNNBase) -> None:
    """Copy torch's weights (gates as rows, layers and directions in the name) into ours."""
    suffixes = [f"_l{layer}{d}" for layer in range(ours.num_layers) for d in ("", "_reverse")[: ours.directions]]
    with torch.no_grad():
        for cell, suffix in zip(ours.cells, suffixes, strict=True):
            pairs = [
                ("w_x", "weight_ih"),
                ("w_h", "weight_hh"),
                ("bias", "bias_ih"),
                ("bias_h", "bias_hh"),
                ("w_p", "weight_hr"),
            ]
            for name, other in pairs:
                if getattr(cell, name) is not None:
                    getattr(cell, name).copy_(getattr(theirs, other + suffix).t())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("layers", "both"), [(1, False), (1, True), (3, False), (2, True)])
def test_torch_outputs_and_gradients(name, layers, both):
    theirs = shuffled(getattr(nn, name)(3, 5, layers, bidirectional=both, batch_first=True).double())
    ours = KINDS[name](3, 5, layers, bidirectional=both, recurrent_bias=True).double()
    load_torch(ours, theirs)
    x, h = normal(4, 6, 3, dtype=torch.float64), normal(len(ours.cells), 4, 5, seed=2, dtype=torch.float64)
    state = (h, normal(*h.shape, seed=3, dtype=torch.float64)) if name == "LSTM" else h
    x.requires_grad_()
    results = []
    for module in (ours, theirs):
        y, last = module(x, state)
        last = last if isinstance(last, tuple) else (last,)
        total = sum((o * normal(*o.shape, seed=4 + k, dtype=torch.float64)).sum() for k, o in enumerate((y, *last)))
        x.grad = None
        module.zero_grad()
        total.backward()  # pyright: ignore[reportAttributeAccessIssue]
        results.append((y, *last, x.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)
    expected = KINDS[name](3, 5, layers, bidirectional=both, recurrent_bias=True).double()
    for p in theirs.parameters():
        assert p.grad is not None
        p.data = p.grad
    load_torch(expected, theirs)
    for (parameter, p), q in zip(ours.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.data, rtol=1e-10, atol=1e-11, msg=parameter)


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
def test_torch_projection():
    theirs = shuffled(nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True, batch_first=True))
    ours = LSTM(3, 5, 2, projection_size=2, bidirectional=True, recurrent_bias=True)
    load_torch(ours, theirs)
    x = normal(4, 6, 3)
    y, (h, c) = ours(x)
    z, (g, d) = theirs(x)
    for a, b in ((y, z), (h, g), (c, d)):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_lengths_equal_torch_packed(name):
    theirs = shuffled(getattr(nn, name)(3, 5, 2, bidirectional=True, batch_first=True))
    ours = KINDS[name](3, 5, 2, bidirectional=True, recurrent_bias=True)
    load_torch(ours, theirs)
    x, lengths = normal(4, 6, 3), torch.tensor([6, 2, 1, 4])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    packed_out, expected_state = theirs(packed)
    expected, _ = nn.utils.rnn.pad_packed_sequence(packed_out, batch_first=True)
    y, state = ours(x, lengths=lengths)
    keep = mask_from_lengths(lengths, 6)
    torch.testing.assert_close(y[keep], expected[keep], rtol=1e-5, atol=1e-6)
    pairs = zip(state, expected_state) if isinstance(state, tuple) else [(state, expected_state)]
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    same, _ = ours(x, mask=keep)
    assert torch.equal(same, y)


@pytest.mark.parametrize("merge", ["concat", "sum", "mean"])
def test_merge(merge):
    module = shuffled(GRU(3, 4, bidirectional=True, merge=merge))
    forward, backward = shuffled(GRU(3, 4)), shuffled(GRU(3, 4, reverse=True))
    for k, alone in enumerate((forward, backward)):
        alone.cells[0].load_state_dict(module.cells[k].state_dict())
    x = normal(2, 5, 3)
    a, b = forward(x)[0], backward(x)[0]
    expected = {"concat": torch.cat([a, b], -1), "sum": a + b, "mean": (a + b) / 2}[merge]
    assert module.output_size == expected.shape[-1]
    torch.testing.assert_close(module(x)[0], expected, rtol=0, atol=0)
    flipped = shuffled(GRU(3, 4))
    flipped.cells[0].load_state_dict(module.cells[1].state_dict())
    torch.testing.assert_close(flipped(x.flip(1))[0].flip(1), b)
    last, _ = module(x, last_only=True)
    ends = {"concat": torch.cat([a[:, -1], b[:, 0]], -1), "sum": a[:, -1] + b[:, 0], "mean": (a[:, -1] + b[:, 0]) / 2}
    torch.testing.assert_close(last, ends[merge])


@pytest.mark.parametrize(
    "make",
    [lambda o: RNN(3, 4, **o), lambda o: LSTM(3, 4, **o), lambda o: GRU(3, 4, **o), lambda o: Jordan(3, 4, 4, **o)],
)
@pytest.mark.parametrize("per_gate", [False, True])
def test_variational_masks(make, per_gate):
    """A training call is the twin with the masks that the module's generator draws next; the same at every step."""
    module = shuffled(make({"input_dropout": 0.4, "recurrent_dropout": 0.3, "per_gate_masks": per_gate}).double())
    gates = (module.cell.gates,) if per_gate else ()
    state = module.generator.get_state()
    x = normal(5, 6, 3, dtype=torch.float64)
    y, _ = module(x)
    module.generator.set_state(state)
    d_x = torch.empty(5, *gates, 3).bernoulli_(0.6, generator=module.generator) / 0.6
    d_h = torch.empty(5, *gates, 4).bernoulli_(0.7, generator=module.generator) / 0.7
    assert 0 < int((d_x == 0).sum()) < d_x.numel()
    weights = {name.split(".")[-1]: p.detach().numpy() for name, p in module.named_parameters()}
    twin = Twin(module.cell.kind, weights)
    zeros = np.zeros((5, 4))
    c = zeros if module.cell.kind == "lstm" else None
    expected, _, _ = twin.run(x.numpy(), zeros, c, d_x=d_x.double().numpy(), d_h=d_h.double().numpy())
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=0, atol=1e-6)
    module.eval()
    plain, _ = module(x)
    np.testing.assert_allclose(plain.detach().numpy(), twin.run(x.numpy(), zeros, c)[0], rtol=0, atol=1e-12)


def test_expectation_over_masks():
    """In a linear net the mean over masks is the net without dropout, as long as no mask meets itself (two steps)."""
    module = shuffled(RNN(3, 4, activation="identity", input_dropout=0.4, recurrent_dropout=0.3), scale=0.3)
    x = normal(1, 2, 3).expand(20_000, 2, 3)
    mean = module(x)[0].mean(0)
    module.eval()
    torch.testing.assert_close(mean, module(x[:1])[0][0], rtol=0, atol=0.02)


def test_between_dropout():
    module = shuffled(GRU(3, 40, 2, between_dropout=0.4))
    x = normal(2, 5, 3)
    state = module.generator.get_state()
    y, _ = module(x)
    module.generator.set_state(state)
    mask = torch.empty(2, 5, 40).bernoulli_(0.6, generator=module.generator) / 0.6
    first, second = GRU(3, 40), GRU(40, 40)
    first.cells[0].load_state_dict(module.cells[0].state_dict())
    second.cells[0].load_state_dict(module.cells[1].state_dict())
    torch.testing.assert_close(y, second(first(x)[0] * mask)[0])
    assert not torch.equal(mask[:, 0], mask[:, 1])
    assert torch.equal(module.eval()(x)[0], second(first(x)[0])[0])


def test_weight_dropout():
    module = shuffled(RNN(3, 6, weight_dropout=0.5, activation="identity"))
    x = normal(2, 2, 3)
    state = module.generator.get_state()
    y, _ = module(x)
    module.generator.set_state(state)
    mask = torch.empty(6, 6).bernoulli_(0.5, generator=module.generator) / 0.5
    w_x, w_h, bias = (module.get_parameter(f"cells.0.{n}") for n in ("w_x", "w_h", "bias"))
    first = x[:, 0] @ w_x + bias
    torch.testing.assert_close(y[:, 1], x[:, 1] @ w_x + bias + first @ (w_h * mask))


NOISY = {
    "input_dropout": 0.2,
    "recurrent_dropout": 0.2,
    "between_dropout": 0.2,
    "zoneout": (0.1, 0.2),
    "candidate_dropout": 0.1,
}


def test_generator_survives_copies_and_checkpoints():
    module = LSTM(3, 4, 2, bidirectional=True, seed=11, **NOISY)
    x = normal(4, 5, 3)
    module(x)
    twin = copy.deepcopy(module)
    assert twin.generator is not module.generator
    saved = module.generator.get_state()
    first, second = module(x)[0], module(x)[0]
    assert not torch.equal(first, second)
    assert torch.equal(twin(x)[0], first)
    assert torch.equal(twin(x)[0], second)
    other = LSTM(3, 4, 2, bidirectional=True, seed=99, **NOISY)
    other.load_state_dict(module.state_dict())
    other.generator.set_state(saved)
    assert torch.equal(other(x)[0], first)
    assert torch.equal(module.eval()(x)[0], module(x)[0])


def test_directions_and_layers_draw_differently():
    module = GRU(4, 4, 2, bidirectional=True, merge="sum", zoneout=0.5)
    keys = [module._keywords(k, normal(1, 1, 4), module._random())["rng"].layer for k in range(4)]
    assert keys == [0, 1, 2, 3]
    single = GRU(4, 4, 3, zoneout=0.5)
    keys = [single._keywords(k, normal(1, 1, 4), single._random())["rng"].layer for k in range(3)]
    assert keys == [0, 2, 4]


@pytest.mark.parametrize("name", KINDS)
def test_stateful_pieces_equal_the_whole(name):
    """Carrying the state over pieces is the whole sequence; detach cuts the gradient at the seam and nothing else."""
    module = shuffled(KINDS[name](3, 4, 2))
    x = normal(2, 9, 3).requires_grad_()
    whole, last = module(x)
    state, pieces = None, []
    for part in x.split(4, dim=1):
        y, state = module(part, state)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), whole)
    torch.testing.assert_close(state, last)
    y, state = module(x[:, :4])
    y, _ = module(x[:, 4:], detach(state))
    (g,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(g[:, :4], torch.zeros_like(g[:, :4]))
    assert (g[:, 4:].abs().sum((0, 2)) > 0).all()


def test_jordan_feeds_back_its_output():
    module = shuffled(Jordan(3, 5, 2, bidirectional=True))
    y, state = module(normal(4, 6, 3))
    assert tuple(y.shape) == (4, 6, 4)
    assert tuple(state.shape) == (2, 4, 2)
    assert torch.equal(state[0], y[:, -1, :2])
    assert torch.equal(state[1], y[:, 0, 2:])


@pytest.mark.parametrize("name", KINDS)
def test_empty_batches_and_sequences(name):
    module = KINDS[name](3, 4, 2, bidirectional=True)
    for shape in ((0, 5, 3), (2, 0, 3)):
        y, state = module(torch.zeros(shape))
        assert tuple(y.shape) == (*shape[:2], 8)
        assert all(tuple(s.shape) == (4, shape[0], 4) for s in (state if isinstance(state, tuple) else (state,)))
        y.sum().backward()


def test_every_allowed_pair_of_options_runs():
    options = {
        "RNN": [
            "layer_norm",
            "zoneout",
            "recurrent_bias",
            "bidirectional",
            "input_dropout",
            "recurrent_dropout",
            "weight_dropout",
        ],
        "GRU": [
            "layer_norm",
            "zoneout",
            "candidate_dropout",
            "recurrent_bias",
            "bidirectional",
            "per_gate_masks",
            "recurrent_dropout",
        ],
        "LSTM": [
            "layer_norm",
            "peephole",
            "coupled",
            "cell_clip",
            "projection_size",
            "zoneout",
            "candidate_dropout",
            "recurrent_dropout",
        ],
    }
    values = {"zoneout": 0.2, "candidate_dropout": 0.2, "cell_clip": 0.5, "projection_size": 2}
    for name, names in options.items():
        for pair in itertools.combinations(names, 2):
            chosen = {n: values.get(n, 0.3 if n.endswith("dropout") else True) for n in pair}
            module = KINDS[name](3, 4, 2, **chosen)
            y, _ = module(normal(2, 3, 3))
            y.square().sum().backward()
            unused = [n for n, p in module.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
            assert not unused, (name, pair, unused)


REFUSED = [
    (
        lambda: GRU(3, 4, recurent_dropout=0.1),
        "GRU has no option 'recurent_dropout'. Did you mean 'recurrent_dropout'?",
    ),
    (lambda: GRU(0, 4), "input_size must be a whole number, 1 or more, not 0."),
    (lambda: GRU(3, 4, 1.5), "num_layers must be a whole number"),  # pyright: ignore[reportArgumentType]
    (lambda: Jordan(3, 4, True), "output_size must be a whole number"),
    (lambda: GRU(3, 4, merge="add"), "merge must be one of concat, sum, mean, not 'add'."),
    (lambda: GRU(3, 4, input_dropout=1.0), "input_dropout is a probability: at least 0 and below 1, not 1.0."),
    (lambda: GRU(3, 4, backend="cuda"), "backend must be one of auto, native"),
    (lambda: GRU(3, 4, bidirectional=True, reverse=True), "leave out reverse=True"),
    (lambda: GRU(3, 4, recurrent_bias=True, bias=False), "can't go with bias=False"),
    (lambda: GRU(3, 4, forget_bias=2.0), "forget_bias=2.0 is not possible for a gru cell"),
    (lambda: RNN(3, 4, recurrent_activation="tanh"), "recurrent_activation='tanh' is not possible for a elman cell"),
    (lambda: GRU(3, 4, projection_size=2), "projection_size=2 is not possible for a gru cell"),
    (lambda: GRU(3, 4, seed="a"), "seed must be an int or a torch.Generator, not str."),
    (lambda: GRU(3, 4)(normal(5, 3)), "x of GRU must have shape (batch, time, 3 inputs), not (5, 3)."),
    (lambda: GRU(3, 4)(normal(2, 5, 4)), "x of GRU must have shape (batch, time, 3 inputs), not (2, 5, 4)."),
    (lambda: GRU(3, 4)(normal(2, 5, 3), normal(2, 4)), "(layers·directions, batch, units) = (1, 2, 4), not (2, 4)."),
    (lambda: LSTM(3, 4)(normal(2, 5, 3), normal(1, 2, 4)), "state of LSTM must be the pair (h, c)."),
    (lambda: GRU(3, 4)(normal(2, 5, 3), lengths=[6, 1]), "lengths must lie between 0 and the 5 steps of x, not 1 … 6."),
    (lambda: GRU(3, 4)(normal(2, 5, 3), lengths=[5]), "lengths must hold 2 numbers, one for each row of x, not 1."),
    (lambda: GRU(3, 4)(normal(2, 5, 3), lengths=torch.ones(2)), "one whole number for each row, not torch.float32"),
    (
        lambda: GRU(3, 4)(normal(2, 5, 3), mask=torch.ones(2, 5, dtype=torch.bool), lengths=[1, 2]),
        "give mask or lengths, not both.",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[m[:40] for _, m in REFUSED])
def test_refused(call, message):
    with pytest.raises(SettingError) as caught:
        call()
    assert message in str(caught.value)


def test_explain_and_print():
    module = GRU(3, 4, 2, activation=torch.sin, zoneout=0.1)
    said = seqloom_explain(module, normal(2, 5, 3))
    assert said.startswith("layer 0: gru runs on the reference engine; not native")
    assert said.count("\n") == 1
    per_gate = GRU(3, 4, recurrent_dropout=0.1, per_gate_masks=True)
    before = per_gate.generator.get_state()
    assert "recurrent_mask for each gate" in seqloom_explain(per_gate, normal(2, 5, 3))
    assert torch.equal(per_gate.generator.get_state(), before)
    assert "zoneout=0.1" in repr(module)
    assert "merge" not in repr(module)


def seqloom_explain(module: nn.Module, x: torch.Tensor) -> str:
    from seqloom.ops import explain

    return explain(module, x)
