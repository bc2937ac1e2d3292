# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Panels from arrays and frames of every kind, their parts, and panels on disk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from seqloom.data import Frequency, Panel
from seqloom.errors import DataError, FormatError, SettingError

RNG = np.random.default_rng(7)
HOURS = np.datetime64("2023-10-28T20:00", "us") + np.arange(12) * np.timedelta64(3600, "s")
VALUES = RNG.normal(size=(12, 2))


def frames():
    data = {"when": HOURS, "load": VALUES[:, 0], "wind": VALUES[:, 1]}
    text = {
        "when": [str(t) for t in HOURS.astype("M8[s]")],
        "load": [repr(float(v)) for v in VALUES[:, 0]],
        "wind": VALUES[:, 1],
    }
    indexed = pd.DataFrame(data).set_index("when")
    nullable = pd.DataFrame(data).convert_dtypes()
    objects = pd.DataFrame(data).astype({"load": object})
    return {
        "pandas": pd.DataFrame(data),
        "pandas text": pd.DataFrame(text),
        "pandas index": indexed,
        "pandas nullable": nullable,
        "pandas objects": objects,
        "pandas arrow": pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
        "polars": pl.DataFrame(data),
        "polars text": pl.DataFrame(text),
        "arrow": pa.table(data),
        "arrow text": pa.table(text),
    }


@pytest.mark.parametrize("kind", frames())
def test_every_frame_gives_the_same_panel(kind):
    panel = Panel.from_frame(frames()[kind], time="when")
    np.testing.assert_array_equal(panel.values, VALUES)
    np.testing.assert_array_equal(panel.time, HOURS)
    np.testing.assert_array_equal(panel.tick, np.arange(12))
    assert (panel.columns, panel.frequency.label, panel.ids, panel.zone) == (("load", "wind"), "1 hour", ("",), None)
    assert not panel.filled.any()
    assert panel.fingerprint() == Panel.from_numpy(VALUES, ["load", "wind"], time=HOURS).fingerprint()


