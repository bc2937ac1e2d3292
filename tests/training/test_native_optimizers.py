"""The optimizers of seqloom.training beside torch.optim: numbers, state, bits, clipping, and what is left to torch."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from oracles.optimizer_runs import OURS, drawn_run, ratio
from seqloom.errors import SettingError
from seqloom.training import SGD, Adam, FitSettings, RMSprop, native_optimizers
from seqloom.training.optimizers import make_optimizer, restore_optimizer
from seqloom_runtime import native

RULES = sorted(OURS)
compiled_only = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that torch would have to take fails."""

    def refuse(self: Any) -> None:
        raise AssertionError("left to torch")

    if native.module() is not None:
        monkeypatch.setattr(native_optimizers.OneCall, "_torch_step", refuse)


def weights(seed: int = 1, dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in ((40, 30), (7,), ())]


def with_gradients(parameters: list[nn.Parameter], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=15)
@given(st.integers(0, 10**6), st.booleans())
def test_random_runs_against_torch_in_float64(rule: str, seed: int, clipped: bool) -> None:
    assert ratio(drawn_run(rule, seed), clipped) <= 1


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_float64_against_torch(rule: str, seed: int) -> None:
    run = drawn_run(rule, seed, steps=10)
    ours, theirs = OURS[rule]
    expected = run.weights(theirs, torch.float64)
    torch.testing.assert_close(run.weights(ours, torch.float64, True), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_state_goes_from_torch_to_ours_and_back(rule: str, momentum: float, no_torch: None) -> None:
    ours, theirs = OURS[rule]
    options = {"momentum": momentum} if rule in ("RMSprop", "SGD") else {}
    mine, other = weights(), weights()
    a, b = ours(mine, lr=0.01, **options), theirs(other, lr=0.01, **options)
    for seed in range(4):
        with_gradients(mine, seed)
        with_gradients(other, seed)
        a.step()
        b.step()
        one, two = a.state_dict(), b.state_dict()
        assert one["param_groups"] == two["param_groups"]
        assert {k: set(v) for k, v in one["state"].items()} == {k: set(v) for k, v in two["state"].items()}
        for k, state in two["state"].items():
            for name, value in state.items():
                assert one["state"][k][name].dtype == value.dtype
        torch.testing.assert_close(one, two)
        # Each goes on from the other's state.
        a.load_state_dict(two)
        b.load_state_dict(one)
    torch.testing.assert_close(mine, other)


@compiled_only
@pytest.mark.parametrize("rule", RULES)
def test_the_same_bits_for_any_threads(rule: str, no_torch: None) -> None:
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            large = [nn.Parameter(torch.linspace(-1, 1, 70_001)), nn.Parameter(torch.linspace(-2, 1, 30_000))]
            optimizer = OURS[rule][0](large, lr=0.01, weight_decay=0.1)
            norms = []
            for seed in range(3):
                with_gradients(large, seed)
                norms.append(optimizer.clipped_step(clip_norm=50.0))
            found.append((norms, large))
    finally:
        torch.set_num_threads(before)
    for norms, large in found[1:]:
        assert norms == found[0][0]
        assert all(torch.equal(a, b) for a, b in zip(large, found[0][1], strict=True))


def test_what_the_kernel_cannot_move_is_left_to_torch() -> None:
    """Types and options without a kernel move beside those that have one, clipped by one norm."""
    half, single, double = (weights(dtype=kind) for kind in (torch.bfloat16, torch.float32, torch.float64))
    transposed = nn.Parameter(torch.randn(3, 4, generator=torch.Generator().manual_seed(5)).T)
    mine = [*half, *single, *double, transposed]
    other = copy.deepcopy(mine)
    a, b = Adam(mine, lr=0.01), torch.optim.Adam(other, lr=0.01)
    for seed in range(3):
        with_gradients(mine, seed)
        with_gradients(other, seed)
        if seed == 2:
            before = [p.grad for p in mine]
            norm = a.clipped_step(clip_norm=0.5)
            assert all(p.grad is g for p, g in zip(mine, before, strict=True))
            total = nn.utils.clip_grad_norm_(other, 0.5)
            assert norm == pytest.approx(total.item(), rel=1e-2)
        else:
            a.step()
        b.step()
    for p, q in zip(mine, other, strict=True):
        tolerance = 0.02 if p.dtype is torch.bfloat16 else 1e-5
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Adam, {"amsgrad": True}),
        (Adam, {"maximize": True}),
        (Adam, {"lr": torch.tensor(0.01)}),
        (Adam, {"decoupled_weight_decay": True, "weight_decay": 0.1}),
        (RMSprop, {"centered": True}),
        (SGD, {"maximize": True, "momentum": 0.9}),
    ],
)
def test_options_of_torch(make: Any, options: dict[str, Any]) -> None:
    mine, other = weights(), weights()
    given_options = {"lr": 0.01, **options}
    a, b = make(mine, **given_options), OURS[make.__name__][1](other, **given_options)
    for seed in range(3):
        with_gradients(mine, seed)
        with_gradients(other, seed)
        a.step()
        b.step()
    torch.testing.assert_close(mine, other)


