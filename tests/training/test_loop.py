"""`fit` against a bare torch loop, and everything it promises its caller."""

from __future__ import annotations

import builtins
import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import Endless, SmallNet, list_of_batches, loss, train, validate, weight_bits
from torch import Tensor, nn

from seqloom.errors import SettingError
from seqloom.training import (
    Done,
    EpochDone,
    EpochRow,
    FitSettings,
    RestoredBest,
    Saved,
    StepDone,
    StoppedEarly,
    TrainStart,
    fit,
)

RECIPES: dict[str, tuple[dict[str, Any], Any]] = {
    "adam": ({"optimizer": "adam", "weight_decay": 0.01}, lambda p: torch.optim.Adam(p, lr=0.02, weight_decay=0.01)),
    "adamw": ({"optimizer": "adamw", "weight_decay": 0.1}, lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1)),
    "rmsprop": ({"optimizer": "rmsprop", "momentum": 0.5}, lambda p: torch.optim.RMSprop(p, lr=0.02, momentum=0.5)),
    "sgd": ({"optimizer": "sgd", "momentum": 0.8}, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8)),
}


def clip_to_norm(gradients: list[Tensor], longest: float) -> bool:
    """The definition; torch's own function divides by the norm and 1e-6, which doubles would show."""
    norm = torch.nn.utils.get_total_norm(gradients)
    if norm > longest:
        for gradient in gradients:
            gradient *= longest / norm
    return bool(norm > longest)


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.5}, {"clip_value": 0.05}, {"clip_norm": 0.6, "clip_value": 0.1}])
@pytest.mark.parametrize("name", list(RECIPES))
def test_equal_to_a_bare_loop(name: str, clip: dict[str, float]) -> None:
    options, make = RECIPES[name]
    # In double: float32 sums rounded in another order grow apart where a step divides by the root of small squares.
    batches = [(x.double(), y.double()) for x, y in list_of_batches()]
    module, history = train(SmallNet(dropout=0.0, norm=False).double(), batches, **options, **clip, keep_best=False)
    bare = SmallNet(dropout=0.0, norm=False).double()
    optimizer = make(list(bare.parameters()))
    means = []
    clipped = 0
    for _ in range(3):
        losses = []
        for batch in batches:
            optimizer.zero_grad()
            value = loss(bare, batch)
            value.backward()
            if "clip_norm" in clip:
                clipped += int(
                    clip_to_norm([p.grad for p in bare.parameters() if p.grad is not None], clip["clip_norm"])
                )
            if "clip_value" in clip:
                torch.nn.utils.clip_grad_value_(bare.parameters(), clip["clip_value"])
            optimizer.step()
            losses.append(value.item())
        means.append(sum(losses) / len(losses))
    assert clipped > 0 or "clip_norm" not in clip
    for mine, theirs in zip(module.state_dict().values(), bare.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-11)
    assert [row.train_loss for row in history.epochs] == pytest.approx(means, rel=1e-10)
    assert history.steps == 27


def test_same_seed_same_bits_and_the_callers_stream_is_put_back() -> None:
    nets = [SmallNet(), SmallNet()]
    torch.manual_seed(1)
    first, one = train(nets[0], epochs=2, seed=4)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    second, other = train(nets[1], epochs=2, seed=4)
    assert weight_bits(first) == weight_bits(second)
    assert one == other
    assert weight_bits(train(epochs=2, seed=5)[0]) != weight_bits(first)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn)


def test_the_learning_rate_follows_the_schedule() -> None:
    module = nn.Linear(4, 1)
    rates: list[float] = []

    def moved(part: nn.Module, batch: Any) -> Tensor:
        rates.append(next(iter(module.parameters())).detach().clone().sum().item())
        return module.weight.sum() + module.bias.sum()  # gradient 1: a step of plain SGD moves each number by the rate

    settings = FitSettings(epochs=2, optimizer="sgd", learning_rate=0.1, warmup_steps=3, schedule="cosine")
    history = fit(module, [None] * 6, moved, settings=settings)
    steps = [(before - after) / 4 for before, after in itertools.pairwise(rates)]
    expected = [0.1 / 3, 0.2 / 3, 0.1] + [0.05 * (1 + math.cos(math.pi * t / 9)) for t in range(8)]
    assert steps == pytest.approx(expected, abs=1e-6)
    assert history.epochs[1].learning_rate == pytest.approx(0.05 * (1 + math.cos(math.pi * 8 / 9)))