def test_values_are_read_only_float64_and_contiguous():
    source = np.asfortranarray(VALUES.astype(np.float32))
    panel = Panel.from_numpy(source, frequency=None)
    assert panel.values.flags["C_CONTIGUOUS"]
    assert panel.values.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        panel.values[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        panel.column("column_0")[0] = 1
    source[0, 0] = 99
    assert panel.values[0, 0] != 99


def test_steps_without_time():
    panel = Panel.from_numpy(np.arange(5))
    assert (panel.time, panel.frequency.kind, panel.columns, len(panel)) == (None, "step", ("column_0",), 5)
    np.testing.assert_array_equal(panel.tick, np.arange(5))
    two = Panel.from_frame(pd.DataFrame({"id": ["b", "a", "b", "a", "b"], "x": [1, 2, 3, 4, 5]}), id="id")
    assert two.ids == ("a", "b")
    np.testing.assert_array_equal(two.values[:, 0], [2, 4, 1, 3, 5])
    np.testing.assert_array_equal(two.tick, [0, 1, 0, 1, 2])


def test_a_column_of_row_numbers_counts_steps():
    panel = Panel.from_frame(pd.DataFrame({"n": [3, 4, 6, 40], "x": [1.0, 2, 3, 4]}), time="n")
    np.testing.assert_array_equal(panel.tick, [3, 4, 5, 6, 40])
    np.testing.assert_array_equal(panel.values[:, 0], [1, 2, 2, 3, 4])
    assert panel.time is None
    with pytest.raises(DataError, match="rise by 10"):
        Panel.from_frame(pd.DataFrame({"n": [0, 10, 20], "x": [1.0, 2, 3]}), time="n")
    with pytest.raises(DataError, match=r"row 2.*neither a time nor"):
        Panel.from_frame(pd.DataFrame({"n": [0, 0.5, 1], "x": [1.0, 2, 3]}), time="n")


def test_several_series_of_unequal_length_and_start():
    days = np.datetime64("2024-02-26", "us") + np.arange(6) * np.timedelta64(1, "D")
    frame = pd.DataFrame(
        {
            "shop": [10, 9, 10, 9, 9, 10, 10],
            "day": days[[0, 2, 1, 3, 5, 2, 3]],
            "sold": [1.0, 20, 2, 30, 50, 3, 4],
            "till": 7,
        }
    )
    panel = Panel.from_frame(frame, time="day", id="shop", columns=["sold"])
    assert (panel.ids, panel.columns) == (("9", "10"), ("sold",))
    np.testing.assert_array_equal(panel.offsets, [0, 4, 8])
    np.testing.assert_array_equal(panel.tick, [2, 3, 4, 5, 0, 1, 2, 3])
    np.testing.assert_array_equal(panel.values[:, 0], [20, 30, 30, 50, 1, 2, 3, 4])
    np.testing.assert_array_equal(panel.series_index, [0] * 4 + [1] * 4)
    nine = panel.series("9")
    assert (nine.ids, list(nine.time.astype("M8[D]"))) == (("9",), list(days[2:6].astype("M8[D]")))
    np.testing.assert_array_equal(nine.filled[:, 0], [False, False, True, False])
    np.testing.assert_array_equal(panel.series(1).values[:, 0], [1, 2, 3, 4])
    with pytest.raises(DataError, match=r"'99'.*Did you mean '9'"):
        panel.series("99")
    with pytest.raises(DataError, match="0 to 1"):
        panel.series(2)


def test_zones_of_frames_and_of_the_argument():
    index = pd.date_range("2023-10-28 20:00", periods=12, freq="h", tz="Europe/Berlin")
    instants = index.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[us]")
    carried = Panel.from_frame(pd.DataFrame({"when": index, "x": VALUES[:, 0]}), time="when")
    assert carried.zone == "Europe/Berlin"
    np.testing.assert_array_equal(carried.time, instants)
    wall = index.tz_localize(None)
    named = Panel.from_frame(pd.DataFrame({"when": wall, "x": VALUES[:, 0]}), time="when", zone="Europe/Berlin")
    assert named.fingerprint() == carried.fingerprint()
    backwards = Panel.from_frame(
        pd.DataFrame({"when": wall, "x": VALUES[:, 0]})[::-1], time="when", zone="Europe/Berlin"
    )
    assert backwards.fingerprint() == carried.fingerprint()
    offsets = [t.isoformat() for t in index]
    text = Panel.from_frame(pd.DataFrame({"when": offsets, "x": VALUES[:, 0]}), time="when", zone="Europe/Berlin")
    assert text.fingerprint() == carried.fingerprint()
    assert (carried.quality.first, carried.quality.last) == ("2023-10-28T20:00:00+02:00", "2023-10-29T06:00:00+01:00")
    utc = Panel.from_frame(pd.DataFrame({"when": offsets, "x": VALUES[:, 0]}), time="when")
    assert utc.zone == "UTC"
    tokyo = Panel.from_frame(pd.DataFrame({"when": index, "x": VALUES[:, 0]}), time="when", zone="Asia/Tokyo")
    assert (tokyo.zone, tokyo.quality.first) == ("Asia/Tokyo", "2023-10-29T03:00:00+09:00")
    np.testing.assert_array_equal(tokyo.time, instants)
    with pytest.raises(DataError, match=r"different values.*zone="):
        Panel.from_frame(pd.DataFrame({"when": wall, "x": VALUES[:, 0]}), time="when")
    shuffled = pd.DataFrame({"when": wall, "x": VALUES[:, 0]}).iloc[[6, 0, 7, 1, 2, 3, 4, 5, 8, 9, 10, 11]]
    with pytest.raises(DataError, match="twice, and the order"):
        Panel.from_frame(shuffled, time="when", zone="Europe/Berlin")


def test_dates_in_a_zone_that_skips_midnight():
    days = pd.date_range("2018-11-01", periods=8, freq="D")
    panel = Panel.from_frame(pd.DataFrame({"day": days, "x": VALUES[:8, 0]}), time="day", zone="America/Sao_Paulo")
    np.testing.assert_array_equal(panel.tick, np.arange(8))
    hours = pd.DataFrame({"t": pd.date_range("2018-11-03 20:00", periods=8, freq="h"), "x": VALUES[:8, 0]})
    with pytest.raises(DataError, match=r"row 5, column 't': 2018-11-04 00:00:00 never showed"):
        Panel.from_frame(hours, time="t", zone="America/Sao_Paulo")


def test_a_known_frequency_reads_what_is_too_short_to_tell():
    known = Panel.from_numpy(VALUES, time=HOURS).frequency
    one = Panel.from_numpy(VALUES[:1], time=HOURS[3:4], frequency=known)
    np.testing.assert_array_equal(one.tick, [3])
    with pytest.raises(DataError, match="At least two different times"):
        Panel.from_numpy(VALUES[:1], time=HOURS[:1])
    with pytest.raises(DataError, match=r"row 2.*does not lie on the grid of one row every 1 hour \(1 such row\)"):
        Panel.from_numpy(VALUES[:2], time=np.array(["2023-10-28T20:00", "2023-10-28T21:30"], "M8[us]"), frequency=known)
    with pytest.raises(DataError, match="expected a time column"):
        Panel.from_numpy(VALUES, frequency=known)
    with pytest.raises(DataError, match="counts rows"):
        Panel.from_numpy(VALUES, time=HOURS, frequency=Frequency.steps())
    with pytest.raises(DataError, match="plain numbers"):
        Panel.from_numpy(VALUES, time=np.arange(12), frequency=known)
    zoned = Panel.from_numpy(VALUES, time=HOURS, zone="Europe/Berlin").frequency
    assert Panel.from_numpy(VALUES[:2], time=HOURS[:2], frequency=zoned).zone == "Europe/Berlin"
    with pytest.raises(SettingError, match="Asia/Tokyo"):
        Panel.from_numpy(VALUES, time=HOURS, zone="Asia/Tokyo", frequency=zoned)
    with pytest.raises(DataError, match="without a zone"):
        Panel.from_numpy(VALUES, time=HOURS, zone="Asia/Tokyo", frequency=known)


def test_select_take_and_column():
    panel = Panel.from_numpy(VALUES, ["load", "wind"], time=HOURS)
    np.testing.assert_array_equal(panel.select(["wind"]).values, VALUES[:, 1:])
    np.testing.assert_array_equal(panel.select(["wind", "load"]).values, VALUES[:, ::-1])
    np.testing.assert_array_equal(panel.column("wind"), VALUES[:, 1])
    with pytest.raises(DataError, match=r"'wnd'.*Did you mean 'wind'"):
        panel.column("wnd")
    part = panel.take(np.array([1, 2, 5]))
    np.testing.assert_array_equal(part.tick, [1, 2, 5])
    np.testing.assert_array_equal(panel.take(panel.tick > 8).values, VALUES[9:])
    many = Panel.from_numpy(VALUES, time=HOURS, id=np.repeat(["a", "b", "c"], 4)).take(np.array([0, 8, 9]))
    np.testing.assert_array_equal(many.offsets, [0, 1, 1, 3])


def test_fingerprints_tell_panels_apart():
    panel = Panel.from_numpy(VALUES, ["a", "b"], time=HOURS)
    changed, marked = VALUES.copy(), np.zeros(VALUES.shape, bool)
    changed[11, 1] = np.nextafter(changed[11, 1], 9)
    marked[11, 1] = True
    others = [
        replace(panel, filled=marked),
        Panel.from_numpy(changed, ["a", "b"], time=HOURS),
        Panel.from_numpy(VALUES, ["a", "c"], time=HOURS),
        Panel.from_numpy(VALUES, ["a", "b"], time=HOURS + np.timedelta64(1, "h")),
        Panel.from_numpy(VALUES, ["a", "b"]),
        Panel.from_numpy(VALUES, ["a", "b"], time=HOURS, zone="UTC"),
        Panel.from_numpy(VALUES, ["a", "b"], time=HOURS, id=np.repeat("x", 12)),
    ]
    assert len({panel.fingerprint(), *(other.fingerprint() for other in others)}) == 8


@pytest.mark.parametrize("mmap", [True, False])
def test_saved_and_opened(tmp_path, mmap):
    values = VALUES.copy()
    values[3, 0] = np.nan
    panel = Panel.from_numpy(
        values, time=np.delete(np.append(HOURS, HOURS[-1] + np.timedelta64(1, "h")), 5), zone="Europe/Berlin"
    )
    panel.save(tmp_path / "new" / "panel")
    again = Panel.open(tmp_path / "new" / "panel", mmap=mmap)
    assert again.fingerprint() == panel.fingerprint()
    assert (again.frequency, again.columns, again.ids, again.zone, again.quality) == (
        panel.frequency, panel.columns, panel.ids, panel.zone, panel.quality,
    )  # fmt: skip
    np.testing.assert_array_equal(again.time, panel.time)
    base = again.values
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap) == mmap


