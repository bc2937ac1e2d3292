"""The same user programs with torch.nn and with seqloom.nn.compat: changing the import changes rounding alone."""

from __future__ import annotations

import copy
import inspect
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from seqloom.nn import compat, weight_groups

NAMES = ("RNN", "LSTM", "GRU")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")


class Tagger(nn.Module):
    """The textbook tagger: embedding, packed bidirectional recurrent layer, one score for each label and word."""

    def __init__(self, lib: ModuleType, kind: str):
        super().__init__()
        self.embedding = nn.Embedding(20, 6, padding_idx=0)
        self.layer = getattr(lib, kind)(6, 5, num_layers=2, batch_first=True, dropout=0.3, bidirectional=True)
        self.head = nn.Linear(10, 4)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        output, _ = self.layer(packed)
        return self.head(pad_packed_sequence(output, batch_first=True)[0])


class Translator(nn.Module):
    """Encoder and decoder; the decoder runs one step at a time and feeds its own guess back."""

    def __init__(self, lib: ModuleType, kind: str):
        super().__init__()
        self.encoder = getattr(lib, kind)(4, 7, 2, dropout=0.2)
        self.decoder = getattr(lib, kind)(4, 7, 2)
        self.out = nn.Linear(7, 4)

    def forward(self, source: Tensor, steps: int) -> Tensor:
        encoded, state = self.encoder(source)
        assert encoded.view(-1, 7).shape[0] == source.shape[0] * source.shape[1]  # as programs do with torch's output
        token, outputs = source[-1:], []
        for _ in range(steps):
            y, state = self.decoder(token, state)
            token = torch.softmax(self.out(y), -1)
            outputs.append(token)
        return torch.cat(outputs)


def tagging(lib: ModuleType, kind: str) -> list[Tensor]:
    torch.manual_seed(11)
    model = Tagger(lib, kind)
    words = torch.randint(1, 20, (5, 7))
    lengths = torch.tensor([3, 7, 1, 7, 5])
    words[torch.arange(7) >= lengths[:, None]] = 0
    labels = torch.randint(0, 4, (5, 7)).masked_fill(words == 0, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(words, lengths).flatten(0, 1), labels.flatten())
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += [loss.detach(), norm]
    model.eval()
    with torch.no_grad():
        seen.append(model(words, lengths))
    return [*seen, *(p.detach() for p in model.parameters())]


def translating(lib: ModuleType, kind: str) -> list[Tensor]:
    torch.manual_seed(12)
    model = Translator(lib, kind)
    source, target = torch.randn(6, 3, 4), torch.randn(5, 3, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = (model(source, 5) - target).square().mean()
        loss.backward()
        optimizer.step()
        seen.append(loss.detach())
    return [
        *seen,
        *(p.detach() for p in model.parameters()),
        *(p.grad for p in model.parameters() if p.grad is not None),
    ]


def characters(lib: ModuleType, kind: str) -> list[Tensor]:
    """One unbatched sequence, the state carried and cut between chunks."""
    torch.manual_seed(13)
    layer, head = getattr(lib, kind)(3, 6), nn.Linear(6, 3)
    x, state, seen = torch.randn(12, 3), None, []
    for chunk in x.split(4):
        y, state = layer(chunk, state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        (head(y[:-1]) - chunk[1:]).square().sum().backward()
        seen.append(y.detach())
    return [*seen, *(p.grad for p in layer.parameters() if p.grad is not None)]


def copying(lib: ModuleType, kind: str) -> list[Tensor]:
    """deepcopy, double, eval and train, state dict, functional_call."""
    torch.manual_seed(14)
    layer = getattr(lib, kind)(3, 4, 2, dropout=0.5, bidirectional=True)
    twin = copy.deepcopy(layer).double().eval()
    x = torch.randn(5, 2, 3)
    seen = [layer(x)[0], layer.eval()(x)[0], twin(x.double())[0], layer.train()(x)[0]]
    layer.load_state_dict({name: 0.5 * value for name, value in twin.state_dict().items()})
    halves = {name: 0.5 * p for name, p in layer.named_parameters()}
    seen += [layer.eval()(x)[0], torch.func.functional_call(layer, halves, (x,))[0]]
    return [s.detach() for s in seen]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("program", [tagging, translating, characters, copying])
def test_programs(program, kind):
    ours, theirs = program(compat, kind), program(nn, kind)
    assert len(ours) == len(theirs) > 3
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-6)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("RNN", {"bias": False, "batch_first": True}),
    ("LSTM", {"num_layers": 3, "batch_first": True}),
    ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
    ("LSTM", {"bias": False, "proj_size": 3}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "dropout": 0.4}),
    ("GRU", {"num_layers": 2, "dropout": 1.0}),
    ("GRU", {"bias": False, "dtype": torch.float64}),
]


