"""The monitor against a plain statement of its rule."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from seqloom.training import FitSettings
from seqloom.training.stopping import Monitor

values = st.lists(st.sampled_from([0.5, 1.0, 1.1, 1.2, 2.0, 3.0, float("inf")]), min_size=1, max_size=12)


@given(values, st.integers(1, 3), st.sampled_from([0.0, 0.15]))
def test_best_and_stop_follow_their_definition(numbers: list[float], patience: int, min_delta: float) -> None:
    settings = FitSettings(patience=patience, min_delta=min_delta)
    monitor = Monitor(settings)
    for epoch, value in enumerate(numbers, start=1):
        before = numbers[: epoch - 1]
        assert monitor.update(epoch, value) == all(value < other for other in before)
        assert monitor.best_epoch == numbers.index(min(numbers[:epoch])) + 1
        assert monitor.best_value == min(numbers[:epoch])
        assert monitor.stop == (_waited(numbers[:epoch], min_delta) >= patience)
        again = Monitor(settings)
        again.restore(json.loads(json.dumps(monitor.state(), allow_nan=False)))
        assert vars(again) == vars(monitor)
        monitor = again


def _waited(numbers: list[float], min_delta: float) -> int:
    """Epochs since the last one that fell by more than min_delta below the one before of that kind."""
    last, reference = 0, numbers[0]
    for index, value in enumerate(numbers):
        if value < reference - min_delta:
            last, reference = index, value
    return len(numbers) - 1 - last


def test_without_patience_it_never_stops() -> None:
    monitor = Monitor(FitSettings())
    for epoch in range(1, 100):
        monitor.update(epoch, 1.0)
    assert not monitor.stop


def test_small_improvements_add_up_to_one_but_do_not_reset_the_count() -> None:
    monitor = Monitor(FitSettings(patience=3, min_delta=0.15))
    for epoch, value in enumerate([1.0, 0.9, 0.8, 0.7, 0.6], start=1):  # 0.8 is the first below 0.85, 0.6 below 0.65
        assert monitor.update(epoch, value)
        assert not monitor.stop
    stops = []
    for epoch, value in enumerate([0.55, 0.5, 0.46], start=6):
        assert monitor.update(epoch, value)
        stops.append(monitor.stop)
    assert stops == [False, False, True]
