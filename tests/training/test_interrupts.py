"""Ctrl-C: the step finishes, the state is saved, and the message says how to go on."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from small_runs import SmallNet, folder_bits, list_of_batches, loss, train, validate, weight_bits

from seqloom.errors import Interrupted
from seqloom.training import FitSettings, fit


def pressing(at: int, times: int = 1) -> Any:
    """A loss that presses Ctrl-C during its step number `at`."""
    calls = 0

    def loss_function(module: Any, batch: Any) -> Any:
        nonlocal calls
        calls += 1
        for _ in range(times if calls == at else 0):
            signal.raise_signal(signal.SIGINT)
        return loss(module, batch)

    return loss_function


pytestmark = pytest.mark.usefixtures("ctrl_c")
SETTINGS = FitSettings(epochs=3, learning_rate=0.02)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (1, "after epoch 0 and 1 steps of the next; saved in"),
        (12, "after epoch 1 and 3 steps of the next; saved in"),
        (18, "after epoch 1 and 9 steps of the next; saved in"),
        (27, "after epoch 2 and 9 steps of the next; saved in"),
    ],
)
def test_ctrl_c_saves_and_says_how_to_go_on(at: int, words: str, tmp_path: Path) -> None:
    train(directory=tmp_path / "whole")
    folder = tmp_path / "stopped"
    with pytest.raises(Interrupted, match=rf"{words} .*stopped: run again with resume=True to go on from there\.$"):
        fit(SmallNet(), list_of_batches(), pressing(at), settings=SETTINGS, directory=folder)
    assert (folder / f"step-{at:08d}-stopped.json").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    module, history = train(directory=folder, resume=True)
    assert weight_bits(module) == weight_bits(train()[0])
    assert history.steps == 27
    assert folder_bits(folder) == folder_bits(tmp_path / "whole")


@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_during_validation(epoch: int, tmp_path: Path) -> None:
    calls = 0

    def pressed(module: Any) -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == epoch:
            signal.raise_signal(signal.SIGINT)
        return validate(module)

    with pytest.raises(Interrupted, match=f"Stopped by Ctrl-C after epoch {epoch}; saved in"):
        train(validate=pressed, directory=tmp_path)
    module, _ = train(validate=validate, directory=tmp_path, resume=True)
    assert weight_bits(module) == weight_bits(train(validate=validate)[0])


def test_without_a_folder_it_says_that_nothing_was_saved() -> None:
    with pytest.raises(Interrupted, match="nothing was saved, as no directory was given"):
        fit(SmallNet(), list_of_batches(), pressing(5), settings=SETTINGS)


def test_the_second_press_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(SmallNet(), list_of_batches(), pressing(12, times=2), settings=SETTINGS, directory=tmp_path)
    assert not isinstance(caught.value, Interrupted)
    assert not list(tmp_path.glob("*stopped*"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_caller_is_left_alone() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        fit(SmallNet(), list_of_batches(), pressing(5), settings=SETTINGS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_training_in_a_thread_works() -> None:
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(weight_bits(train(SmallNet())[0])))
    thread.start()
    thread.join()
    assert results == [weight_bits(train()[0])]