def test_several_series_saved_and_opened(tmp_path):
    panel = Panel.from_numpy(VALUES, id=np.repeat([9, 10, 2], [3, 4, 5]))
    assert panel.ids == ("2", "9", "10")
    panel.save(tmp_path)
    again = Panel.open(tmp_path)
    assert again.ids == panel.ids
    np.testing.assert_array_equal(again.series("9").values, VALUES[:3])


def test_damaged_panels_on_disk(tmp_path):
    panel = Panel.from_numpy(VALUES, time=HOURS)

    def fresh(name):
        panel.save(tmp_path / name)
        return tmp_path / name

    with pytest.raises(FormatError, match=r"no panel\.json"):
        Panel.open(tmp_path)
    folder = fresh("missing")
    (folder / "tick.npy").unlink()
    with pytest.raises(FormatError, match="damaged"):
        Panel.open(folder)
    folder = fresh("cut")
    (folder / "values.npy").write_bytes((folder / "values.npy").read_bytes()[:-40])
    for mmap in (True, False):
        with pytest.raises(FormatError, match="damaged"):
            Panel.open(folder, mmap=mmap)
    folder = fresh("kind")
    np.save(folder / "values.npy", VALUES.astype(np.float32))
    with pytest.raises(FormatError, match="expected float64"):
        Panel.open(folder)
    folder = fresh("pickled")
    np.save(folder / "values.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="damaged"):
        Panel.open(folder)
    folder = fresh("altered")
    np.save(folder / "values.npy", VALUES + 1)
    with pytest.raises(FormatError, match="altered"):
        Panel.open(folder, mmap=False)
    for change in ({"schema": 2}, {"columns": ["a"]}, {"frequency": {}}, {"columns": None}, {"quality": {"rows": 1}}):
        folder = fresh("json")
        about = json.loads((folder / "panel.json").read_text())
        (folder / "panel.json").write_text(json.dumps({**about, **change}))
        with pytest.raises(FormatError):
            Panel.open(folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"values": np.zeros((2, 2, 2))}, "shape"),
        ({"values": np.array(["a"])}, "numbers"),
        ({"values": np.zeros((0, 2))}, "rows of data"),
        ({"values": np.zeros((3, 2)), "columns": ["a"]}, "2 column names"),
        ({"values": np.zeros((3, 2)), "columns": ["a", "a"]}, "differ"),
        ({"values": np.zeros(3), "time": HOURS[:2]}, "time of shape"),
        (
            {"values": np.array([1.0, np.inf, -np.inf])},
            r"row 2, column 'column_0': expected a finite number, got inf \(2 such",
        ),
        ({"values": np.array([np.nan, np.nan])}, "no value at all"),
        ({"values": np.ones((3, 0))}, "at least one column"),
        ({"values": np.ones(3), "time": np.array(["2020", "NaT", "2021"], "M8[us]")}, "row 2.*empty"),
    ],
)
def test_arrays_that_are_refused(arguments, words):
    with pytest.raises(DataError, match=words):
        Panel.from_numpy(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_fill": -1}, "max_fill"),
        ({"max_fill": True}, "max_fill"),
        ({"missing": ("x",)}, "missing"),
        ({"zone": "Europe/Berlin"}, "no time column"),
        ({"columns": []}, "at least one name"),
        ({"columns": "load"}, "a list of names"),
        ({"columns": ["load", "load"]}, "named twice"),
        ({"time": "when", "id": "when"}, "two different columns"),
        ({"time": "when", "columns": ["when"]}, "time column"),
    ],
)
def test_settings_that_are_refused(arguments, words):
    with pytest.raises(SettingError, match=words):
        Panel.from_frame(frames()["pandas"], **arguments)