def test_the_penalty_moves_the_weights_and_is_reported_apart() -> None:
    def penalty(module: nn.Module) -> Tensor:
        return 0.3 * sum((p.square().sum() for p in module.parameters()), torch.zeros(()))

    def both(module: nn.Module, batch: Any) -> Tensor:
        return loss(module, batch) + penalty(module)

    apart, history = train(SmallNet(dropout=0.0), penalty=penalty, keep_best=False)
    together = SmallNet(dropout=0.0)
    settings = FitSettings(epochs=3, learning_rate=0.02, keep_best=False)
    summed = fit(together, list_of_batches(), both, settings=settings)
    assert weight_bits(apart) == weight_bits(together)
    for row, other in zip(history.epochs, summed.epochs, strict=True):
        assert row.penalty is not None
        assert row.penalty > 0.1
        assert row.train_loss + row.penalty == pytest.approx(other.train_loss, rel=1e-5)
        assert row.to_row()["penalty"] == row.penalty


class Scripted:
    """A validation that returns numbers from a list, and notes mode, gradients and weights."""

    def __init__(self, numbers: list[float]):
        self.numbers, self.seen, self.weights = iter(numbers), [], []

    def __call__(self, module: nn.Module) -> dict[str, float]:
        self.seen.append((module.training, torch.is_grad_enabled()))
        self.weights.append(weight_bits(module))
        return {"loss": torch.tensor(next(self.numbers)), "other": math.nan}  # type: ignore[dict-item]


def test_best_weights_come_back_and_patience_ends_the_run() -> None:
    scripted = Scripted([3.0, 1.0, 2.0, 1.5, 0.1])
    told: list[Any] = []
    module, history = train(epochs=5, patience=2, validate=scripted, on_event=told.append)
    assert weight_bits(module) == scripted.weights[1]
    assert len(set(scripted.weights)) == 4
    assert scripted.seen == [(False, False)] * 4
    assert (history.best_epoch, history.best_value, history.stopped_early) == (2, 1.0, True)
    assert [row.valid["loss"] for row in history.epochs] == [3.0, 1.0, 2.0, 1.5]
    assert all(type(value) is float for row in history.epochs for value in row.valid.values())
    assert [event.best for event in told if isinstance(event, EpochDone)] == [True, True, False, False]
    assert told[-3:] == [StoppedEarly(4, 2, 1.0), RestoredBest(2, 1.0), Done(history)]


def test_stop_ends_the_run_after_an_epoch_for_good(tmp_path: Path) -> None:
    asked: list[int] = []
    told: list[Any] = []

    def enough(row: EpochRow) -> bool:
        asked.append(row.epoch)
        return row.epoch == 2

    module, history = train(epochs=5, validate=validate, stop=enough, directory=tmp_path, on_event=told.append)
    assert asked == [1, 2]
    assert (len(history.epochs), history.stopped_early) == (2, True)
    assert sum(isinstance(event, StoppedEarly) for event in told) == 1
    again, same = train(epochs=5, validate=validate, directory=tmp_path, resume=True)
    assert weight_bits(again) == weight_bits(module)
    assert same == history


def test_a_stop_after_the_last_epoch_is_no_early_one() -> None:
    _, history = train(epochs=2, stop=lambda row: row.epoch == 2)
    assert not history.stopped_early


def test_last_weights_stay_where_best_are_not_wanted() -> None:
    scripted = Scripted([1.0, 2.0, 3.0])
    module, history = train(validate=scripted, keep_best=False)
    assert weight_bits(module) == scripted.weights[-1]
    assert history.best_epoch == 1
    assert not history.stopped_early


def test_without_validation_the_training_loss_decides() -> None:
    _, history = train(SmallNet(dropout=0.0), patience=1, epochs=4, learning_rate=1e-3)
    assert history.best_epoch == 4
    assert history.best_value == min(row.train_loss for row in history.epochs)
    _, history = train(SmallNet(dropout=0.0), patience=1, epochs=4, optimizer="sgd", learning_rate=30.0, clip_norm=1.0)
    assert history.stopped_early
    assert history.best_epoch == len(history.epochs) - 1


