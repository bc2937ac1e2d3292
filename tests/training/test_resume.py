"""Going on: from every step, to bitwise the same result; and what is told when that can't be promised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import Endless, SmallNet, folder_bits, list_of_batches, loss, make_data, train, validate, weight_bits
from torch.utils.data import DataLoader, TensorDataset

from seqloom.training import Done, EpochDone, FitSettings, Notice, RestoredBest, TrainStart, fit
from seqloom.training.resume import first_difference


class StopHere(Exception):
    """Stands for a death at a certain step."""


def dying(at: int) -> Any:
    calls = 0

    def loss_function(module: Any, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls > at:
            raise StopHere
        return loss(module, batch)

    return loss_function


def loader() -> DataLoader[Any]:
    return DataLoader(TensorDataset(*make_data()), batch_size=9, shuffle=True)


class NoLength:
    def __iter__(self) -> Any:
        return iter(list_of_batches())


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "list": (list_of_batches, {}),
    "shuffling loader": (loader, {}),
    "no length": (NoLength, {}),
    "endless": (Endless, {"steps_per_epoch": 7}),
}
OPTIONS: list[dict[str, Any]] = [
    {"optimizer": "adam", "schedule": "step", "schedule_every": 1, "checkpoint_every": 1},
    {  # no epoch is 5 better than the one before: the plateau schedule halves the rate after each
        "optimizer": "adamw",
        "weight_decay": 0.1,
        "schedule": "plateau",
        "schedule_every": 1,
        "min_delta": 5.0,
        "checkpoint_every": 2,
    },
    {"optimizer": "rmsprop", "momentum": 0.4, "warmup_steps": 10, "checkpoint_every": 3, "patience": 1},
    {"optimizer": "sgd", "momentum": 0.9, "clip_norm": 0.5, "checkpoint_every": 4},
    {"optimizer": "sgd", "clip_value": 0.1},
    {"average_weights": 0.9, "smooth_monitor": 0.5, "patience": 2, "checkpoint_every": 5},
    {"average_weights": 0.5, "keep_best": False, "checkpoint_every": 6},
]


def every_pair() -> list[Any]:
    """All options with one kind of batches and all kinds with two options in the fast selection."""
    return [
        pytest.param(
            kind,
            options,
            id=f"{kind}-{options.get('optimizer')}-{options.get('checkpoint_every')}",
            marks=[] if kind == "shuffling loader" or number in (1, 5) else pytest.mark.deep,
        )
        for kind in KINDS
        for number, options in enumerate(OPTIONS)
    ]


@pytest.mark.parametrize(("kind", "options"), every_pair())
def test_a_stopped_run_goes_on_to_the_same_bits(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    make, more = KINDS[kind]
    arguments: dict[str, Any] = {
        "settings": FitSettings(**{"epochs": 3, "learning_rate": 0.02, "monitor": "mae", **options, **more}),
        "validate": validate,
        "penalty": lambda module: 0.01 * module.first.weight.square().sum(),
    }
    whole = SmallNet()
    expected = fit(whole, make(), loss, directory=tmp_path / "whole", **arguments)
    folder = tmp_path / "stopped"
    with pytest.raises(StopHere):
        fit(SmallNet(), make(), dying(4), directory=folder, **arguments)
    for at in (1, 9):
        # Where something was saved, the module that goes on may start anywhere.
        other = SmallNet(seed=9 if (folder / "latest").exists() else 0)
        with pytest.raises(StopHere):
            fit(other, make(), dying(at), directory=folder, resume=True, **arguments)
    module = SmallNet()
    assert fit(module, make(), loss, directory=folder, resume=True, **arguments) == expected
    assert weight_bits(module) == weight_bits(whole)
    assert torch.equal(module.generator.get_state(), whole.generator.get_state())
    assert folder_bits(folder) == folder_bits(tmp_path / "whole")


def test_a_finished_run_returns_at_once(tmp_path: Path) -> None:
    module, history = train(directory=tmp_path, validate=validate)
    told: list[Any] = []

    def never(*_: Any) -> Any:
        raise AssertionError("trained or validated again")

    other = SmallNet(seed=7)
    settings = FitSettings(epochs=3, learning_rate=0.02)
    again = fit(
        other,
        list_of_batches(),
        never,
        settings=settings,
        validate=never,
        directory=tmp_path,
        resume=True,
        on_event=told.append,
    )
    assert again == history
    assert again.seconds == (None, None, None)
    assert weight_bits(other) == weight_bits(module)
    assert [type(event) for event in told] == [TrainStart, RestoredBest, Done]
    assert told[0].resumed


def test_seconds_are_known_only_for_what_this_process_trained(tmp_path: Path) -> None:
    settings = FitSettings(epochs=4, learning_rate=0.02, checkpoint_every=4)
    with pytest.raises(StopHere):
        fit(SmallNet(), list_of_batches(), dying(9 + 6), settings=settings, directory=tmp_path)
    told: list[Any] = []
    _, history = train(directory=tmp_path, resume=True, epochs=4, on_event=told.append)
    assert history.seconds[:2] == (None, None)  # an epoch of before, and one that was begun before
    assert all(seconds is not None and seconds > 0 for seconds in history.seconds[2:])
    assert [event.seconds for event in told if isinstance(event, EpochDone)] == list(history.seconds[1:])
    assert (told[0].epoch, told[0].step) == (1, 12)


def test_resume_starts_where_there_is_nothing_yet(tmp_path: Path) -> None:
    module, _ = train(directory=tmp_path / "new" / "folder", resume=True)
    assert weight_bits(module) == weight_bits(train()[0])


def test_another_thread_count_is_told(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    told: list[Any] = []
    with pytest.raises(StopHere):
        fit(
            SmallNet(),
            list_of_batches(),
            dying(12),
            settings=FitSettings(epochs=3, learning_rate=0.02),
            directory=tmp_path,
        )
    try:
        torch.set_num_threads(threads + 1)
        train(directory=tmp_path, resume=True, on_event=told.append)
    finally:
        torch.set_num_threads(threads)
    (notice,) = [event for event in told if isinstance(event, Notice)]
    assert notice.text.startswith(f"Training goes on with {threads + 1} torch threads, the saved part had {threads}: ")


def test_first_difference() -> None:
    assert first_difference({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}) is None
    assert first_difference([1, 2], [1, 2, 3]) == "it was [1, 2] and is now [1, 2, 3]"
    assert first_difference({"a": True}, {"a": 1}) == "a was True and is now 1"
    assert first_difference({"a": 1}, {"a": 1.0}) is None
    assert first_difference({"a": {"b": None}}, {"a": {"b": 0}}) == "a.b was None and is now 0"