def test_sparse_gradients() -> None:
    mine, other = (nn.Embedding(20, 3, sparse=True, _weight=torch.ones(20, 3)) for _ in range(2))
    a, b = SGD(mine.parameters(), lr=0.1), torch.optim.SGD(other.parameters(), lr=0.1)
    for layer, optimizer in ((mine, a), (other, b)):
        layer(torch.tensor([3, 3, 7])).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(mine.weight, other.weight)
    assert mine.weight[3].max() < 1 == mine.weight[4].min()


def test_gradients_of_any_layout_and_without_one() -> None:
    mine = [nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(0, 3))]
    mine[0].grad = torch.arange(12.0).view(3, 4).T
    mine[2].grad = torch.zeros(0, 3)
    SGD(mine, lr=0.1).step()
    torch.testing.assert_close(mine[0].detach(), 1 - 0.1 * torch.arange(12.0).view(3, 4).T)
    assert torch.equal(mine[1], torch.ones(4, 3))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_gradient_moves_nothing(rule: str, bad: float) -> None:
    mine = weights()
    optimizer = OURS[rule][0](mine, lr=0.1, **({"momentum": 0.9} if rule == "SGD" else {}))
    with_gradients(mine, 1)
    mine[0].grad[3, 4] = bad  # pyright: ignore[reportOptionalSubscript]
    before = copy.deepcopy(mine)
    assert not torch.isfinite(torch.tensor(optimizer.clipped_step(clip_norm=1.0)))
    torch.testing.assert_close(mine, before)
    assert not optimizer.state_dict()["state"]


@pytest.mark.parametrize("name", ["clip_norm", "clip_value"])
@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_bounds_that_are_none(name: str, bad: float) -> None:
    with pytest.raises(SettingError, match=f"^{name}: expected a finite number above 0, got "):
        Adam(weights()).clipped_step(**{name: bad})


def test_a_graph_that_needs_the_old_numbers_is_refused() -> None:
    """As after a step of torch: autograd looks at the version of a weight."""
    weight = nn.Parameter(torch.ones(3))
    loss = weight.exp().mul(weight).sum()
    loss.backward(retain_graph=True)
    Adam([weight], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("how", ["step", "clipped_step"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_hooks_run_once_and_schedulers_see_the_step(how: str, amsgrad: bool) -> None:
    mine = weights()
    optimizer, told = Adam(mine, lr=0.1, amsgrad=amsgrad), []
    torch.optim.Adam(weights(), lr=0.1)  # has torch put its hooks on its own class
    optimizer.register_step_pre_hook(lambda *_: told.append("before"))
    optimizer.register_step_post_hook(lambda *_: told.append("after"))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with_gradients(mine, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(optimizer, how)()
        schedule.step()
    assert told == ["before", "after"]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_copies_and_closures() -> None:
    mine = weights()
    optimizer = Adam(mine, lr=0.1)
    with_gradients(mine, 1)
    optimizer.step()
    pair = copy.deepcopy((mine, optimizer))

    def closure() -> torch.Tensor:
        for p in pair[0]:
            p.grad = None
        loss = sum((p.square().sum() for p in pair[0]), torch.zeros(()))
        loss.backward()
        return loss

    before = copy.deepcopy(mine)
    assert pair[1].step(closure).item() > 0
    torch.testing.assert_close(mine, before)
    assert not torch.equal(pair[0][0], mine[0])
    assert float(pair[1].state[pair[0][0]]["step"]) == 2
    assert float(optimizer.state[mine[0]]["step"]) == 1


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_the_state_of_a_checkpoint_of_torchs_optimizers(name: str, no_torch: None) -> None:
    """Runs of earlier versions, whose optimizers were torch's, go on."""
    chosen = FitSettings(optimizer=name, momentum=0.9 if name in ("rmsprop", "sgd") else 0.0, learning_rate=0.01)
    mine, other = (dict(zip("abc", weights(), strict=True)) for _ in range(2))
    ours = make_optimizer(chosen, mine)
    kind: Any = next(cls for cls in type(ours).__mro__ if cls.__module__.startswith("torch.optim."))
    extra = {"momentum": 0.9} if chosen.momentum else {}
    theirs = kind(
        list(other.values()), lr=0.01, weight_decay=0.0, **extra, **({} if name == "rmsprop" else {"fused": True})
    )
    with_gradients(list(other.values()), 1)
    theirs.step()
    tensors = {f"{key}/{part}": t.clone() for key, p in other.items() for part, t in theirs.state[p].items()}
    with torch.no_grad():
        for key, p in other.items():
            mine[key].copy_(p)
    restore_optimizer(ours, mine, tensors, {}, chosen)
    for optimizer, parameters in ((ours, mine), (theirs, other)):
        with_gradients(list(parameters.values()), 2)
        optimizer.step()
    torch.testing.assert_close(list(mine.values()), list(other.values()))


def test_without_the_compiled_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_optimizers, "_kernel", lambda: None)
    for rule, (ours, theirs) in OURS.items():
        run = drawn_run(rule, 3)
        torch.testing.assert_close(run.weights(ours, torch.float32, True), run.weights(theirs, torch.float32))
