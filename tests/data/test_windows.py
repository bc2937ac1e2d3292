"""Windows: listed by hand, against a loop per window, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.frequency import Frequency
from seqloom_runtime.data.panel import Panel
from seqloom_runtime.data.reading import read_panel
from seqloom_runtime.data.splits import Split
from seqloom_runtime.data.windows import Windows, WindowSpec

NAN = np.nan


def panel_of(
    values: np.ndarray,
    *,
    ticks: list[list[int]] | None = None,
    filled: np.ndarray | None = None,
    columns: tuple[str, ...] = ("y", "x"),
    frequency: Frequency | None = None,
    zone: str | None = None,
) -> Panel:
    values = np.atleast_2d(np.asarray(values, dtype=np.float64).T).T
    ticks = [list(range(len(values)))] if ticks is None else ticks
    tick = np.array([t for series in ticks for t in series], dtype=np.int64)
    return Panel(
        values=values,
        columns=columns[: values.shape[1]],
        time=None if frequency is None else frequency.times(tick),
        tick=tick,
        frequency=frequency or Frequency.steps(),
        ids=tuple("abcdef"[: len(ticks)]),
        offsets=np.cumsum([0, *map(len, ticks)]),
        filled=np.zeros(values.shape, dtype=bool) if filled is None else filled,
        zone=zone,
    )


def origins(panel: Panel, spec: WindowSpec, inputs: tuple[str, ...] = ("y",)) -> list[int]:
    return Windows(panel, spec, target="y", inputs=inputs).origins.tolist()


# -- the shape of a window ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "inputs", "steps", "span"),
    [
        (WindowSpec(3, 2), [-2, -1, 0], [1, 2], 5),
        (WindowSpec(6, 4, 2), [-4, -2, 0], [2, 4], 9),
        (WindowSpec(6, 5, 2, "last"), [-4, -2, 0], [5], 10),
        (WindowSpec(1, 1), [0], [1], 2),
        (WindowSpec(4, 4, 4), [0], [4], 5),
        (WindowSpec(2, 3, 1, "last"), [-1, 0], [3], 5),
    ],
)
def test_offsets_by_hand(spec: WindowSpec, inputs: list[int], steps: list[int], span: int) -> None:
    assert spec.input_offsets.tolist() == inputs
    assert spec.steps.tolist() == steps
    assert spec.span == span
    assert spec.input_offsets.dtype == spec.steps.dtype == np.int64


def test_the_lectures_window() -> None:
    spec = WindowSpec(720, 144, 6, "last")
    assert (len(spec.input_offsets), spec.input_offsets[0], spec.steps.tolist()) == (120, -714, [144])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 1), "lookback: expected a positive number of rows, got 0"),
        ((3, -2), "horizon: expected a positive number of rows, got -2"),
        ((3, 2, 0), "every: expected a positive"),
        ((3.0, 2), "got 3.0"),
        ((True, 2), "got True"),
        ((6, 5, 2), "horizon: expected a multiple of every, 2 rows, got 5; use 4 or 6, or at='last'"),
        ((5, 4, 2), "lookback: expected a multiple of every, 2 rows, got 5; use 4 or 6."),
        ((5, 12, 6), "lookback: expected a multiple of every, 6 rows, got 5; use 6."),
        ((3, 2, 1, "first"), "at: expected 'path' or 'last', got 'first'"),
    ],
)
def test_spec_refusals(arguments: tuple, text: str) -> None:
    with pytest.raises(SettingError) as caught:
        WindowSpec(*arguments)
    assert text in str(caught.value)


# -- windows listed by hand --------------------------------------------------------------------------------------------


def test_path_by_hand() -> None:
    assert origins(panel_of(np.arange(8.0)), WindowSpec(3, 2)) == [2, 3, 4, 5]


def test_every_reads_only_its_rows() -> None:
    values = np.arange(12.0)
    spec = WindowSpec(4, 4, 2)  # inputs t-2, t; targets t+2, t+4
    assert origins(panel_of(values), spec) == [2, 3, 4, 5, 6, 7]
    values[5] = NAN  # read by the windows of t = 3 (t+2, beside t+4), 5 (t), 7 (t-2), and t = 1 (not a candidate)
    windows = Windows(panel_of(values), spec, target="y", inputs=["y"])
    assert windows.origins.tolist() == [2, 3, 4, 6]
    assert windows.dropped == {"crosses a gap": 0, "missing target": 1, "target repaired": 0, "missing input": 1}


def test_last_by_hand() -> None:
    values = np.arange(9.0)
    spec = WindowSpec(2, 3, 1, "last")
    assert origins(panel_of(values), spec) == [1, 2, 3, 4, 5]
    values[4] = NAN  # target of t = 1, origin of t = 4, input of t = 5; between origin and target of t = 2, 3
    windows = Windows(panel_of(values), spec, target="y", inputs=["y"])
    assert windows.origins.tolist() == [2, 3]
    assert windows.dropped == {"crosses a gap": 0, "missing target": 2, "target repaired": 0, "missing input": 1}


def test_gap_by_hand() -> None:
    panel = panel_of(np.arange(9.0), ticks=[[0, 1, 2, 3, 6, 7, 8, 9, 10]])
    windows = Windows(panel, WindowSpec(2, 1), target="y", inputs=["y"])
    assert windows.origins.tolist() == [1, 2, 5, 6, 7]  # t = 3 has its target, t = 4 its input beyond the gap
    assert windows.dropped["crosses a gap"] == 2


def test_two_series_by_hand() -> None:
    panel = panel_of(np.arange(9.0), ticks=[[0, 1, 2, 3], [2, 3, 4, 5, 6]])
    assert origins(panel, WindowSpec(2, 1)) == [1, 2, 5, 6, 7]
    windows = Windows(panel, WindowSpec(3, 2), target="y", inputs=["y"])
    assert windows.origins.tolist() == [6]
    assert windows.short == ("a",)
    assert "too short     1 series have fewer than 5 rows" in windows.describe()


def test_series_that_continue_each_others_ticks_are_not_joined() -> None:
    assert origins(panel_of(np.arange(6.0), ticks=[[0, 1, 2], [3, 4, 5]]), WindowSpec(2, 1)) == [1, 4]


def test_a_window_without_a_measured_step_is_dropped_and_repaired_inputs_are_fine() -> None:
    values = np.arange(16.0).reshape(8, 2)
    filled = np.zeros((8, 2), dtype=bool)
    filled[2, 1] = True  # an input
    assert origins(panel_of(values, filled=filled), WindowSpec(2, 1), ("y", "x")) == [1, 2, 3, 4, 5, 6]
    filled[4, 0] = True  # the target: of t = 3, at the origin of t = 4; an input only of t = 5
    windows = Windows(panel_of(values, filled=filled), WindowSpec(2, 1), target="y", inputs=["y", "x"])
    assert windows.origins.tolist() == [1, 2, 4, 5, 6]
    assert windows.dropped["target repaired"] == 1
    # Where one of two steps was measured, the window stays; where none was, it goes.
    assert origins(panel_of(values, filled=filled), WindowSpec(2, 2)) == [1, 2, 3, 4, 5]
    filled[5, 0] = True
    assert origins(panel_of(values, filled=filled), WindowSpec(2, 2)) == [1, 2, 4, 5]


def test_missing_values_of_other_columns_do_not_matter() -> None:
    values = np.arange(16.0).reshape(8, 2)
    values[3, 1] = NAN
    assert origins(panel_of(values), WindowSpec(2, 1), ("y",)) == [1, 2, 3, 4, 5, 6]
    windows = Windows(panel_of(values), WindowSpec(2, 1), target="y", inputs=["y", "x"])
    assert windows.origins.tolist() == [1, 2, 5, 6]
    assert windows.dropped["missing input"] == 2


def test_the_first_reason_counts() -> None:
    values = np.arange(7.0)
    values[3] = NAN
    filled = np.zeros((7, 1), dtype=bool)
    filled[3] = filled[1] = True
    # Row 3 has no value; row 1 was repaired.
    panel = panel_of(values, ticks=[[0, 1, 2, 3, 5, 6, 7]], filled=filled)
    windows = Windows(panel, WindowSpec(1, 1), target="y", inputs=["y"])
    # t = 0: repaired; t = 2: missing (and repaired); t = 3: gap (and missing, and repaired)
    assert windows.dropped == {"crosses a gap": 1, "missing target": 1, "target repaired": 1, "missing input": 0}
    assert windows.origins.tolist() == [1, 4, 5]
    assert windows.candidates == 6


# -- against a loop per window -----------------------------------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> tuple[Panel, WindowSpec]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lengths = draw(st.lists(st.integers(0, 25), min_size=1, max_size=3))
    gap = draw(st.sampled_from([0.0, 0.08, 0.3]))
    bad = draw(st.sampled_from([0.0, 0.04, 0.2]))
    ticks = [np.cumsum(1 + (rng.random(n) < gap) * rng.integers(1, 4, n)).tolist() for n in lengths]
    rows = sum(lengths)
    values = rng.standard_normal((rows, 2))
    values[rng.random((rows, 2)) < bad] = NAN
    values[rng.random((rows, 2)) < bad / 4] = np.inf
    filled = rng.random((rows, 2)) < bad
    every = draw(st.integers(1, 3))
    at = draw(st.sampled_from(["path", "last"]))
    horizon = every * draw(st.integers(1, 3)) if at == "path" else draw(st.integers(1, 6))
    spec = WindowSpec(every * draw(st.integers(1, 4)), horizon, every, at)
    return panel_of(values, ticks=ticks, filled=filled), spec


def by_loop(panel: Panel, spec: WindowSpec) -> tuple[list[int], dict[str, int], int]:
    usable, candidates = [], 0
    dropped = {"crosses a gap": 0, "missing target": 0, "target repaired": 0, "missing input": 0}
    for begin, end in zip(panel.offsets, panel.offsets[1:]):
        for t in range(begin, end):
            read = range(t - spec.lookback + spec.every, t + 1, spec.every)
            path = range(t + spec.every, t + spec.horizon + 1, spec.every)
            targets = path if spec.at == "path" else [t + spec.horizon]
            if read[0] < begin or t + spec.horizon >= end:
                continue
            candidates += 1
            if any(panel.tick[r + 1] - panel.tick[r] != 1 for r in range(read[0], t + spec.horizon)):
                dropped["crosses a gap"] += 1
            elif not np.isfinite(panel.values[t, 0]) or not any(np.isfinite(panel.values[r, 0]) for r in targets):
                dropped["missing target"] += 1
            elif not any(np.isfinite(panel.values[r, 0]) and not panel.filled[r, 0] for r in targets):
                dropped["target repaired"] += 1
            elif any(not np.isfinite(panel.values[r, 1]) for r in read):
                dropped["missing input"] += 1
            else:
                usable.append(t)
    return usable, dropped, candidates


@given(cases())
def test_equals_a_loop_over_windows(case: tuple[Panel, WindowSpec]) -> None:
    panel, spec = case
    usable, dropped, candidates = by_loop(panel, spec)
    try:
        windows = Windows(panel, spec, target="y", inputs=["x"])
    except DataError as error:
        assert not usable
        assert (f"None of the {candidates} windows" if candidates else "too few") in str(error)  # noqa: PT017
        return
    assert windows.origins.tolist() == usable
    assert windows.dropped == dropped
    assert windows.candidates == candidates == len(windows) + sum(dropped.values())


@given(cases())
def test_no_window_crosses_a_gap_or_a_series(case: tuple[Panel, WindowSpec]) -> None:
    panel, spec = case
    try:
        found = Windows(panel, spec, target="y", inputs=["x"]).origins
    except DataError:
        return
    first, last = found + spec.input_offsets[0], found + spec.steps[-1]
    assert np.array_equal(panel.tick[last] - panel.tick[first], last - first)
    assert np.array_equal(panel.series_index[first], panel.series_index[last])


@given(cases(), st.integers(1, 25), st.integers(1, 12))
def test_targets_stay_inside_their_part(case: tuple[Panel, WindowSpec], train: int, valid: int) -> None:
    panel, spec = case
    split = Split(train, train + valid)
    try:
        windows = Windows(panel, spec, target="y", inputs=["x"])
        parts = windows.split(split)
    except (DataError, SettingError):
        return
    bounds = {"train": (-1, train), "valid": (train, train + valid), "test": (train + valid, 10**9)}
    expected: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    lost = 0
    for t in windows.origins:
        ticks = panel.tick[t + spec.steps]
        homes = [name for name, (start, end) in bounds.items() if all(start <= tick < end for tick in ticks)]
        lost += not homes
        for name in homes:
            expected[name].append(int(t))
    assert {name: getattr(parts, name).tolist() for name in expected} == expected
    assert sum(parts.lost.values()) == lost


# -- splitting by hand -------------------------------------------------------------------------------------------------


def test_split_by_hand() -> None:
    windows = Windows(panel_of(np.arange(20.0)), WindowSpec(3, 2), target="y", inputs=["y"])  # origins 2..17
    parts = windows.split(Split(10, 15))
    assert parts.train.tolist() == [2, 3, 4, 5, 6, 7]  # the last target, t+2, is row 9
    assert parts.valid.tolist() == [9, 10, 11, 12]  # targets 10..14; inputs reach back to row 7
    assert parts.test.tolist() == [14, 15, 16, 17]
    assert parts.lost == {"training to validation": 1, "validation to test": 1}  # t = 8 and t = 13


def test_single_target_loses_nothing_at_boundaries() -> None:
    windows = Windows(panel_of(np.arange(20.0)), WindowSpec(3, 4, 1, "last"), target="y", inputs=["y"])
    parts = windows.split(Split(10, 15))
    assert parts.lost == {"training to validation": 0, "validation to test": 0}
    assert [part.tolist() for part in (parts.train, parts.valid, parts.test)] == [
        [2, 3, 4, 5],
        [6, 7, 8, 9, 10],
        [11, 12, 13, 14, 15],
    ]


def test_a_window_over_both_boundaries_is_lost_once() -> None:
    windows = Windows(panel_of(np.arange(20.0)), WindowSpec(1, 5), target="y", inputs=["y"])
    with pytest.raises(SettingError, match="validation part has no window: it has 2 rows, horizon 5 need 5, 3 too few"):
        windows.split(Split(10, 12))
    parts = windows.split(Split(8, 13))
    assert parts.valid.tolist() == [7]
    assert len(parts.train) + len(parts.valid) + len(parts.test) + sum(parts.lost.values()) == len(windows)


def test_split_refusals_say_how_many_rows_are_missing() -> None:
    windows = Windows(panel_of(np.arange(40.0)), WindowSpec(6, 4, 2), target="y", inputs=["y"])
    for split, text in [
        (Split(7, 30), "training part has no window: it has 7 rows, lookback 6 and horizon 4 need 9, 2 too few"),
        (Split(30, 32), "validation part has no window: it has 2 rows, horizon 4 need 3, 1 too few"),
        (Split(30, 39), "test part has no window: it has 1 row, horizon 4 need 3, 2 too few"),
    ]:
        with pytest.raises(SettingError) as caught:
            windows.split(split)
        assert text in str(caught.value)


def test_split_refusal_names_the_reasons() -> None:
    values = np.arange(30.0)
    values[12:18] = NAN
    windows = Windows(panel_of(values), WindowSpec(2, 1), target="y", inputs=["y"])
    with pytest.raises(SettingError, match=r"validation part .* all 6 windows in it were dropped \(6 missing target\)"):
        windows.split(Split(12, 18))
    panel = panel_of(np.arange(13.0), ticks=[[*range(10)], [20, 21, 22]])
    with pytest.raises(SettingError, match="test part has no window: it has 3 rows, but no series has 5 rows whose"):
        Windows(panel, WindowSpec(3, 2), target="y", inputs=["y"]).split(Split(7, 12))


def test_an_empty_test_part_by_wish() -> None:
    panel = panel_of(np.arange(20.0))
    parts = Windows(panel, WindowSpec(3, 2), target="y", inputs=["y"]).split(Split.make(panel, (12, 8)))
    assert len(parts.test) == 0
    assert parts.valid.tolist()[-1] == 17


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_too_short() -> None:
    with pytest.raises(DataError, match="lookback 10 and horizon 5 needs 15 rows, but the data has 12, 3 too few"):
        Windows(panel_of(np.arange(12.0)), WindowSpec(10, 5), target="y", inputs=["y"])
    panel = panel_of(np.arange(9.0), ticks=[[0, 1, 2, 3], [2, 3, 4, 5, 6]])
    with pytest.raises(DataError, match=r"one row every 2.*needs 7 rows, but the longest of 2 series has 5, 2 too few"):
        Windows(panel, WindowSpec(4, 4, 2), target="y", inputs=["y"])
    assert Windows(panel_of(np.arange(15.0)), WindowSpec(10, 5), target="y", inputs=["y"]).origins.tolist() == [9]


def test_nothing_usable() -> None:
    panel = panel_of(np.arange(6.0), ticks=[[0, 1, 3, 4, 6, 7]])
    with pytest.raises(
        DataError, match=r"None of the 4 windows of 3 rows .* 4 crosses a gap; the longest stretch .* 2 rows"
    ):
        Windows(panel, WindowSpec(2, 1), target="y", inputs=["y"])


def test_unknown_columns() -> None:
    panel = panel_of(np.zeros((8, 2)), columns=("temperature", "wind"))
    with pytest.raises(DataError, match="Did you mean 'temperature'"):
        Windows(panel, WindowSpec(2, 1), target="temprature", inputs=["wind"])
    with pytest.raises(DataError, match="Did you mean 'wind'"):
        Windows(panel, WindowSpec(2, 1), target="temperature", inputs=["wnd"])
    for inputs in ([], "wind"):
        with pytest.raises(SettingError, match="inputs: expected a list"):
            Windows(panel, WindowSpec(2, 1), target="temperature", inputs=inputs)


# -- saying it ---------------------------------------------------------------------------------------------------------


def test_describe_with_times() -> None:
    start = int(np.datetime64("2020-03-28T00:00", "us").astype(np.int64))
    hourly = Frequency("fixed", 3_600_000_000, anchor=start, zone="Europe/Berlin")
    values = np.arange(60.0)
    values[10] = NAN
    panel = panel_of(values, frequency=hourly, zone="Europe/Berlin")
    windows = Windows(panel, WindowSpec(6, 4, 2), target="y", inputs=["y"])
    assert windows.describe() == "\n".join(
        [
            "windows       49 of 52",
            "dropped       1 missing target, 2 missing input",
            "inputs        3 steps, one every 2 rows, of y",
            "target        y, 2 steps, the last 4 rows ahead",
            "              first window            last window",
            "first input   2020-03-28 01:00+01:00  2020-03-30 05:00+02:00",
            "origin        2020-03-28 05:00+01:00  2020-03-30 09:00+02:00",
            "first target  2020-03-28 07:00+01:00  2020-03-30 11:00+02:00",
            "last target   2020-03-28 09:00+01:00  2020-03-30 13:00+02:00",
        ]
    )


def test_describe_steps_series_and_chosen_origins() -> None:
    panel = panel_of(np.arange(9.0), ticks=[[0, 1, 2, 3], [2, 3, 4, 5, 6]])
    windows = Windows(panel, WindowSpec(2, 1), target="y", inputs=["y"])
    lines = windows.describe().splitlines()
    assert lines[-5].split() == ["series", "a", "b"]
    assert lines[-4:] == [
        "first input   step 0        step 4",
        "origin        step 1        step 5",
        "first target  step 2        step 6",
        "last target   step 2        step 6",
    ]
    assert "origin        step 2        step 4" in windows.describe(np.array([2, 6]))
    assert windows.describe(np.array([], dtype=int)).endswith("no window to show")


def test_describe_counts_many_columns() -> None:
    panel = panel_of(np.zeros((9, 5)), columns=tuple("yabcd"))
    lines = (
        Windows(panel, WindowSpec(2, 3, 2, "last"), target="y", inputs=["y", "a", "b", "c", "d"])
        .describe()
        .splitlines()
    )
    assert lines[2:4] == [
        "inputs        1 step, one every 2 rows, of 5 columns",
        "target        y, 1 step, the last 3 rows ahead",
    ]


def test_jena_naive_errors(data_dir: Path) -> None:
    """The published naive errors of the 2020 file within .02 °C, though those windows' inputs may not reach back."""
    panel = read_panel(data_dir / "jena" / "jena_climate_2020.csv.gz", time="Date Time", missing=(-9999,))
    windows = Windows(panel, WindowSpec(720, 144, 6, "last"), target="T (degC)", inputs=panel.columns)
    parts = windows.split(Split.make(panel, "26000,13000"))
    temperature = panel.column("T (degC)")
    for found, expected in ((parts.valid, 2.895), (parts.test, 2.085)):
        assert np.abs(temperature[found + 144] - temperature[found]).mean() == pytest.approx(expected, abs=0.02)
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (25_133, 13_000, 13_704)
    assert windows.candidates == len(panel) - windows.spec.span + 1


def test_a_long_series_takes_milliseconds() -> None:
    """Not a benchmark: a Python loop over 200,000 windows of 1,440 rows would take minutes, not this."""
    rng = np.random.default_rng(0)
    panel = panel_of(rng.standard_normal((200_000, 2)))
    begin = time.perf_counter()
    assert len(Windows(panel, WindowSpec(1440, 144, 6), target="y", inputs=["y", "x"])) == 200_000 - 1434 - 144
    assert time.perf_counter() - begin < 3