def test_modes_are_put_back_as_they_were() -> None:
    module = SmallNet().eval()
    module.first.train()
    train(module, epochs=1, validate=validate)
    assert [module.training, module.first.training, module.norm.training] == [False, True, False]


def test_events_tell_the_run(tmp_path: Path) -> None:
    told: list[Any] = []
    _, history = train(epochs=2, validate=validate, directory=tmp_path, on_event=told.append, checkpoint_every=3)
    start = told[0]
    assert start == TrainStart(2, 9, 49, 0, 0, torch.get_num_threads(), 1)
    assert not start.resumed
    assert start.parameters == sum(p.numel() for p in SmallNet().parameters())
    assert told[-1] == Done(history)
    assert [e.row for e in told if isinstance(e, EpochDone)] == list(history.epochs)
    saved = [event for event in told if isinstance(event, Saved)]
    assert [(event.epoch, event.step) for event in saved] == [(0, 3), (0, 6), (1, 9), (1, 12), (1, 15), (2, 18)]
    step = next(event for event in told if isinstance(event, StepDone))
    assert (step.epoch, step.step, step.step_in_epoch, step.steps_per_epoch) == (1, 1, 1, 9)
    assert step.gradient_norm > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.loss = 1.0  # pyright: ignore[reportAttributeAccessIssue]
    assert sum(isinstance(event, StepDone) for event in told) < 18  # told by the clock, not at each of the fast steps


def test_silent_and_without_files(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def no_writing(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        raise AssertionError(f"opened {file} with {mode}")

    monkeypatch.setattr(builtins, "open", no_writing)
    train(validate=validate)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_endless_batches_and_no_epochs() -> None:
    _, history = train(batches=Endless(), steps_per_epoch=5, epochs=2)
    assert [row.step for row in history.epochs] == [5, 10]
    module = SmallNet()
    before = weight_bits(module)
    _, history = train(module, epochs=0)
    assert history.epochs == ()
    assert history.best_epoch is None
    assert weight_bits(module) == before


def test_an_inner_parameter_without_gradient_is_left_alone() -> None:
    module = SmallNet()
    module.spare = nn.Linear(2, 2)
    module.first.weight.requires_grad_(False)
    spare, frozen = module.spare.weight.detach().clone(), module.first.weight.detach().clone()
    train(module, weight_decay=0.5, optimizer="adamw")
    assert torch.equal(module.spare.weight, spare)
    assert torch.equal(module.first.weight, frozen)
    assert all(p.grad is None for p in module.parameters())


class Extra(nn.Linear):
    def get_extra_state(self) -> Any:
        return {"not": "a tensor"}


def refused(words: str, *, module: nn.Module | None = None, loss_function: Any = loss, **arguments: Any) -> None:
    with pytest.raises(SettingError, match=words):
        fit(
            SmallNet() if module is None else module,
            arguments.pop("batches", list_of_batches()),
            loss_function,
            settings=arguments.pop("settings", FitSettings(epochs=1)),
            **arguments,
        )


def test_arguments_that_can_not_work_are_refused(tmp_path: Path) -> None:
    refused("settings: expected FitSettings, got dict", settings={"epochs": 3})
    refused("resume=True needs the directory", resume=True)
    refused("monitor='mae' needs validate", settings=FitSettings(monitor="mae"))
    refused(
        "monitor='mse' is not among what validate returned .loss, mae.. Did you mean 'mae'",
        settings=FitSettings(epochs=1, monitor="mse"),
        validate=validate,
    )
    refused("nothing to train", module=nn.Tanh())
    refused("'weight' has no shape yet; run one batch through", module=nn.LazyLinear(3))
    refused("keeps extra state", module=Extra(4, 1), directory=tmp_path / "never")
    refused("loss must return a tensor without axes.*shape .7, 1.", loss_function=lambda m, b: m(b[0]))
    refused("loss must return .* not float", loss_function=lambda m, b: 3.0)
    refused("penalty must return .* not float", penalty=lambda m: 3.0)
    refused("carries no gradient", loss_function=lambda m, b: m(b[0]).mean().detach())
    refused("signature: expected a dict of finite JSON values", signature={"a": math.nan})
    refused("signature: expected a dict of finite JSON values", signature={"a": object()})
    assert list(tmp_path.iterdir()) == []
