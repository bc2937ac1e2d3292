"""`accelerate` in both forms: torch's results, gradients, state dicts and files, and torch.nn as it was afterwards."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import random
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import seqloom
from seqloom.errors import SettingError
from seqloom.nn import accelerate, accelerated, compat

KINDS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")


class Tagger(nn.Module):
    """A program of someone else's: layers at several depths."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([nn.GRU(4, 6, batch_first=True), nn.LSTM(6, 5, 2, dropout=0.3, batch_first=True)])
        self.head = nn.Sequential(nn.Linear(5, 3), nn.ModuleDict({"last": nn.RNN(3, 2, batch_first=True)})["last"])

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x, _ = part(x)
        return self.head(x)[0]


class Own(nn.LSTM):
    """A class derived from torch's, with a forward pass of its own."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        output, state = super().forward(input, hx)
        return 2 * output, state


class Mixin(ABC, nn.RNNBase):
    """What a library puts over all three of torch's, as pytorch-forecasting does."""

    @abstractmethod
    def ended(self) -> str: ...

    def forward(self, input: Any, hx: Any = None, lengths: Tensor | None = None) -> Any:
        if lengths is None:
            return super().forward(input, hx)  # pyright: ignore[reportAttributeAccessIssue]
        packed = pack_padded_sequence(input, lengths, batch_first=self.batch_first, enforce_sorted=False)
        return super().forward(packed, hx)  # pyright: ignore[reportAttributeAccessIssue]


class Mixed(Mixin, nn.GRU):
    """A derived class whose forward pass stands before torch's, with a constructor that goes on after torch's."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.note = torch.nn.Parameter(torch.ones(1))

    def ended(self) -> str:
        return "ended"


class Copied(nn.LSTM):
    """A derived class that says itself how it is copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class Circular(nn.LSTM):
    """A derived class that can have no subclass: super() of the object's class would find itself again."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return super(self.__class__, self).forward(input, hx)


def options(seed: int) -> tuple[str, dict[str, Any]]:
    rng = random.Random(seed)
    kind = rng.choice(list(KINDS))
    given: dict[str, Any] = {
        "num_layers": rng.randint(1, 3),
        "bias": rng.random() < 0.7,
        "batch_first": rng.random() < 0.5,
        "bidirectional": rng.random() < 0.5,
        "dropout": rng.choice([0.0, 0.0, 0.4]),
    }
    if given["num_layers"] == 1:
        given["dropout"] = 0.0  # torch warns that there is nothing between the layers
    if kind == "LSTM" and rng.random() < 0.5:
        given["proj_size"] = 3
    if kind == "RNN":
        given["nonlinearity"] = rng.choice(["tanh", "relu"])
    return kind, given


def run(layer: Any, seed: int) -> list[Tensor]:
    """Outputs, final states and gradients; padded or packed, with a first state or without."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    batch, time = rng.randint(1, 4), rng.randint(1, 6)
    x = torch.randn(batch, time, 4).requires_grad_()
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    h = torch.randn(count, batch, layer.proj_size or 5)
    hx = (h, torch.randn(count, batch, 5)) if isinstance(layer, nn.LSTM) else h
    given: Any = x if layer.batch_first else x.transpose(0, 1)
    if rng.random() < 0.4:
        lengths = torch.tensor([rng.randint(1, time) for _ in range(batch)])
        given = pack_padded_sequence(given, lengths, batch_first=layer.batch_first, enforce_sorted=False)
    torch.manual_seed(seed)  # dropout draws the same numbers
    y, last = layer(given, hx) if rng.random() < 0.6 else layer(given)
    y = y.data if isinstance(y, PackedSequence) else y
    states = list(last) if isinstance(last, tuple) else [last]
    loss = sum(((v * torch.linspace(-1, 1, v.numel()).view_as(v)).sum() for v in (y, *states)), torch.zeros(()))
    grads = torch.autograd.grad(loss, [x, *layer.parameters()])
    return [y, *states, *grads]


