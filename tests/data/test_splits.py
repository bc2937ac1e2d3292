"""Splits: fractions, row counts, text, and each refusal."""

from __future__ import annotations

import numpy as np
import pytest

from seqloom.errors import SettingError
from seqloom_runtime.data.frequency import Frequency
from seqloom_runtime.data.panel import Panel
from seqloom_runtime.data.splits import Split


def panel_of(ticks: list[list[int]]) -> Panel:
    tick = np.array([t for series in ticks for t in series])
    values = np.zeros((len(tick), 1))
    return Panel(
        values=values,
        columns=("y",),
        time=None,
        tick=tick,
        frequency=Frequency.steps(),
        ids=tuple(f"s{i}" for i in range(len(ticks))),
        offsets=np.cumsum([0, *map(len, ticks)]),
        filled=values > 1,
    )


HUNDRED = panel_of([list(range(100))])


@pytest.mark.parametrize(
    ("split", "ends"),
    [
        ("0.7,0.15", (70, 85)),
        (" .7 , .15 ", (70, 85)),
        ((0.7, 0.15), (70, 85)),
        (["0.7", "0.15"], (70, 85)),
        ((np.float64(0.29), np.float32(0.5)), (29, 79)),
        ("26,13", (26, 39)),
        ((26, 13), (26, 39)),
        ((np.int32(26), 13.0), (26, 39)),
        ("2.6e1,13", (26, 39)),
        ((60, 40), (60, 100)),
        ("1,1", (1, 2)),
    ],
)
def test_forms(split: object, ends: tuple[int, int]) -> None:
    made = Split.make(HUNDRED, split)  # type: ignore[arg-type]
    assert (made.train_end, made.valid_end) == ends


def test_a_split_stays_as_it_is() -> None:
    split = Split(3, 9)
    assert Split.make(HUNDRED, split) is split


def test_ticks_are_counted_once_over_series_and_gaps() -> None:
    panel = panel_of([[10, 11, 15, 16], [11, 12, 15, 20, 21]])  # distinct: 10 11 12 15 16 20 21
    split = Split.make(panel, (3, 2))
    assert split == Split(15, 20)
    assert split.part_rows(panel) == {"training": 3, "validation": 2, "test": 2}
    assert Split.make(panel, "3,4") == Split(15, 22)
    assert Split.make(panel, "3,4").part_rows(panel) == {"training": 3, "validation": 4, "test": 0}


@pytest.mark.parametrize(
    ("split", "text"),
    [
        ("0.7", "two numbers"),
        ("0.7,", "two numbers"),
        (",0.7", "two numbers"),
        ("", "two numbers"),
        ("1,2,3", "two numbers"),
        ((0.5,), "two numbers"),
        ("a,b", "got 'a'"),
        ("0.7,x", "got 'x'"),
        ("nan,0.1", "got 'nan'"),
        ("inf,0.1", "got 'inf'"),
        ((None, 0.1), "got None"),
        ((True, 0.1), "got True"),
        ("-5,10", "above zero"),
        ("-0.5,0.1", "above zero"),
        ("0.5,0", "above zero"),
        ((0, 10), "above zero"),
        ("0.7,0.3", "sum below 1"),
        ("0.8,0.5", "sum below 1"),
        ("0.7,10", "mixture"),
        ("70,0.1", "mixture"),
        ("1.5,10", "neither a fraction nor a whole number"),
        ("90,30", "make 120, but the data has 100 rows, 20 too few"),
        ("0.001,0.5", "no row for training"),
        ("0.5,0.001", "no row for validation"),
    ],
)
def test_refusals(split: object, text: str) -> None:
    with pytest.raises(SettingError, match=r"^split: ") as caught:
        Split.make(HUNDRED, split)  # type: ignore[arg-type]
    assert text in str(caught.value)


def test_parts_must_follow_one_another() -> None:
    with pytest.raises(SettingError, match="ends at ticks 5 "):
        Split(5, 5)