def pair(kind: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """Both layers with the same random unequal weights: ours from the seed, theirs from our state dict."""
    torch.manual_seed(5)
    ours = getattr(compat, kind)(3, 5, **options)
    theirs = getattr(nn, kind)(3, 5, **options)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def flat(result: Any) -> list[Tensor]:
    y, last = result
    y = y.data if isinstance(y, nn.utils.rnn.PackedSequence) else y
    return [y, *(last if isinstance(last, tuple) else (last,))]


def call(layer: Any, x: Any, hx: Any) -> list[Tensor]:
    torch.manual_seed(21)
    results = flat(layer(x, hx))
    parts = [(r * torch.linspace(-1, 1, r.numel(), dtype=r.dtype).view(r.shape)).sum() for r in results]
    states = hx if isinstance(hx, tuple) else (hx,)
    wanted = [*layer.parameters(), *(s for s in states if s is not None)]
    return [*results, *torch.autograd.grad(parts, wanted)]


@pytest.mark.parametrize(("kind", "options"), VARIANTS)
@pytest.mark.parametrize("form", ["batch", "unbatched", "packed", "sorted"])
@pytest.mark.parametrize("with_state", [False, True])
def test_results_and_gradients(kind, options, form, with_state):
    ours, theirs = pair(kind, options)
    dtype = options.get("dtype", torch.float32)
    torch.manual_seed(6)
    count = ours.num_layers * (2 if ours.bidirectional else 1)
    sequences = [torch.randn(n, 3, dtype=dtype) for n in ([6, 4, 4, 1] if form == "sorted" else [4, 1, 6, 4])]
    x: Any = torch.randn(6, 3, dtype=dtype) if form == "unbatched" else torch.randn(4, 4, 3, dtype=dtype)
    if form in ("packed", "sorted"):
        x = pack_sequence(sequences, enforce_sorted=form == "sorted")
    rows = () if form == "unbatched" else (4,)
    h = torch.randn(count, *rows, ours.proj_size or 5, dtype=dtype, requires_grad=True)
    c = torch.randn(count, *rows, 5, dtype=dtype, requires_grad=True)
    hx = ((h, c) if kind == "LSTM" else h) if with_state else None
    for a, b in zip(call(ours, x, hx), call(theirs, x, hx), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-6)
    y, z = ours(x, hx)[0], theirs(x, hx)[0]
    if isinstance(y, nn.utils.rnn.PackedSequence):
        assert torch.equal(y.batch_sizes, z.batch_sizes)
        for name in ("sorted_indices", "unsorted_indices"):
            a, b = getattr(y, name), getattr(z, name)
            assert (a is None) == (b is None)
            assert a is None or torch.equal(a, b)


@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_weights_draws_and_state_dicts(kind, options):
    torch.manual_seed(8)
    ours = getattr(compat, kind)(3, 5, **options)
    after = torch.rand(3)
    torch.manual_seed(8)
    theirs = getattr(nn, kind)(3, 5, **options)
    assert torch.equal(after, torch.rand(3))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)
    with torch.no_grad():
        for p in ours.parameters():
            p.mul_(2)
    theirs.load_state_dict(ours.state_dict())
    getattr(compat, kind)(3, 5, **options).load_state_dict(theirs.state_dict())
    assert theirs.extra_repr() == ours.extra_repr()
    assert inspect.signature(type(ours).__init__) == inspect.signature(type(theirs).__init__)