def same(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("seed", range(16))
def test_results_and_gradients_are_torchs_for_all_options(seed: int) -> None:
    kind, given = options(seed)
    torch.manual_seed(seed)
    theirs = KINDS[kind](4, 5, **given)
    torch.manual_seed(seed)
    with seqloom.accelerate():
        ours = KINDS[kind](4, 5, **given)
    assert isinstance(ours, compat.Engine)
    assert not isinstance(theirs, compat.Engine)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    same(list(ours.state_dict().values()), list(theirs.state_dict().values()))
    assert repr(ours) == repr(theirs)
    expected = run(theirs, seed)
    same(run(ours, seed), expected)
    accelerate(theirs)
    assert isinstance(theirs, compat.Engine)
    same(run(theirs, seed), expected)


def test_a_built_model_is_replaced_in_place_and_undone() -> None:
    torch.manual_seed(1)
    model, x = Tagger().eval(), torch.randn(2, 7, 4)
    optimizer = torch.optim.Adam(model.parameters())
    seen: list[int] = []
    model.parts[0].register_forward_hook(lambda *_: seen.append(1))
    before, expected, layers = model.state_dict(), model(x), list(model.modules())
    done = accelerate(model)
    assert list(done.replaced) == ["parts.0", "parts.1", "head.1"]
    assert not done.left
    assert "parts.1: LSTM(6, 5, num_layers=2, batch_first=True, dropout=0.3) runs on seqloom's engine." in str(done)
    assert [id(m) for m in model.modules()] == [id(m) for m in layers]
    torch.testing.assert_close(model(x), expected)
    assert len(seen) == 2
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), before.values(), strict=True))
    model.train()(x).sum().backward()
    optimizer.step()
    again = accelerate(model)
    assert again.left["head.1"] == "it runs on seqloom's engine already"
    again.undo()  # which replaced nothing
    assert type(model.parts[0]) is accelerated.GRU
    done.undo()
    done.undo()
    assert [type(m) for m in (*model.parts, model.head[1])] == [nn.GRU, nn.LSTM, nn.RNN]
    model.load_state_dict(before)


def test_what_is_left_is_said() -> None:
    model = nn.ModuleDict(
        {
            "in_half": nn.LSTM(2, 3).half(),
            "copied": Copied(2, 3),
            "circular": Circular(2, 3),
            "cell": nn.LSTMCell(2, 3),
            "patched": nn.GRU(2, 3),
            "normed": parametrize.register_parametrization(nn.GRU(2, 3), "weight_hh_l0", nn.Identity()),
            "in_bfloat": nn.RNN(2, 3, dtype=torch.bfloat16),
            "good": nn.RNN(2, 3, dtype=torch.float64),
        }
    )
    model["patched"].forward = lambda x: x
    kinds = [type(m) for m in model.values()]
    done = accelerate(model)
    assert list(done.replaced) == ["good"]
    assert done.left["in_half"].startswith("its weights are float16 on cpu")
    assert done.left["copied"] == "its class Copied, derived from torch.nn.LSTM, has a __deepcopy__ of its own"
    assert done.left["circular"].endswith("derived from torch.nn.LSTM, may call super() for the class of the object")
    assert done.left["normed"].startswith("its class ParametrizedGRU, derived from torch.nn.GRU, has a __")
    assert done.left["patched"] == "its forward pass was replaced by another"
    assert done.left["cell"].startswith("a LSTMCell runs one step")
    assert [type(m) for m in model.values()][:-1] == kinds[:-1]
    assert "nothing to replace" in str(accelerate(nn.Linear(2, 3)))
    with pytest.raises(SettingError, match=r"model must be a torch.nn.Module, not Fitted: give the network inside it"):
        accelerate(type("Fitted", (), {})())  # pyright: ignore[reportArgumentType]


def test_a_class_derived_from_torchs_hands_on_to_the_engine() -> None:
    torch.manual_seed(4)
    model = nn.ModuleDict({"own": Own(2, 3), "mixed": Mixed(2, 3, 2, batch_first=True, bidirectional=True)}).eval()
    twin = copy.deepcopy(model)
    x, lengths = torch.randn(4, 6, 2), torch.tensor([6, 2, 5, 1])

    def results(module: nn.ModuleDict) -> list[Tensor]:
        whole, packed = module["mixed"](x)[0], module["mixed"](x, lengths=lengths)
        assert isinstance(packed[0], PackedSequence)
        return [module["own"](x)[0], whole, packed[0].data, packed[1]]

    expected = results(twin)
    done = accelerate(model)
    assert "own: Own(2, 3) runs on seqloom's engine, where its own forward pass calls super().forward." in str(done)
    for kind, layer in zip((Own, Mixed), model.values(), strict=True):
        assert isinstance(layer, kind)
        assert isinstance(layer, compat.Engine)
        assert (type(layer).__name__, type(layer).__module__) == (kind.__name__, kind.__module__)
        loaded = pickle.loads(pickle.dumps(layer))  # noqa: S301
        assert type(loaded) is kind
        assert type(copy.deepcopy(layer)) is type(layer)
    assert repr(model) == repr(twin)
    assert model["mixed"].ended() == "ended"  # pyright: ignore[reportCallIssue]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch._VF, "gru", None)  # torch's own code is not reached
        patch.setattr(torch._VF, "lstm", None)
        same(results(model), expected)
    done.undo()
    assert [type(layer) for layer in model.values()] == [Own, Mixed]
    with seqloom.accelerate() as running:
        built = Mixed(2, 3)
        loaded = pickle.loads(pickle.dumps(model["own"]))  # noqa: S301
    assert isinstance(built, compat.Engine)
    assert "note" in dict(built.named_parameters())
    assert type(loaded) is not Own
    assert isinstance(loaded, Own)
    running.undo()
    assert type(built) is Mixed