def test_frames_that_are_refused():
    frame = frames()["polars"]
    for arguments in ({"time": "When"}, {"id": "When"}, {"columns": ["When"]}):
        with pytest.raises(DataError, match="Did you mean 'when'"):
            Panel.from_frame(frame, **arguments)
    with pytest.raises(DataError, match="holds times, but no time is named"):
        Panel.from_frame(frame)
    with pytest.raises(DataError, match=r"expected a pandas, polars or arrow frame|Expected a pandas"):
        Panel.from_frame([1, 2])
    with pytest.raises(DataError, match="collect it first"):
        Panel.from_frame(frame.lazy())
    with pytest.raises(DataError, match="'x'"):
        Panel.from_frame(pd.DataFrame(np.ones((3, 2)), columns=["x", "x"]))
    with pytest.raises(DataError, match=r"row 3, column 'x': expected a number, got 'n/b'"):
        Panel.from_frame(pd.DataFrame({"x": ["1", "n/a", "n/b"]}))
    with pytest.raises(DataError, match=r"row 2, column 'id'.*empty"):
        Panel.from_frame(pd.DataFrame({"id": ["a", None], "x": [1, 2]}), id="id")


def test_a_panel_checks_its_parts():
    good = {
        "values": VALUES, "columns": ("a", "b"), "time": None, "tick": np.arange(12), "frequency": Frequency.steps(),
        "ids": ("",), "offsets": np.array([0, 12]), "filled": np.zeros((12, 2), bool),
    }  # fmt: skip
    Panel(**good)
    bad = [
        {"values": VALUES[:5]}, {"columns": ("a",)}, {"columns": ("a", "a")}, {"tick": np.zeros(12)},
        {"offsets": np.array([0, 5])},
        {"ids": ("a", "a"), "offsets": np.array([0, 4, 12])}, {"filled": np.zeros((12, 1), bool)}, {"time": HOURS[:3]},
    ]  # fmt: skip
    for change in bad:
        with pytest.raises(DataError, match="Panel"):
            Panel(**{**good, **change})