def test_positional_arguments():
    layer = compat.LSTM(3, 5, 2, False, True, 0.1, True, 2)
    assert (layer.bias, layer.batch_first, layer.dropout, layer.bidirectional, layer.proj_size) == (
        False,
        True,
        0.1,
        True,
        2,
    )
    assert compat.RNN(3, 5, 1, "relu").nonlinearity == "relu"


BAD: list[tuple[str, Any, Any]] = [
    ("GRU", torch.zeros(2, 2, 2, 3), None),
    ("GRU", torch.zeros(3), None),
    ("LSTM", torch.zeros(4, 2, 9), None),
    ("RNN", torch.zeros(4, 2, 3, dtype=torch.float64), None),
    ("GRU", torch.zeros(4, 2, 3), torch.zeros(1, 3, 5)),
    ("GRU", torch.zeros(4, 2, 3), torch.zeros(1, 5)),
    ("GRU", torch.zeros(4, 3), torch.zeros(1, 1, 5)),
    ("LSTM", torch.zeros(4, 2, 3), (torch.zeros(1, 2, 5), torch.zeros(1, 2, 4))),
    ("LSTM", torch.zeros(4, 2, 3), (torch.zeros(1, 5), torch.zeros(1, 5))),
    ("LSTM", torch.zeros(4, 3), (torch.zeros(1, 1, 5), torch.zeros(1, 5))),
    ("RNN", torch.zeros(0, 2, 3), None),
    ("RNN", pack_sequence([torch.zeros(4, 2)]), None),
    ("GRU", pack_sequence([torch.zeros(4, 3)]), torch.zeros(1, 2, 5)),
]


@pytest.mark.parametrize(("kind", "x", "hx"), BAD)
def test_errors_are_torchs(kind, x, hx):
    ours, theirs = pair(kind, {})
    with pytest.raises((RuntimeError, ValueError)) as expected:
        theirs(x, hx)
    with pytest.raises(type(expected.value)) as got:
        ours(x, hx)
    assert str(got.value) == str(expected.value)


def test_packed_width_is_checked_where_torch_does_not():
    layer = compat.LSTM(3, 5)
    with pytest.raises(RuntimeError, match="Expected 3, got 2"):
        layer(pack_sequence([torch.zeros(4, 2)]))


@pytest.mark.parametrize("kind", NAMES)
def test_bad_constructors(kind):
    for options in ({"dropout": 2.0}, {"hidden_size": 0}, {"num_layers": 0}, {"proj_size": 5}, {"nonlinearity": "sin"}):
        arguments = {"input_size": 3, "hidden_size": 5, **options}
        with pytest.raises((ValueError, TypeError)) as expected:
            getattr(nn, kind)(**arguments)
        with pytest.raises(type(expected.value)):
            getattr(compat, kind)(**arguments)


def answer(layer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor | str:
    """What the layer gives, or what torch refuses with: oneDNN has no LSTM in bfloat16 for every processor."""
    try:
        return layer(x)[0]
    except RuntimeError as error:
        return str(error)


def assert_same_answer(ours: torch.Tensor | str, theirs: torch.Tensor | str) -> None:
    if isinstance(theirs, str):
        assert ours == theirs
    else:
        assert isinstance(ours, torch.Tensor), ours
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("kind", NAMES)
def test_what_the_engine_does_not_run_is_torchs(kind):
    ours, theirs = pair(kind, {"batch_first": True})
    x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same_answer(answer(ours, x), answer(theirs, x))
    half = x.bfloat16()
    assert_same_answer(answer(ours.bfloat16(), half), answer(theirs.bfloat16(), half))


def test_empty_batch_and_groups():
    ours, theirs = pair("GRU", {})
    y, h = ours(torch.zeros(4, 0, 3))
    z, g = theirs(torch.zeros(4, 0, 3))
    assert y.shape == z.shape
    assert h.shape == g.shape
    assert {k: len(v) for k, v in weight_groups(ours).items()} == {"input": 1, "recurrent": 1, "bias": 2}
    assert isinstance(ours, nn.GRU)


@pytest.mark.parametrize("kind", NAMES)
def test_gradcheck_in_double(kind):
    layer = getattr(compat, kind)(2, 3, bidirectional=True).double()
    x = torch.randn(3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: layer(v)[0], (x,))
    assert torch.autograd.gradgradcheck(lambda v: layer(v)[0], (x,))