def test_torch_is_as_it_was_after_an_exception_nesting_and_threads() -> None:
    places = [(kind, "__init__") for kind in KINDS.values()] + [(nn.RNNBase, "__setstate__")]
    before = [vars(kind)[name] for kind, name in places]
    outer = seqloom.accelerate()
    with pytest.raises(KeyError), seqloom.accelerate():
        raise KeyError
    assert type(nn.GRU(2, 3)) is accelerated.GRU  # the outer one goes on
    assert list(inspect.signature(nn.GRU.__init__).parameters) == ["self", "args", "kwargs"]
    made: list[nn.Module] = []
    turn = threading.Barrier(4)

    def work() -> None:
        with seqloom.accelerate():
            turn.wait()
            made.append(nn.LSTM(2, 3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(layer) for layer in made] == [accelerated.LSTM] * 4
    outer.stop()
    outer.stop()
    assert [vars(kind)[name] for kind, name in places] == before
    assert type(nn.LSTM(2, 3)) is nn.LSTM
    outer.undo()
    assert {type(layer) for layer in made} == {nn.LSTM}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_was_left_while_built_is_told_meta_layers_are_served_and_scripting_works() -> None:
    with seqloom.accelerate() as running:
        own, half = Copied(2, 3), nn.GRU(2, 3, dtype=torch.float16)
        layer = nn.GRU(2, 3, device="meta").to_empty(device="cpu")
        scripted = torch.jit.script(layer)
    assert (type(own), type(half), type(layer)) == (Copied, nn.GRU, accelerated.GRU)
    assert isinstance(scripted, torch.jit.ScriptModule)
    assert "Copied: left to torch, as its class Copied, derived from torch.nn.LSTM, has a __deepcopy__" in str(running)
    assert "torch.nn.modules.rnn.GRU: left to torch, as its weights are float16" in str(running)
    assert "GRU: 1 built on seqloom's engine." in str(running)


def test_a_wrapper_that_came_later_stays() -> None:
    original = nn.GRU.__init__
    running = seqloom.accelerate()
    ours = nn.GRU.__init__
    later = lambda self, *a, **k: ours(self, *a, **k)  # noqa: E731
    try:
        nn.GRU.__init__ = later
        running.stop()
        assert nn.GRU.__init__ is later
        assert type(nn.GRU(2, 3)) is nn.GRU
    finally:
        nn.GRU.__init__ = original


def test_copies_stay_converted_and_files_are_torchs() -> None:
    torch.manual_seed(2)
    with seqloom.accelerate():
        model = Tagger().eval()
    x = torch.randn(2, 5, 4)
    expected = model(x)
    twin = copy.deepcopy(model)
    assert type(twin.parts[1]) is accelerated.LSTM
    assert twin.parts[1].weight_hh_l1 is not model.parts[1].weight_hh_l1
    assert type(copy.copy(model.parts[0])) is accelerated.GRU
    torch.testing.assert_close(twin(x), expected)
    twin.double()(x.double()).sum().backward()
    file = io.BytesIO()
    torch.save(model, file)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert type(pickle.loads(pickle.dumps(model.parts[0], protocol))) is nn.GRU  # noqa: S301
    loaded = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    assert [type(part) for part in loaded.parts] == [nn.GRU, nn.LSTM]
    torch.testing.assert_close(loaded(x), expected)
    with seqloom.accelerate():
        loaded = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    assert [type(part) for part in loaded.parts] == [accelerated.GRU, accelerated.LSTM]
    torch.testing.assert_close(loaded(x), expected)


def test_a_file_loads_where_seqloom_is_not() -> None:
    layer = nn.LSTM(2, 3, 2)
    accelerate(layer)
    program = (
        "import sys; sys.modules['seqloom'] = None\n"
        "import pickle; layer = pickle.loads(sys.stdin.buffer.read())\n"
        "import torch; print(type(layer), *layer(torch.ones(1, 2))[0].flatten().tolist())"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(layer), capture_output=True, check=True)
    kind, *numbers = done.stdout.decode().rsplit(" ", 3)
    assert kind == "<class 'torch.nn.modules.rnn.LSTM'>"
    torch.testing.assert_close(torch.tensor([[float(n) for n in numbers]]), layer(torch.ones(1, 2))[0].detach())
